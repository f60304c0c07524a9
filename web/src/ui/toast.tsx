/** Short news of what the viewer did, said to assistive technology too. */
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';

interface Toast {
  readonly id: number;
  readonly content: ComponentChildren;
}

const SHOWN_MS = 8_000;
const toasts = signal<readonly Toast[]>([]);
let lastId = 0;

export function say(content: ComponentChildren): void {
  lastId += 1;
  const id = lastId;
  toasts.value = [...toasts.value.slice(-2), { id, content }];
  window.setTimeout(() => {
    toasts.value = toasts.value.filter((toast) => toast.id !== id);
  }, SHOWN_MS);
}

export function Toasts() {
  return (
    <div class="toasts" role="status">
      {toasts.value.map(({ id, content }) => (
        <div class="toast" key={id}>
          {content}
        </div>
      ))}
    </div>
  );
}
