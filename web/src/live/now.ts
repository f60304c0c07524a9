/** The time that everything on the page counts from: one clock, that of the server as far as it is known. */
import { signal } from '@preact/signals';

/** Server − browser, in ms, from the `Date` header of answers (whole seconds, so small offsets are none). */
const offsetMs = signal(0);

/** Ticks each second while the page is visible. */
export const now = signal(Date.now());

export function serverNow(): number {
  return Date.now() + offsetMs.peek();
}

/** Learns the offset from an answer that came at `Date.now()`. */
export function noteServerDate(header: string | null): void {
  const serverMs = header === null ? NaN : Date.parse(header);
  if (Number.isNaN(serverMs)) return;
  const difference = serverMs + 500 - Date.now();
  offsetMs.value = Math.abs(difference) > 2_000 ? difference : 0;
}

/** Call once. Each tick falls on a second of the wall clock, so that countdowns move together. */
export function startTicking(): void {
  const tick = (): void => {
    now.value = serverNow();
    const delayMs = 1_000 - (now.value % 1_000);
    window.setTimeout(tick, document.hidden ? 5_000 : delayMs + 5);
  };
  tick();
  document.addEventListener('visibilitychange', () => {
    now.value = serverNow();
  });
}
