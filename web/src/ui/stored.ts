import { effect, signal, type Signal } from '@preact/signals';

/** A signal whose value is kept in this browser; `read` turns whatever was kept into a value that is one. */
export function stored<T extends string>(name: string, fallback: T, read: (value: string) => T): Signal<T> {
  const key = `etcron.${name}`;
  const value = signal(fallback);
  try {
    const kept = window.localStorage.getItem(key);
    if (kept !== null) value.value = read(kept);
  } catch {
    // Some browsers forbid it; the choice lasts as long as the page then.
  }
  effect(() => {
    const chosen = value.value;
    try {
      if (chosen === fallback) window.localStorage.removeItem(key);
      else window.localStorage.setItem(key, chosen);
    } catch {
      // As above.
    }
  });
  return value;
}
