/**
 * Patterns of names and paths: `*` stands for anything but a slash, `**` for anything. Patterns of other workers come from
 * etcd, so matching takes time in proportion to pattern times text, whatever they hold.
 */
export function matchesPattern(pattern: string, text: string): boolean {
  // reachable[i]: the pattern so far matches the first i characters.
  let reachable = new Uint8Array(text.length + 1);
  reachable[0] = 1;
  for (let index = 0; index < pattern.length; index += 1) {
    const character = pattern[index]!;
    const isDouble = character === '*' && pattern[index + 1] === '*';
    const next = new Uint8Array(text.length + 1);
    if (character === '*') {
      let open = false;
      for (let at = 0; at <= text.length; at += 1) {
        if (at > 0 && !isDouble && text[at - 1] === '/') open = false;
        open ||= reachable[at] === 1;
        next[at] = open ? 1 : 0;
      }
      if (isDouble) index += 1;
    } else {
      for (let at = 0; at < text.length; at += 1)
        if (reachable[at] === 1 && text[at] === character) next[at + 1] = 1;
    }
    reachable = next;
  }
  return reachable[text.length] === 1;
}

export function matchesAny(patterns: readonly string[], text: string): boolean {
  return patterns.some((pattern) => matchesPattern(pattern, text));
}
