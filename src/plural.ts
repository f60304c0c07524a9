/** `1 job`, `2 jobs`, `no jobs`. */
export function plural(count: number, noun: string): string {
  return `${count === 0 ? 'no' : count} ${noun}${count === 1 ? '' : 's'}`;
}
