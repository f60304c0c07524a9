/** How a firing ended, or how far it is: a shape, a word and a colour, always the same three together. */
import type { Outcome, OutcomeCounts, Run, RunState } from '../api/types.js';
import { countText } from '../format/words.js';
import { Icon, type IconName } from './icon.js';

export type Tone = 'ok' | 'failed' | 'late' | 'skipped' | 'lost' | 'plain';

export interface Look {
  readonly tone: Tone;
  readonly icon: IconName;
  readonly word: string;
}

export const OUTCOME_LOOKS: Readonly<Record<Outcome, Look>> = {
  succeeded: { tone: 'ok', icon: 'check', word: 'ok' },
  failed: { tone: 'failed', icon: 'cross', word: 'failed' },
  timed_out: { tone: 'failed', icon: 'clock', word: 'timed out' },
  killed: { tone: 'failed', icon: 'stop', word: 'killed' },
  skipped: { tone: 'skipped', icon: 'skip', word: 'skipped' },
  missed: { tone: 'late', icon: 'hole', word: 'missed' },
  lost: { tone: 'lost', icon: 'lost', word: 'lost' },
  cancelled: { tone: 'skipped', icon: 'ban', word: 'cancelled' },
};

const STATE_LOOKS: Readonly<Record<Exclude<RunState, 'ended'>, Look>> = {
  planned: { tone: 'plain', icon: 'clock', word: 'planned' },
  late: { tone: 'late', icon: 'clock', word: 'late' },
  queued: { tone: 'plain', icon: 'more', word: 'queued' },
  waiting: { tone: 'plain', icon: 'history', word: 'retry to come' },
  claimed: { tone: 'plain', icon: 'clock', word: 'claimed' },
  running: { tone: 'plain', icon: 'run', word: 'running' },
  expanded: { tone: 'plain', icon: 'server', word: 'on each worker' },
  orphaned: { tone: 'lost', icon: 'lost', word: 'worker died' },
};

/** From good to bad: which one stands for several. */
export const OUTCOMES_BY_WEIGHT: readonly Outcome[] = [
  'succeeded',
  'skipped',
  'cancelled',
  'missed',
  'killed',
  'timed_out',
  'failed',
  'lost',
];

/** The worst first. */
export const OUTCOME_WORDS: readonly string[] = [...OUTCOMES_BY_WEIGHT]
  .reverse()
  .map((outcome) => OUTCOME_LOOKS[outcome].word);

/** The words and numbers of those that there are, the worst first. */
export function outcomeValues(outcomes: OutcomeCounts): [string, string][] {
  return [...OUTCOMES_BY_WEIGHT]
    .reverse()
    .filter((outcome) => outcomes[outcome])
    .map((outcome) => [OUTCOME_LOOKS[outcome].word, countText(outcomes[outcome]!)]);
}

export function lookOf(run: Pick<Run, 'state' | 'outcome'>): Look {
  if (run.outcome !== null) return OUTCOME_LOOKS[run.outcome];
  return run.state === 'ended' ? OUTCOME_LOOKS.lost : STATE_LOOKS[run.state];
}

export function Mark({ look, short = false }: { look: Look; short?: boolean }) {
  return (
    <span class={`mark tone-${look.tone}`}>
      {short ? (
        <Icon name={look.icon} label={look.word} />
      ) : (
        <>
          <Icon name={look.icon} />
          {look.word}
        </>
      )}
    </span>
  );
}

/** A word on its own ground. */
export function Badge({
  tone,
  icon,
  children,
}: {
  tone: Tone;
  icon?: IconName;
  children: preact.ComponentChildren;
}) {
  return (
    <span class={`badge tone-${tone}`}>
      {icon && <Icon name={icon} />}
      {children}
    </span>
  );
}
