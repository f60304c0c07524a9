/** Output on a real disk: what was written comes back, whatever happens to the writer. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { AttemptFile } from '../../../src/run/output/attempt-file.js';
import type { StreamName } from '../../../src/run/output/frames.js';
import { readAttempt, type OutputEntry, type ReadOptions } from '../../../src/run/output/read-attempt.js';
import { listAttempts } from '../../../src/run/output/stored-attempts.js';
import { waitUntil } from '../../support/wait.js';

const RUN = 'backup/2026-11-21T14:00:00.000Z';
let folder: string;
let failures: unknown[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'etcron-output-'));
  failures = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function makeFile(
  overrides: { run?: string; attempt?: number; token?: string; limitBytes?: number; at?: string } = {},
) {
  const { run = RUN, attempt = 1, token = '7', limitBytes = 2 ** 20, at = folder } = overrides;
  return new AttemptFile({
    folder: at,
    attempt: { runId: run, attempt, fencingToken: token, nodeId: 'w-1-abcdef' },
    limitBytes,
    clock: systemClock,
    now: Date.now,
    onFailure: (error) => failures.push(error),
    onWritten: () => undefined,
  });
}

async function finish(file: AttemptFile): Promise<void> {
  file.end();
  await file.closed;
}

async function entries(options: Partial<ReadOptions> = {}, run = RUN, attempt: number | null = null) {
  const stored = (await listAttempts(folder, run, attempt)).at(-1) ?? null;
  if (stored === null) throw new Error('nothing is stored');
  const found: OutputEntry[] = [];
  const all: ReadOptions = { stream: 'both', offset: 0, limit: null, follow: null, ...options };
  for await (const entry of readAttempt(stored, all)) found.push(entry);
  return found;
}

const bytesOf = (found: readonly OutputEntry[], stream?: StreamName): Buffer =>
  Buffer.concat(
    found.flatMap((entry) =>
      entry.kind === 'output' && (stream === undefined || entry.stream === stream) ? [entry.bytes] : [],
    ),
  );

const filesOf = (): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.log'));

describe('the output of an attempt', () => {
  it('comes back byte for byte, both streams in the order in which they came', async () => {
    const piece = fc.record({
      stream: fc.constantFrom<StreamName>('stdout', 'stderr'),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 300 }),
      wait: fc.boolean(),
    });
    let token = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { minLength: 1, maxLength: 30 }),
        fc.nat(5_000),
        async (pieces, from) => {
          const file = makeFile({ token: String((token += 1)) });
          for (const { stream, bytes, wait } of pieces) {
            file.write(stream, bytes);
            if (wait) await new Promise(setImmediate);
          }
          await finish(file);
          const found = await entries();
          const whole = Buffer.concat(pieces.map(({ bytes }) => bytes));
          expect(bytesOf(found)).toEqual(whole);
          for (const stream of ['stdout', 'stderr'] as const) {
            const wanted = Buffer.concat(
              pieces.filter((one) => one.stream === stream).map(({ bytes }) => bytes),
            );
            expect(bytesOf(found, stream)).toEqual(wanted);
            expect(bytesOf(await entries({ stream }))).toEqual(wanted);
            expect(bytesOf(await entries({ stream, offset: from, limit: 100 }))).toEqual(
              wanted.subarray(from, from + 100),
            );
          }
          expect(bytesOf(await entries({ offset: from }))).toEqual(whole.subarray(from));
          if (from > 0) expect(bytesOf(await entries({ offset: -from }))).toEqual(whole.subarray(-from));
          expect(found.at(-1)).toEqual({ kind: 'end', offset: whole.length, complete: true });
        },
      ),
      { numRuns: 25 },
    );
  });

  it('is no file while there is none', async () => {
    await finish(makeFile());
    expect(filesOf()).toEqual([]);
    expect(await listAttempts(folder, RUN)).toEqual([]);
  });

  it('tells of itself: when, where, how much, and of each attempt', async () => {
    const first = makeFile({ attempt: 1, token: '100' });
    first.write('stderr', Buffer.from('no\n'));
    await finish(first);
    const second = makeFile({ attempt: 2, token: '99' });
    second.write('stdout', Buffer.from('yes\n'));
    await finish(second);
    const other = makeFile({ run: 'backup/2026-11-21T14:00:00.000Z+manual-1' });
    other.write('stdout', Buffer.from('other'));
    await finish(other);
    const attempts = await listAttempts(folder, RUN);
    expect(attempts).toMatchObject([
      { attempt: 1, fencingToken: '100', node: 'w-1-abcdef', total: { stdout: 0, stderr: 3 } },
      { attempt: 2, fencingToken: '99', total: { stdout: 4, stderr: 0 } },
    ]);
    for (const { startedAtMs, endedAtMs } of attempts) expect(endedAtMs).toBeGreaterThanOrEqual(startedAtMs);
    expect(bytesOf(await entries({}, RUN, 1)).toString()).toBe('no\n');
    expect(bytesOf(await entries({}, 'backup/2026-11-21T14:00:00.000Z+manual-1')).toString()).toBe('other');
  });

  it('keeps the beginning and the end of what is too long, and says how much is missing where', async () => {
    const limitBytes = 8 * 256 * 1024;
    const file = makeFile({ limitBytes });
    const line = (index: number): Buffer => Buffer.from(`${String(index).padStart(9, '0')}\n`);
    const blocks = Array.from({ length: 800 }, (_, block) =>
      Buffer.concat(Array.from({ length: 1_000 }, (_, index) => line(block * 1_000 + index))),
    );
    for (const block of blocks) {
      file.write('stdout', block);
      while (file.isFull) await file.room();
    }
    await finish(file);
    const whole = Buffer.concat(blocks);
    const [{ total, keptBytes, parts }] = (await listAttempts(folder, RUN)) as [
      Awaited<ReturnType<typeof listAttempts>>[0],
    ];
    expect(total.stdout).toBe(whole.length);
    expect(parts.length).toBe(8);
    // A part ends with the write that fills it.
    expect(keptBytes).toBeLessThan(8 * (256 + 300) * 1024);
    const found = await entries();
    const gaps = found.filter((entry) => entry.kind === 'gap');
    expect(gaps.length).toBe(1);
    let at = 0;
    for (const entry of found) {
      expect(entry.offset).toBe(at);
      if (entry.kind === 'output')
        expect(entry.bytes.equals(whole.subarray(at, at + entry.bytes.length))).toBe(true);
      at += entry.kind === 'output' ? entry.bytes.length : entry.kind === 'gap' ? entry.bytes : 0;
    }
    expect(at).toBe(whole.length);
    expect(bytesOf(await entries({ offset: -10 })).toString()).toBe('000799999\n');
    expect((await entries({ offset: gaps[0]!.offset + 5, limit: 10 })).map(({ kind }) => kind)).toEqual([
      'gap',
      'output',
    ]);
  });

  it('can be read up to any byte at which its writer was killed', async () => {
    const file = makeFile();
    file.write('stdout', Buffer.from('one'));
    file.write('stderr', Buffer.from('two'));
    file.write('stdout', Buffer.from('three'));
    await finish(file);
    const [name] = filesOf() as [string];
    const path = join(folder, name);
    const { length } = readFileSync(path);
    let longest = '';
    for (let size = length; size >= 0; size -= 1) {
      truncateSync(path, size);
      const attempts = await listAttempts(folder, RUN);
      if (attempts.length === 0) continue;
      const found = await entries();
      const text = bytesOf(found).toString();
      if (size === length) longest = text;
      expect(longest.startsWith(text)).toBe(true);
      expect(found.at(-1)).toEqual({ kind: 'end', offset: text.length, complete: size === length });
    }
    expect(longest).toBe('onetwothree');
    expect(await listAttempts(folder, RUN)).toEqual([]);
  });

  it('is readable as far as it can be understood, where somebody wrote into it', async () => {
    const file = makeFile();
    file.write('stdout', Buffer.from('good'));
    await finish(file);
    const path = join(folder, filesOf()[0]!);
    writeFileSync(path, 'nonsense that goes on and on without any sense at all\n', { flag: 'a' });
    expect(bytesOf(await entries()).toString()).toBe('good');
    writeFileSync(path, 'nothing');
    expect(await listAttempts(folder, RUN)).toEqual([]);
  });

  it.each(['odd+manual-../../../etc/passwd', `odd+${'ä'.repeat(150)}`, 'odd+manual-\u0000\n'])(
    'lies in its folder whatever its run is called',
    async (text) => {
      const run = text.replace('odd', 'odd/2026-11-21T14:00:00.000Z');
      const file = makeFile({ run });
      file.write('stdout', Buffer.from('x'));
      await finish(file);
      expect(failures).toEqual([]);
      expect(filesOf().map((name) => name.split('/').slice(0, -1).join('/'))).toEqual(['odd/2026-11-21']);
      expect(bytesOf(await entries({}, run)).toString()).toBe('x');
    },
  );

  it('is for the user of the worker alone', async () => {
    const file = makeFile();
    file.write('stdout', Buffer.from('x'));
    await finish(file);
    const { statSync } = await import('node:fs');
    expect(statSync(join(folder, filesOf()[0]!)).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'backup')).mode & 0o777).toBe(0o700);
  });
});

describe('an output that cannot be written', () => {
  it('costs nothing but its bytes, which are counted', async () => {
    const at = join(folder, 'blocked');
    writeFileSync(at, 'a file where the folder should be');
    const file = makeFile({ at });
    for (let index = 0; index < 100; index += 1) {
      file.write('stdout', Buffer.alloc(64 * 1024));
      while (file.isFull) await file.room();
    }
    expect(failures.length).toBe(1);
    rmSync(at);
    mkdirSync(at);
    file.write('stdout', Buffer.from('too early to try again'));
    await finish(file);
    const [stored] = await listAttempts(at, RUN);
    expect(stored).toMatchObject({ total: { stdout: 100 * 64 * 1024 + 22, stderr: 0 } });
    const found: OutputEntry[] = [];
    for await (const entry of readAttempt(stored!, { stream: 'both', offset: 0, limit: null, follow: null }))
      found.push(entry);
    expect(found).toEqual([
      { kind: 'gap', offset: 0, bytes: stored!.total.stdout },
      { kind: 'end', offset: stored!.total.stdout, complete: true },
    ]);
  });

  it('ends also where it never could', async () => {
    chmodSync(folder, 0o700);
    const at = join(folder, 'blocked');
    writeFileSync(at, '');
    const file = makeFile({ at });
    file.write('stdout', Buffer.from('x'));
    await finish(file);
    expect(failures.length).toBe(2);
  });

  it('takes bounded memory from a writer that does not wait, and says what it left out', async () => {
    const file = makeFile({ limitBytes: 2 ** 26 });
    const pieces = Array.from({ length: 400 }, (_, index) => Buffer.alloc(64 * 1024, index));
    for (const piece of pieces) file.write('stdout', piece);
    file.write('stderr', Buffer.from('end'));
    await finish(file);
    const found = await entries();
    const kept = bytesOf(found, 'stdout').length;
    const missing = found.reduce((sum, entry) => sum + (entry.kind === 'gap' ? entry.bytes : 0), 0);
    expect(kept).toBeGreaterThan(2 ** 20);
    expect(kept).toBeLessThan(2 ** 22);
    expect(kept + missing + 3).toBe(400 * 64 * 1024 + 3);
  });
});

describe('an output that is followed', () => {
  const signal = new AbortController().signal;

  it('comes while it is written, over its parts, and ends with it', async () => {
    const file = makeFile({ limitBytes: 1 });
    const block = Buffer.alloc(50_000, 'x');
    file.write('stdout', block);
    await waitUntil(() => filesOf().length > 0, { what: 'a file' });
    const found: OutputEntry[] = [];
    const stored = await waitUntil(async () => (await listAttempts(folder, RUN))[0], {
      what: 'a file with a head',
    });
    const follow = { clock: systemClock, isOver: () => Promise.resolve(false), signal };
    const reading = (async () => {
      for await (const entry of readAttempt(stored, { stream: 'stdout', offset: 0, limit: null, follow }))
        found.push(entry);
    })();
    for (let count = 2; count <= 6; count += 1) {
      await waitUntil(() => bytesOf(found).length === (count - 1) * block.length, {
        what: 'what was written',
      });
      file.write('stdout', block);
    }
    await finish(file);
    await reading;
    expect(bytesOf(found).length).toBe(6 * block.length);
    expect(found.at(-1)).toEqual({ kind: 'end', offset: 6 * block.length, complete: true });
    expect(filesOf().length).toBeGreaterThan(2);
  });

  it('ends when nobody writes any more, with all that is there', async () => {
    const file = makeFile();
    file.write('stdout', Buffer.from('begun'));
    await waitUntil(async () => (await listAttempts(folder, RUN))[0]?.total.stdout === 5, {
      what: 'the file',
    });
    const follow = { clock: systemClock, isOver: () => Promise.resolve(true), signal };
    const found = await entries({ follow });
    expect(bytesOf(found).toString()).toBe('begun');
    expect(found.at(-1)).toEqual({ kind: 'end', offset: 5, complete: false });
    await finish(file);
  });

  it('is let go when nobody listens any more', async () => {
    const file = makeFile();
    file.write('stdout', Buffer.from('x'));
    await waitUntil(async () => (await listAttempts(folder, RUN))[0], { what: 'a file with a head' });
    const leave = new AbortController();
    const follow = { clock: systemClock, isOver: () => Promise.resolve(false), signal: leave.signal };
    const reading = entries({ follow });
    leave.abort(new Error('gone'));
    await expect(reading).rejects.toThrow('gone');
    await finish(file);
  });
});
