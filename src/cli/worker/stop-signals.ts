import { constants } from 'node:os';

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

export type StopSignal = (typeof SIGNALS)[number];

export interface StopSignalHandlers {
  /** An orderly stop. */
  readonly onFirst: (signal: StopSignal) => void;
  /** Now; the exit code that says so is 128 + the signal's number: 143 for SIGTERM, 130 for SIGINT. */
  readonly onSecond: (exitCode: number) => void;
}

/** Signals that come together are one request: one Ctrl-C arrives from the terminal and again from npm, which forwards it. */
const SAME_REQUEST_MS = 500;

/** Listens for the signals that ask this process to stop. */
export function listenForStop({ onFirst, onSecond }: StopSignalHandlers): void {
  let firstAtMs: number | null = null;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      const nowMs = performance.now();
      if (firstAtMs === null) {
        firstAtMs = nowMs;
        onFirst(signal);
      } else if (nowMs - firstAtMs >= SAME_REQUEST_MS) onSecond(128 + constants.signals[signal]);
    });
  }
}
