/**
 * What goes between a worker and its launcher: one JSON object a line, each way through a pipe of its own. Moments are in ms
 * on the machine's monotonic clock, which both processes read alike.
 */
import type { Launch } from '../launch.js';
import type { AttemptFacts, OutputSettings } from '../output/settings.js';
import type { RunResult } from '../running-task.js';

/** The `id` of what the launcher says of itself. */
export const OF_NO_RUN = 0;

export type ToLauncher =
  /** Before the first order, where the whole output of commands is kept. */
  | { readonly type: 'output'; readonly settings: OutputSettings }
  /** Answered with `pong`. */
  | { readonly type: 'ping' }
  | ({ readonly type: 'start' } & StartOrder)
  | { readonly type: 'kill'; readonly id: number; readonly reason: string; readonly graceMs: number };

export interface StartOrder {
  readonly id: number;
  /** It must not begin after this. */
  readonly validUntilMs: number;
  readonly launch: Launch;
  readonly user: string | undefined;
  readonly marker: string;
  readonly timeoutMs: number | null;
  readonly killGraceMs: number;
  /** What must not be seen in its output. */
  readonly hidden: readonly string[];
  /** It goes on when the worker is gone. */
  readonly outlivesWorker: boolean;
  /** Whose output it is. */
  readonly attempt: AttemptFacts;
}

export type FromLauncher =
  | { readonly type: 'ready' }
  | { readonly type: 'pong' }
  /** Is in the pipe before the launcher looks at the order's time: an order without it has not begun. */
  | { readonly type: 'starting'; readonly id: number }
  /** Too late: it has not begun and never will. */
  | { readonly type: 'refused'; readonly id: number }
  | ({ readonly type: 'started'; readonly id: number } & StartedFacts)
  /** Its moments are monotonic here. */
  | { readonly type: 'result'; readonly id: number; readonly result: RunResult }
  | {
      readonly type: 'log';
      readonly id: number;
      readonly level: 'debug' | 'warn' | 'error';
      readonly facts: object;
      readonly text: string;
    };

export interface StartedFacts {
  /** Null: it could not be started. */
  readonly pid: number | null;
  readonly startTicks: number | null;
  readonly atMs: number;
}

export function encode(messages: readonly (ToLauncher | FromLauncher)[]): string {
  return messages.map((message) => `${JSON.stringify(message)}\n`).join('');
}

/** Calls back with each message of a stream of text, however it is cut. */
export function makeReader<Message>(receive: (message: Message) => void): (chunk: string) => void {
  let unread = '';
  return (chunk) => {
    const lines = (unread + chunk).split('\n');
    // The beginning of a line, which is never finished if the other side dies now.
    unread = lines.pop() ?? '';
    for (const line of lines) receive(JSON.parse(line) as Message);
  };
}
