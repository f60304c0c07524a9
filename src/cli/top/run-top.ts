/** `etcron top`: on a terminal a screen that is drawn anew, elsewhere a line now and then. */
import pc from 'picocolors';
import { sleep } from '../../clock.js';
import { isoOrNull } from '../../time-text.js';
import type { CliContext } from '../context.js';
import type { Terminal } from '../environment.js';
import { topLine } from './top-line.js';
import { renderTop } from './render-top.js';
import { TopFeed } from './top-feed.js';
import type { TopModel } from './top-model.js';

export interface TopOptions {
  readonly once?: boolean;
}

const REDRAW_MS = 1_000;
/** While a window is dragged its size changes many times a second. */
const MIN_REDRAW_MS = 100;
const LINE_EVERY_MS = 5_000;
/** For output that nothing is scrolled out of. */
const ONCE_ROWS = 60;
const DEFAULT_COLUMNS = 100;
const KEYS = 'q: end';
const QUIT_KEYS = new Set(['q', 'Q', '\u0003', '\u0004']);

const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
/** A terminal that knows it shows what lies between the two at once; others leave it out. */
const BEGIN = '\u001b[?2026h\u001b[H';
const END = '\u001b[J\u001b[?2026l';

export async function runTop(context: CliContext, { once = false }: TopOptions): Promise<void> {
  const { environment, clock, options } = context;
  await context.withStore(async (cluster) => {
    const server = typeof options.server === 'string' ? options.server : environment.env.ETCRON_SERVER;
    const feed = new TopFeed(
      cluster,
      clock,
      cluster.requester === undefined ? cluster.keys.prefix : (server ?? ''),
    );
    await feed.start();
    try {
      const terminal = once || context.json ? null : (environment.terminal?.() ?? null);
      if (terminal !== null) await drawUntilQuit(context, feed, terminal);
      else if (once || context.json) showOnce(context, feed.model());
      else await writeLines(context, feed);
    } finally {
      await feed.stop();
    }
  });
}

function showOnce(context: CliContext, model: TopModel): void {
  const { out, environment, colors } = context;
  if (context.json) return out.json(toJson(model));
  const columns = environment.stdout.columns ?? DEFAULT_COLUMNS;
  for (const line of renderTop(model, { columns, rows: ONCE_ROWS, colors, keys: null })) out.line(line);
}

/** Until somebody asks for the end. */
async function drawUntilQuit(context: CliContext, feed: TopFeed, terminal: Terminal): Promise<void> {
  const { clock, environment } = context;
  const quit = new AbortController();
  const stop = (): void => quit.abort(new Error('asked to end'));
  const colors = pc.createColors(context.colors.isColorSupported);
  let drawnMs = -Infinity;
  const draw = (): void => {
    const { columns, rows } = terminal;
    const lines = renderTop(feed.model(), { columns, rows, colors, keys: KEYS });
    drawnMs = clock.monotonicMs();
    // Each line is cleared behind its end, not before it is written: nothing flickers.
    terminal.write(`${BEGIN}${lines.map((line) => `${line}\u001b[K`).join('\r\n')}${END}`);
  };
  let isResized = false;
  const endings = [
    terminal.onKey((key) => {
      if (QUIT_KEYS.has(key)) stop();
    }),
    terminal.onResize(() => {
      isResized = true;
    }),
    environment.onInterrupt?.(stop) ?? (() => undefined),
  ];
  terminal.write(ENTER);
  try {
    while (!quit.signal.aborted) {
      if (isResized || clock.monotonicMs() - drawnMs >= REDRAW_MS) {
        isResized = false;
        draw();
      }
      await sleep(clock, MIN_REDRAW_MS, quit.signal).catch(() => undefined);
    }
  } finally {
    for (const end of endings) end();
    terminal.write(LEAVE);
  }
}

async function writeLines({ clock, out, environment }: CliContext, feed: TopFeed): Promise<void> {
  const quit = new AbortController();
  const end = environment.onInterrupt?.(() => quit.abort(new Error('asked to end')));
  try {
    while (!quit.signal.aborted) {
      out.line(topLine(feed.model()));
      await sleep(clock, LINE_EVERY_MS, quit.signal).catch(() => undefined);
    }
  } finally {
    end?.();
  }
}

function toJson(model: TopModel): unknown {
  const { nowMs, leader, running, next, minutes, failures, source, isLive, ...rest } = model;
  return {
    ...{ at: isoOrNull(nowMs), source, live: isLive },
    leader: leader && { node: leader.nodeId, since: isoOrNull(leader.sinceMs) },
    ...rest,
    running: running.map(({ runId, sinceMs, ...one }) => ({ run: runId, ...one, since: isoOrNull(sinceMs) })),
    next: next.map(({ runId, dueMs }) => ({ run: runId, due: isoOrNull(dueMs) })),
    minutes: minutes.map(({ fromMs, ...one }) => ({ from: isoOrNull(fromMs), ...one })),
    failures: failures.map(({ runId, atMs, ...one }) => ({ run: runId, ...one, at: isoOrNull(atMs) })),
  };
}
