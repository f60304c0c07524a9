/** `etcron logs` against real APIs of workers, on an etcd in memory. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HttpClient } from '../../src/api/remote/http-client.js';
import { RemoteStore } from '../../src/api/remote/remote-store.js';
import { systemClock } from '../../src/clock.js';
import type { Store } from '../../src/etcd/store.js';
import { StoreError } from '../../src/etcd/store-error.js';
import type { CliCluster, CliEnvironment } from '../../src/cli/environment.js';
import { runCli } from '../../src/cli/program.js';
import { TerminalFilter } from '../../src/cli/runs/terminal-filter.js';
import { OutputCluster, RUN, type ApiWorker } from '../api/output/support.js';
import { waitUntil } from '../support/wait.js';

let cluster: OutputCluster;
let one: ApiWorker;

beforeEach(async () => {
  cluster = new OutputCluster();
  one = await cluster.start('w-1');
});
afterEach(() => cluster.close());

const onEtcd = (): CliCluster => ({ store: cluster.etcd.connect(), keys: cluster.keys });

function start(args: string[], isTTY = false, connect = onEtcd) {
  const chunks: Buffer[] = [];
  let stderr = '';
  let interrupt = (): void => undefined;
  const environment: CliEnvironment = {
    stdin: { [Symbol.asyncIterator]: () => [][Symbol.iterator]() as never },
    stdout: { write: (text) => void chunks.push(Buffer.from(text as string)), isTTY },
    stderr: { write: (text) => (stderr += String(text)) },
    ...{ env: {}, clock: systemClock },
    onInterrupt: (listener) => {
      interrupt = listener;
      return () => undefined;
    },
    connect: () => Promise.resolve(connect()),
  };
  const code = runCli(['logs', ...args], environment);
  const bytes = (): Buffer => Buffer.concat(chunks);
  return { code, bytes, text: () => bytes().toString(), stderr: () => stderr, interrupt: () => interrupt() };
}

async function run(args: string[], isTTY = false) {
  const started = start([...args, RUN], isTTY);
  const code = await started.code;
  return { code, bytes: started.bytes(), text: started.text(), stderr: started.stderr() };
}

async function wrote(
  pieces: readonly (readonly ['stdout' | 'stderr', string | Buffer])[],
  attempt = 1,
): Promise<void> {
  const file = cluster.output(one, attempt);
  for (const [stream, data] of pieces) file.write(stream, Buffer.from(data as string));
  file.end();
  await file.closed;
}

describe('the output of a run', () => {
  it('is shown whole, both streams in order or one alone, of any attempt', async () => {
    await wrote([['stdout', 'first\n']], 1);
    await wrote(
      [
        ['stdout', 'a\n'],
        ['stderr', 'oh\n'],
        ['stdout', 'b\n'],
      ],
      2,
    );
    await cluster.ended(one, { attempts: 2 });
    expect(await run([])).toMatchObject({ code: 0, text: 'a\noh\nb\n', stderr: '' });
    expect((await run(['--stream', 'stderr'])).text).toBe('oh\n');
    expect((await run(['--attempt', '1'])).text).toBe('first\n');
    expect((await run(['--attempt', '3'])).stderr).toContain('there is no attempt 3');
  });

  it('goes into a file byte for byte, and to a terminal without what would harm it', async () => {
    const bytes = Buffer.from('\u001b[31mred\u001b[0m \u001b]0;title\u0007\u001b[2Jäöü\u0000\n');
    await wrote([
      ['stdout', bytes.subarray(0, 15)],
      ['stdout', bytes.subarray(15)],
      ['stdout', Buffer.from([0xff, 0x0a])],
    ]);
    await cluster.ended(one);
    expect((await run([])).bytes).toEqual(Buffer.concat([bytes, Buffer.from([0xff, 0x0a])]));
    expect((await run([], true)).text).toBe('\u001b[31mred\u001b[0m äöü\ufffd\n\ufffd\n\u001b[0m');
  });

  it('is shown from the last lines on', async () => {
    await wrote([
      ['stdout', 'a\nb'],
      ['stderr', 'c\n'],
      ['stdout', 'd\ne'],
    ]);
    await cluster.ended(one);
    expect((await run(['--tail', '2'])).text).toBe('d\ne');
    expect((await run(['-n', '3'])).text).toBe('bc\nd\ne');
    expect((await run(['-n', '100'])).text).toBe('a\nbc\nd\ne');
    expect((await run(['-n', '0'])).text).toBe('');
  });

  it('has the time of each line, when that is asked for', async () => {
    await wrote([
      ['stdout', 'begun '],
      ['stderr', 'whole\n'],
      ['stdout', 'ended\nno end'],
    ]);
    await cluster.ended(one);
    const { text } = await run(['-t']);
    expect(text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, 'TIME')).toBe(
      'TIME whole\nTIME begun ended\nTIME no end\n',
    );
  });

  it('is JSON, a line for each piece, with --json', async () => {
    await wrote([['stdout', 'a\n']]);
    await cluster.ended(one);
    const lines = (await run(['--json'])).text.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { stream: 'stdout', offset: 0, text: 'a\n' },
      { offset: 2, end: true, complete: true },
    ]);
  });

  it('of a worker that is gone is the end that the record keeps, and is said to be', async () => {
    const tail = { text: 'the end\n', truncated: true, totalBytes: 90_000 };
    await cluster.ended(one, { stdout: tail });
    await one.stop();
    const { code, text, stderr } = await run([]);
    expect(code).toBe(1);
    expect(text).toContain('the end\n');
    expect(stderr).toContain('the worker w-1');
    expect(stderr).toContain('is gone; this is the end, of 87.9 KiB in all its record keeps');
    expect((await run(['--stream', 'stderr'])).stderr).toContain('is gone');
  });
});

it('shows the end that the record keeps to an etcd user who may not read the secret of the workers', async () => {
  await wrote([['stdout', 'all of it\n']]);
  await cluster.ended(one, { stdout: { text: 'of it\n', truncated: true, totalBytes: 10 } });
  const refuse = (): Promise<never> =>
    Promise.reject(
      new StoreError('ETCRON_ETCD_AUTH', 'etcd refused it', { maybeApplied: false, transient: false }),
    );
  const asViewer = (): CliCluster => {
    const { store, keys } = onEtcd();
    const read: Store['range'] = (...args) => store.range(...args);
    return {
      store: { range: read, txn: refuse, close: () => store.close() } as Partial<Store> as Store,
      keys,
    };
  };
  const refused = start([RUN], false, asViewer);
  expect(await refused.code).toBe(1);
  expect(refused.text()).toContain('of it\n');
  expect(refused.stderr()).toContain('etcd refused it; this is the end');
  expect(refused.stderr()).toContain('--server');
});

describe('a run that is followed', () => {
  it('is shown as it writes, from its beginning, though it had not begun, to its end', async () => {
    await cluster.running({ nodeId: one.nodeId }, 0);
    const followed = start(['-f', RUN]);
    await cluster.running(one);
    const file = cluster.output(one);
    for (const text of ['one\n', 'two\n']) {
      file.write('stdout', Buffer.from(text));
      await waitUntil(() => followed.text().endsWith(text), { what: text });
    }
    file.end();
    expect(await followed.code).toBe(0);
    expect(followed.text()).toBe('one\ntwo\n');
  });

  it('goes on behind the last lines', async () => {
    await cluster.running(one);
    const file = cluster.output(one);
    file.write('stdout', Buffer.from('a\nb\nc\n'));
    await waitUntil(async () => (await run([])).text === 'a\nb\nc\n', { what: 'the output' });
    const followed = start(['-f', '-n', '1', RUN]);
    await waitUntil(() => followed.text() === 'c\n', { what: 'the last line' });
    file.write('stdout', Buffer.from('d\n'));
    file.end();
    expect(await followed.code).toBe(0);
    expect(followed.text()).toBe('c\nd\n');
  });

  it('is let go by Ctrl-C', async () => {
    await cluster.running(one);
    const followed = start(['-f', RUN]);
    await waitUntil(() => one.streams() === 1, { what: 'the request' });
    followed.interrupt();
    expect(await followed.code).toBe(0);
    await waitUntil(() => one.streams() === 0, { what: 'the request to end' });
  });
});

it('comes through a server where there is no way to etcd', async () => {
  const two = await cluster.start('w-2');
  await cluster.running(one);
  const client = new HttpClient({ url: new URL(two.url), token: null, ca: null });
  const store = new RemoteStore(client, systemClock);
  const connect = (): CliCluster => ({ store, keys: cluster.keys, isAudited: true });
  const followed = start(['-f', RUN], false, connect);
  const file = cluster.output(one);
  file.write('stdout', Buffer.from('one\n'));
  await waitUntil(() => followed.text() === 'one\n', { what: 'the first line' });
  file.write('stderr', Buffer.from('two\n'));
  file.end();
  expect(await followed.code).toBe(0);
  expect(followed.text()).toBe('one\ntwo\n');
  await cluster.ended(one);
  const last = start(['-n', '1', RUN], false, connect);
  expect(await last.code).toBe(0);
  expect(last.text()).toBe('two\n');
});

describe('a terminal', () => {
  const ESC = '\u001b';
  const filtered = (text: string, colours = true): string => {
    const whole = new TerminalFilter(colours);
    const once = whole.next(Buffer.from(text)) + whole.end();
    const piecewise = new TerminalFilter(colours);
    let pieces = '';
    for (const byte of Buffer.from(text)) pieces += piecewise.next(Buffer.from([byte]));
    expect(pieces + piecewise.end()).toBe(once);
    return once;
  };

  it.each([
    ['plain text\twith\ttabs\r\n', 'plain text\twith\ttabs\r\n'],
    [`${ESC}[1;31mred${ESC}[m`, `${ESC}[1;31mred${ESC}[m${ESC}[0m`],
    [`a${ESC}[2J${ESC}[Hb${ESC}[6n${ESC}c`, 'ab'],
    [`a${ESC}]0;title\u0007b${ESC}]52;c;ZXZpbA==${ESC}\\c${ESC}P$q"p${ESC}\\d`, 'abcd'],
    [`a${ESC}[?1049hb${ESC}(0c${ESC}=d`, 'abcd'],
    ['a\u0007\u0008\u009b31mb', 'a\ufffd\ufffd\ufffd31mb'],
    [`a${ESC}`, 'a\ufffd'],
    [`a${ESC}[31`, 'a\ufffd[31'],
    ['äö€😀', 'äö€😀'],
  ])('%j is shown as %j', (text, shown) => expect(filtered(text)).toBe(shown));

  it('gets no colours where none are wanted', () =>
    expect(filtered(`${ESC}[31mred${ESC}[0m`, false)).toBe('red'));
});
