import { open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FrameReader, type Frame, type HeadFacts, type StreamBytes } from './frames.js';
import { attemptName, parsePartFile, partFile, placeOf } from './place.js';
import { MIN_PART_BYTES } from './settings.js';

/** An attempt of which something is kept. */
export interface StoredAttempt {
  readonly attempt: number;
  readonly fencingToken: string;
  readonly node: string | null;
  readonly startedAtMs: number;
  /** Null: it is still being written, or its worker did not get to its end. */
  readonly endedAtMs: number | null;
  /** When something was last written to it. */
  readonly writtenAtMs: number;
  /** How much it has written, kept or not. */
  readonly total: StreamBytes;
  /** How much of that is kept. */
  readonly keptBytes: number;
  /** Its files, in order. */
  readonly parts: readonly StoredPart[];
}

export interface StoredPart {
  readonly path: string;
  readonly number: number;
  /** So much of each stream came before it. */
  readonly from: StreamBytes;
}

/** A head is shorter. */
const HEAD_BYTES = 2_048;
const PART_END = /\.\d+\.log$/;
const READ_BYTES = 256 * 1024;

/**
 * What a worker's folder has of a run, or of `only` one attempt of it, by attempt. Empty where there is nothing; never rejects for
 * files that are broken.
 */
export async function listAttempts(
  folder: string,
  runId: string,
  only: number | null = null,
): Promise<StoredAttempt[]> {
  const place = placeOf(folder, runId);
  const files = place === null ? [] : await readdir(place.folder).catch(() => []);
  const found = new Map<string, { attempt: number; fencingToken: string; parts: number[] }>();
  for (const file of files) {
    const parsed = parsePartFile(file);
    if (parsed === null || parsed.name !== place?.name) continue;
    const { attempt, fencingToken, part } = parsed;
    if (only !== null && attempt !== only) continue;
    const key = `${attempt}-${fencingToken}`;
    const one = found.get(key) ?? { attempt, fencingToken, parts: [] };
    one.parts.push(part);
    found.set(key, one);
  }
  const attempts = await Promise.all(
    Array.from(found.values(), async ({ attempt, fencingToken, parts }) => {
      const name = attemptName(place!.name, { runId, attempt, fencingToken, nodeId: null });
      const paths = parts
        .sort((a, b) => a - b)
        .map((part) => ({ part, path: join(place!.folder, partFile(name, part)) }));
      return describe(runId, paths);
    }),
  );
  return attempts
    .filter((attempt) => attempt !== null)
    .sort((a, b) => a.attempt - b.attempt || Number(a.fencingToken) - Number(b.fencingToken));
}

/** The part after this one, once there is one: then this one is complete. */
export async function nextPart({ path, number }: StoredPart): Promise<StoredPart | null> {
  const base = path.replace(PART_END, '');
  const following = await readPart(`${base}.${number + 1}.log`, number + 1);
  if (following !== null) return following;
  // Those after the first part go while it stays, and later those after that one, and so on: then it is one further on.
  const size = (await stat(path).catch(() => null))?.size;
  if (size !== undefined && (number > 0 || size < MIN_PART_BYTES)) return null;
  const files = await readdir(dirname(path)).catch(() => []);
  const later = files.flatMap((file) => {
    const parsed = parsePartFile(file);
    const isOurs = parsed !== null && file.replace(PART_END, '') === basename(base);
    return isOurs && parsed.part > number ? [parsed.part] : [];
  });
  for (const one of later.sort((x, y) => x - y)) {
    const part = await readPart(`${base}.${one}.log`, one);
    if (part !== null) return part;
  }
  return null;
}

async function readPart(path: string, number: number): Promise<StoredPart | null> {
  const head = await readHead(path);
  return head && { path, number, from: head.from };
}

async function describe(
  runId: string,
  files: readonly { part: number; path: string }[],
): Promise<StoredAttempt | null> {
  const parts: StoredPart[] = [];
  let first: HeadFacts | null = null;
  let keptBytes = 0;
  let writtenAtMs = 0;
  for (const { part, path } of files) {
    const head = await readHead(path);
    const facts = await stat(path).catch(() => null);
    // Of another run, whose long name looks the same; or it was removed meanwhile.
    if (head === null || facts === null || head.run !== runId) continue;
    first ??= head;
    keptBytes += facts.size;
    writtenAtMs = Math.max(writtenAtMs, facts.mtimeMs);
    parts.push({ path, number: part, from: head.from });
  }
  const last = parts.at(-1);
  if (first === null || last === undefined) return null;
  const { total, endedAtMs } = await measure(last);
  return {
    ...{ attempt: first.attempt, fencingToken: first.fencingToken, node: first.node },
    ...{ startedAtMs: Date.parse(first.startedAt), endedAtMs, writtenAtMs, total, keptBytes, parts },
  };
}

async function readHead(path: string): Promise<HeadFacts | null> {
  const file = await open(path).catch(() => null);
  if (file === null) return null;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    const [frame] = new FrameReader().push(buffer.subarray(0, bytesRead));
    return frame?.kind === 'head' ? frame.facts : null;
  } catch {
    return null;
  } finally {
    await file.close().catch(() => undefined);
  }
}

/** What the last part says of the whole. */
async function measure(part: StoredPart): Promise<{ total: StreamBytes; endedAtMs: number | null }> {
  const total = { ...part.from };
  let endedAtMs: number | null = null;
  for await (const frame of framesIn(part.path)) {
    if (frame.kind === 'end') endedAtMs = frame.atMs;
    else if (frame.kind === 'gap') {
      total.stdout += frame.facts.stdout;
      total.stderr += frame.facts.stderr;
    } else if ('bytes' in frame) total[frame.kind] += frame.bytes.length;
  }
  return { total, endedAtMs };
}

/** Its frames up to where it ends now; the last one may be torn. */
async function* framesIn(path: string): AsyncGenerator<Frame> {
  const file = await open(path).catch(() => null);
  if (file === null) return;
  try {
    const reader = new FrameReader();
    for (let at = 0; ;) {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES, at);
      if (bytesRead === 0) break;
      at += bytesRead;
      yield* reader.push(buffer.subarray(0, bytesRead));
    }
    const rest = reader.rest();
    if (rest !== null) yield rest;
  } finally {
    await file.close().catch(() => undefined);
  }
}
