import type { StreamName } from './frames.js';

/** Takes everything that an attempt writes. Never throws. */
export interface AttemptLog {
  /** What may be seen by others: secrets are hidden in it. */
  write(stream: StreamName, bytes: Uint8Array): void;
  /** It holds more than it should: whoever can should wait for `room`. What is written nevertheless may be left out. */
  readonly isFull: boolean;
  room(): Promise<void>;
  /** Nothing more comes. Idempotent. */
  end(): void;
}

/** Where nothing but the tail is kept. */
export const NO_LOG: AttemptLog = {
  write: () => undefined,
  isFull: false,
  room: () => Promise.resolve(),
  end: () => undefined,
};
