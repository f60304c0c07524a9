/** What a run wrote: from its worker while that can be reached, else the end that was kept with the record. */
import { useMemo, useState } from 'preact/hooks';
import { runPath } from '../../api/client.js';
import type { KeptOutput, RunDetails } from '../../api/types.js';
import { bytesText } from '../../format/words.js';
import { useResource } from '../../live/resource.js';
import { Panel } from '../../ui/panel.js';
import { Empty } from '../../ui/states.js';
import { OutputText } from './output-text.js';
import { OutputView } from './output-view.js';
import { useOutput } from './use-output.js';

export function Output({ run }: { run: RunDetails }) {
  const [attempt, setAttempt] = useState<number | null>(null);
  const hasBegun = run.attempts > 0;
  const several = useResource<{ attempts: KeptOutput[] }>(
    run.attempts > 1 ? runPath(run.run, 'output', 'attempts') : null,
  );
  const attempts = several.data?.attempts ?? [];
  return (
    <Panel
      title="Output"
      aside={
        hasBegun && (
          <span class="row output-aside">
            {attempts.length > 1 && (
              <select
                class="input"
                aria-label="Attempt"
                value={String(attempt ?? run.attempts)}
                onChange={(event) => setAttempt(Number(event.currentTarget.value))}
              >
                {attempts.map((one) => (
                  <option key={`${one.attempt} ${one.fencingToken}`} value={String(one.attempt)}>
                    attempt {one.attempt} on {one.worker}
                  </option>
                ))}
              </select>
            )}
            <a href={`/api/v1/${runPath(run.run, 'output')}`} download={`${run.job}.txt`}>
              Download
            </a>
          </span>
        )
      }
    >
      {hasBegun ? (
        <Written run={run} attempt={attempt} />
      ) : (
        <Empty icon="list">{run.state === 'ended' ? 'No attempt was started.' : 'It has not begun.'}</Empty>
      )}
    </Panel>
  );
}

function Written({ run, attempt }: { run: RunDetails; attempt: number | null }) {
  const { lines, dropped, worker, skippedBytes, isOpen, problem } = useOutput(run, attempt);
  const kept = useKept(run);
  const useKeptEnd = problem !== null && kept.lines.length > 0;
  const notes: string[] = [];
  if (problem !== null) notes.push(problem.message);
  if (useKeptEnd) notes.push('This is the end that was kept with the record.');
  else if (skippedBytes > 0)
    notes.push(`The first ${bytesText(skippedBytes)} are left out; the download has them.`);
  if (worker !== null && problem === null) notes.push(`From ${worker}.`);
  return (
    <OutputView
      lines={useKeptEnd ? kept.lines : lines}
      dropped={useKeptEnd ? kept.dropped : dropped}
      isLive={isOpen && run.state !== 'ended'}
      note={notes.join(' ') || null}
    />
  );
}

function useKept(run: RunDetails): OutputText {
  return useMemo(() => {
    const text = new OutputText();
    const encoder = new TextEncoder();
    if (run.stdout) text.take('stdout', encoder.encode(run.stdout.text));
    if (run.stderr) text.take('stderr', encoder.encode(run.stderr.text));
    text.finish();
    return text;
  }, [run.stdout, run.stderr]);
}
