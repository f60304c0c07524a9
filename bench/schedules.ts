/** Six cron fields for this one second (of each year). */
export function onlyAt(due: Date): string {
  const date = `${due.getUTCHours()} ${due.getUTCDate()} ${due.getUTCMonth() + 1}`;
  return `${due.getUTCSeconds()} ${due.getUTCMinutes()} ${date} *`;
}

/** The whole seconds from `fromMs` up to `toMs`, without it. */
export function secondsBetween(fromMs: number, toMs: number): number[] {
  const firstMs = Math.ceil(fromMs / 1000) * 1000;
  return Array.from(
    { length: Math.max(0, Math.ceil((toMs - firstMs) / 1000)) },
    (_, index) => firstMs + index * 1000,
  );
}
