/** What a run wrote: from its worker while that can be reached, else the end that was kept with the record. */
import { useMemo } from 'preact/hooks';
import type { RunDetails } from '../../api/types.js';
import { bytesText } from '../../format/words.js';
import { OutputText } from './output-text.js';
import { OutputView } from './output-view.js';

export function Output({ run }: { run: RunDetails }) {
  const kept = useMemo(() => {
    const text = new OutputText();
    const encoder = new TextEncoder();
    if (run.stdout) text.take('stdout', encoder.encode(run.stdout.text));
    if (run.stderr) text.take('stderr', encoder.encode(run.stderr.text));
    text.finish();
    return text;
  }, [run.stdout, run.stderr]);
  const total = (run.stdout?.totalBytes ?? 0) + (run.stderr?.totalBytes ?? 0);
  const isCut = run.stdout?.truncated === true || run.stderr?.truncated === true;
  return (
    <OutputView
      lines={kept.lines}
      dropped={kept.dropped}
      isLive={run.state !== 'ended'}
      note={isCut ? `The last of ${bytesText(total)}.` : null}
    />
  );
}
