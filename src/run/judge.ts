import type { Outcome } from '../history/run-record.js';
import type { Task } from '../jobs/index.js';
import type { RunResult } from './running-task.js';

/** What an attempt comes to, and why where the outcome alone does not say it. */
export function judge(task: Task, { ending }: RunResult): { outcome: Outcome; reason: string | null } {
  switch (ending.kind) {
    case 'exited': {
      const good = task.kind === 'command' ? task.successExitCodes : [0];
      return good.includes(ending.exitCode)
        ? { outcome: 'succeeded', reason: null }
        : { outcome: 'failed', reason: `exit code ${ending.exitCode}` };
    }
    case 'signalled':
      return { outcome: 'failed', reason: `ended by ${ending.signal}` };
    case 'completed':
      return { outcome: 'succeeded', reason: null };
    case 'failed':
      return { outcome: 'failed', reason: ending.reason };
    case 'timed-out':
      return { outcome: 'timed_out', reason: 'it took longer than its timeout' };
    case 'killed':
      return {
        outcome: 'killed',
        reason: ending.reason === 'shutdown' ? 'its worker was stopped; recovery: abandon' : ending.reason,
      };
    case 'start-failed':
      return {
        outcome: 'failed',
        reason: ending.hint ? `${ending.message}; ${ending.hint}` : ending.message,
      };
    case 'lost':
    case 'not-started':
      return { outcome: 'lost', reason: ending.reason };
  }
}

/** How its main process ended; both are null where there was none. */
export function exitOf({ ending }: RunResult): { exitCode: number | null; signal: string | null } {
  switch (ending.kind) {
    case 'exited':
      return { exitCode: ending.exitCode, signal: null };
    case 'signalled':
      return { exitCode: null, signal: ending.signal };
    case 'timed-out':
    case 'killed':
      return { exitCode: ending.exitCode, signal: ending.signal };
    case 'completed':
    case 'failed':
    case 'start-failed':
    case 'not-started':
    case 'lost':
      return { exitCode: null, signal: null };
  }
}
