/**
 * The output of an attempt, from whichever worker has it, as it comes. A stream that breaks goes on where it was, by the
 * browser's own `Last-Event-ID`; one that is refused is asked for its reason, and the kept end stands in for it.
 */
import { useEffect, useState } from 'preact/hooks';
import { query, runPath, send } from '../../api/client.js';
import { asProblem, type ApiProblem } from '../../api/problem.js';
import type { RunDetails } from '../../api/types.js';
import { OutputText, type Line, type StreamName } from './output-text.js';

/** Read from the end: more than that is for a download. */
const READ_BYTES = 1_000_000;
const RETRY_MS = 2_000;

export interface OutputState {
  readonly lines: readonly Line[];
  /** Lines that are not kept in the browser. */
  readonly dropped: number;
  /** Who has it; null while that is not known. */
  readonly worker: string | null;
  /** Bytes before the first line that were left out. */
  readonly skippedBytes: number;
  readonly isOpen: boolean;
  readonly problem: ApiProblem | null;
}

interface Piece {
  readonly stream: StreamName;
  readonly offset: number;
  readonly text?: string;
  readonly base64?: string;
}

const NOTHING: OutputState = {
  ...{ lines: [], dropped: 0, worker: null, skippedBytes: 0 },
  ...{ isOpen: true, problem: null },
};

/** `attempt`: null for the last one. */
export function useOutput(run: RunDetails, attempt: number | null): OutputState {
  const [state, setState] = useState<OutputState>(NOTHING);
  const [tries, setTries] = useState(0);
  const hasBegun = run.attempts > 0;
  const isOver = run.state === 'ended';
  // Another attempt, or a run that only now has a process, begins anew.
  const shown = attempt ?? run.attempts;
  useEffect(() => {
    if (!hasBegun) return;
    const text = new OutputText();
    let current = NOTHING;
    let frame = 0;
    const draw = (change: Partial<OutputState>): void => {
      current = { ...current, ...change };
      // Whatever comes within a frame is drawn once.
      if (frame === 0)
        frame = window.requestAnimationFrame(() => {
          frame = 0;
          // A copy: components are drawn again only when what they get is another.
          setState({ ...current, lines: [...text.lines], dropped: text.dropped });
        });
    };
    if (tries === 0) draw({});
    let retry: number | undefined;
    const end = (change: Partial<OutputState>): void => {
      stream.close();
      text.finish();
      draw({ ...change, isOpen: false });
      // An attempt that has only just been claimed has no output yet, and one whose worker died gets another.
      if (change.problem && !isOver)
        retry = window.setTimeout(() => setTries((count) => count + 1), RETRY_MS);
    };
    const values = { attempt: shown, offset: -READ_BYTES };
    const stream = new EventSource(`/api/v1/${runPath(run.run, 'output', 'follow')}${query(values)}`);
    const on = (name: string, take: (data: unknown) => void): void =>
      stream.addEventListener(name, (message) => take(JSON.parse(String(message.data))));
    on('attempt', (data) => draw({ worker: (data as { worker: string }).worker }));
    on('output', (data) => {
      const piece = data as Piece;
      if (text.lines.length === 0 && piece.offset > 0) draw({ skippedBytes: piece.offset });
      text.take(piece.stream, bytesOf(piece));
      draw({});
    });
    on('end', () => end({}));
    on('problem', (data) => end({ problem: asProblem(toProblem(data)) }));
    stream.onerror = () => {
      // Otherwise the browser tries again by itself.
      if (stream.readyState !== EventSource.CLOSED) return;
      send(`${runPath(run.run, 'output')}${query({ attempt: shown, limit: 1 })}`).then(
        () => end({}),
        (error: unknown) => end({ problem: asProblem(error) }),
      );
    };
    return () => {
      window.clearTimeout(retry);
      window.cancelAnimationFrame(frame);
      stream.close();
    };
  }, [run.run, shown, hasBegun, isOver, tries]);
  return state;
}

function bytesOf({ text, base64 }: Piece): Uint8Array {
  if (base64 === undefined) return new TextEncoder().encode(text ?? '');
  return Uint8Array.from(window.atob(base64), (character) => character.charCodeAt(0));
}

function toProblem(data: unknown): Error {
  const { detail } = data as { detail?: string };
  return new Error(detail ?? 'The output could not be read.');
}
