/** Keys that work everywhere but in fields and dialogs: single ones, and two after each other such as `g` `j`. */
import { useEffect } from 'preact/hooks';

const SEQUENCE_MS = 1_000;

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('input, textarea, select, dialog') !== null;
}

/** `bindings` by key (`/`) or by two keys with a space between them (`g j`). */
export function useKeys(bindings: Readonly<Record<string, () => void>>): void {
  useEffect(() => {
    let first = '';
    let firstMs = -Infinity;
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (isTyping(event.target)) return;
      const sequence = event.timeStamp - firstMs < SEQUENCE_MS ? `${first} ${event.key}` : '';
      const binding = bindings[sequence] ?? bindings[event.key];
      first = event.key;
      firstMs = event.timeStamp;
      if (!binding) return;
      event.preventDefault();
      first = '';
      binding();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  });
}
