import { constants } from 'node:os';

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

export type StopSignal = (typeof SIGNALS)[number];

export interface StopSignalHandlers {
  /** An orderly stop. */
  readonly onFirst: (signal: StopSignal) => void;
  /** Now; the exit code that says so is 128 + the signal's number: 143 for SIGTERM, 130 for SIGINT. */
  readonly onSecond: (exitCode: number) => void;
}

/** Listens for the signals that ask this process to stop. */
export function listenForStop({ onFirst, onSecond }: StopSignalHandlers): void {
  let stopping = false;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (stopping) return onSecond(128 + constants.signals[signal]);
      stopping = true;
      onFirst(signal);
    });
  }
}
