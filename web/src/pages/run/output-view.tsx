/** Lines of output: searched, followed, with colours; drawn only where they are looked at. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { plural } from '../../format/words.js';
import type { Line } from './output-text.js';

const LINE_HEIGHT = 20;
const SPARE_LINES = 20;
/** As in the style sheet. */
const MAX_HEIGHT_PX = 560;
/** Nearer to the end than this counts as being there. */
const END_PX = 30;

export function OutputView({
  lines,
  dropped,
  isLive,
  note,
}: {
  lines: readonly Line[];
  dropped: number;
  /** More may come. */
  isLive: boolean;
  note: string | null;
}) {
  const [search, setSearch] = useState('');
  const [stream, setStream] = useState<'both' | 'stdout' | 'stderr'>('both');
  const [isFollowing, setFollowing] = useState(true);
  const [onlyFound, setOnlyFound] = useState(false);
  const [found, setFound] = useState(0);
  const wanted = search.toLowerCase();
  const ofStream = stream === 'both' ? lines : lines.filter((line) => line.stream === stream);
  const matches =
    wanted === ''
      ? []
      : ofStream.flatMap((line, index) => (line.text.toLowerCase().includes(wanted) ? [index] : []));
  const shown = onlyFound && wanted !== '' ? matches.map((index) => ofStream[index]!) : ofStream;
  const current = matches.length === 0 ? null : matches[found % matches.length]!;
  const hasStderr = lines.some((line) => line.stream === 'stderr');
  const hasStdout = lines.some((line) => line.stream === 'stdout');

  return (
    <div class="output">
      <div class="output-bar">
        <input
          class="input output-search"
          type="search"
          value={search}
          placeholder="Search the output"
          aria-label="Search the output"
          onInput={(event) => {
            setSearch(event.currentTarget.value);
            setFound(0);
            setFollowing(false);
          }}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || matches.length === 0) return;
            event.preventDefault();
            setFound((found + (event.shiftKey ? matches.length - 1 : 1)) % matches.length);
          }}
        />
        {wanted !== '' && (
          <>
            <span class="muted nowrap" role="status">
              {matches.length === 0 ? 'not found' : `${(found % matches.length) + 1} of ${matches.length}`}
            </span>
            <label class="check">
              <input
                type="checkbox"
                checked={onlyFound}
                onChange={(event) => setOnlyFound(event.currentTarget.checked)}
              />
              only these lines
            </label>
          </>
        )}
        <span class="output-spring" />
        {hasStderr && hasStdout && (
          <select
            class="input"
            value={stream}
            aria-label="Stream"
            onChange={(event) => setStream(event.currentTarget.value as 'both' | 'stdout' | 'stderr')}
          >
            <option value="both">both streams</option>
            <option value="stdout">stdout</option>
            <option value="stderr">stderr</option>
          </select>
        )}
        <label class="check">
          <input
            type="checkbox"
            checked={isFollowing}
            onChange={(event) => setFollowing(event.currentTarget.checked)}
          />
          follow
        </label>
      </div>
      {(note !== null || dropped > 0) && (
        <p class="output-note muted small">
          {note} {dropped > 0 && `${plural(dropped, 'earlier line')} not kept in the browser.`}
        </p>
      )}
      <Lines
        lines={shown}
        wanted={wanted}
        current={onlyFound ? null : current}
        isFollowing={isFollowing && wanted === ''}
        onFollow={setFollowing}
        isLive={isLive}
      />
    </div>
  );
}

function Lines({
  lines,
  wanted,
  current,
  isFollowing,
  onFollow,
  isLive,
}: {
  lines: readonly Line[];
  wanted: string;
  current: number | null;
  isFollowing: boolean;
  onFollow: (isFollowing: boolean) => void;
  isLive: boolean;
}) {
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const lastTop = useRef(0);
  const first = Math.max(0, Math.floor(top / LINE_HEIGHT) - SPARE_LINES);
  const end = Math.min(lines.length, Math.ceil((top + MAX_HEIGHT_PX) / LINE_HEIGHT) + SPARE_LINES);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element || !isFollowing) return;
    element.scrollTop = element.scrollHeight;
    lastTop.current = element.scrollTop;
    setTop(element.scrollTop);
  }, [lines, lines.length, isFollowing]);

  useEffect(() => {
    const element = box.current;
    if (!element || current === null) return;
    element.scrollTop = Math.max(0, current * LINE_HEIGHT - element.clientHeight / 2);
    lastTop.current = element.scrollTop;
    setTop(element.scrollTop);
  }, [current]);

  return (
    <div
      ref={box}
      class="output-lines mono"
      tabIndex={0}
      role="log"
      aria-label="Output"
      aria-live="off"
      onScroll={(event) => {
        const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
        setTop(scrollTop);
        // Only a person scrolls back; what is written meanwhile moves nothing.
        const isBack = scrollTop < lastTop.current - 1;
        lastTop.current = scrollTop;
        if (scrollHeight - scrollTop - clientHeight < END_PX) onFollow(true);
        else if (isBack) onFollow(false);
      }}
    >
      {lines.length === 0 && (
        <p class="muted output-empty">{isLive ? 'Nothing has been written yet.' : 'Nothing was written.'}</p>
      )}
      <div class="output-space" style={{ height: `${lines.length * LINE_HEIGHT}px` }}>
        <div style={{ transform: `translateY(${first * LINE_HEIGHT}px)` }}>
          {lines.slice(first, end).map((line, index) => (
            <div
              key={line.id}
              class={`output-line is-${line.stream} ${
                wanted !== '' && line.text.toLowerCase().includes(wanted) ? 'is-found' : ''
              } ${first + index === current ? 'is-current' : ''}`}
              dangerouslySetInnerHTML={{ __html: line.html === '' ? ' ' : line.html }}
            />
          ))}
        </div>
      </div>
    </div>
  );
}
