import type { OutputEntry } from '../../run/output/read-attempt.js';

const LINE_END = 0x0a;

/** Shows the last `count` lines of an output that is read to its end. Resolves with where that is. */
export async function lastLines(
  entries: AsyncGenerator<OutputEntry>,
  count: number,
  show: (entry: OutputEntry) => void,
): Promise<{ offset: number; complete: boolean }> {
  const kept: { entry: OutputEntry; ends: number }[] = [];
  let ends = 0;
  let last = { offset: 0, complete: false };
  for await (const entry of entries) {
    if (entry.kind === 'end') {
      last = { offset: entry.offset, complete: entry.complete };
      break;
    }
    const one = { entry, ends: entry.kind === 'output' ? endsIn(entry.bytes) : 0 };
    kept.push(one);
    ends += one.ends;
    // What is left after it has enough lines, the one that is not at its end among them.
    while (kept.length > 1 && ends - kept[0]!.ends > count) ends -= kept.shift()!.ends;
  }
  const bytes = Buffer.concat(
    kept.map(({ entry }) => (entry.kind === 'output' ? entry.bytes : Buffer.alloc(0))),
  );
  let skip = startOfLast(bytes, count);
  for (const { entry } of kept) {
    if (entry.kind !== 'output') {
      if (skip === 0) show(entry);
      continue;
    }
    const left = entry.bytes.subarray(Math.min(skip, entry.bytes.length));
    skip = Math.max(0, skip - entry.bytes.length);
    if (left.length > 0)
      show({ ...entry, bytes: left, offset: entry.offset + entry.bytes.length - left.length });
  }
  return last;
}

function startOfLast(bytes: Buffer, count: number): number {
  if (count === 0) return bytes.length;
  let at = bytes.at(-1) === LINE_END ? bytes.length - 1 : bytes.length;
  for (let found = 0; found < count; found += 1) {
    if (at === 0) return 0;
    at = bytes.lastIndexOf(LINE_END, at - 1);
    if (at < 0) return 0;
  }
  return at + 1;
}

function endsIn(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(LINE_END); at >= 0; at = bytes.indexOf(LINE_END, at + 1)) count += 1;
  return count;
}
