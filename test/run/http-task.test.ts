import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { HttpTask } from '../../src/jobs/index.js';
import { makePrepareTask, type RunningTask, type RunRequest } from '../../src/run/executor.js';
import { OUTPUT_TAIL_BYTES } from '../../src/run/output-tail.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import { certificates } from '../support/certificates.js';
import { HandClock, IDENTITY, TIMEOUT_MS, until } from './support.js';

interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

type Answer = (received: Received, response: ServerResponse) => void;

const servers: Server[] = [];
const sockets = new Set<Socket>();
let clock = new HandClock();

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  clock = new HandClock();
});

async function listen(server: Server): Promise<number> {
  server.on('connection', (socket: Socket) => sockets.add(socket));
  servers.push(server.listen(0, '127.0.0.1'));
  await until(() => server.listening);
  return (server.address() as AddressInfo).port;
}

async function serve(answer: Answer): Promise<{ url: string; received: Received[] }> {
  const received: Received[] = [];
  const server = createHttpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const one = { method, url, headers, body: Buffer.concat(chunks).toString() };
      received.push(one);
      answer(one, response);
    });
  });
  return { url: `http://127.0.0.1:${await listen(server)}`, received };
}

function start(task: Partial<HttpTask> & { url: string }, options: Partial<RunRequest> = {}): RunningTask {
  const request: RunRequest = {
    task: { kind: 'http', method: 'GET', headers: {}, body: null, expectStatus: ['2xx'], ...task },
    ...{ secrets: {}, timezone: 'Europe/Berlin', previousDueMs: () => null, timeoutMs: null },
    ...{ identity: IDENTITY, killGraceMs: 1000, ...options },
  };
  return makePrepareTask()(request, { clock, log: silentLogger() }).start();
}

const reasonOf = async (running: RunningTask): Promise<string> => {
  const { ending } = await running.result;
  return ending.kind === 'failed' ? ending.reason : ending.kind;
};

describe('a request', () => {
  it('says which run it is and tells of the answer', async () => {
    const { url, received } = await serve((_, response) => {
      response.writeHead(200, { 'Content-Type': 'text/plain', 'X-Other': 'no', Date: 'now' }).end('fine\n');
    });
    const running = start({ url: `${url}/path` });
    expect([running.pid, running.processGroupId]).toEqual([null, null]);
    const result = await running.result;
    expect(result).toMatchObject({ ending: { kind: 'completed' }, leftovers: 0 });
    expect(result.stdout).toEqual({ text: 'fine\n', truncated: false, totalBytes: 5 });
    expect(result.stderr.text).toBe('HTTP/1.1 200 OK\ncontent-type: text/plain\ndate: now\n');
    expect(received).toMatchObject([{ method: 'GET', url: '/path', body: '' }]);
    expect(received[0]!.headers).toMatchObject({
      'etcron-job': 'backup',
      'etcron-due': '2026-11-21T14:00:00.000Z',
      'etcron-run-id': IDENTITY.runId,
      'etcron-attempt': '2',
      'etcron-fencing-token': '4711',
      'idempotency-key': IDENTITY.runId,
      'user-agent': 'etcron',
    });
  });

  it('has the method, headers and body of the job, with templates', async () => {
    const { url, received } = await serve((_, response) => response.writeHead(204).end());
    const headers = {
      'Content-Type': 'application/json',
      'idempotency-key': '{{ job }}',
      'User-Agent': 'mine',
    };
    const body = '{"day":"{{ due | yyyy-MM-dd }}","é":{{ attempt }}}';
    const task = { url: `${url}/{{ runId }}?at={{ due | HH:mm }}`, method: 'POST', headers, body };
    const identity = { ...IDENTITY, everywhere: { index: 0, count: 3 } };
    expect((await start(task, { identity }).result).ending).toEqual({ kind: 'completed' });
    expect(received[0]!.headers).toMatchObject({ 'etcron-index': '0', 'etcron-count': '3' });
    expect(received).toMatchObject([
      {
        method: 'POST',
        url: '/backup%2F2026-11-21T14%3A00%3A00.000Z?at=15%3A00',
        headers: { 'content-type': 'application/json', 'idempotency-key': 'backup', 'user-agent': 'mine' },
        body: '{"day":"2026-11-21","é":2}',
      },
    ]);
    expect(received[0]!.headers['content-length']).toBe(String(Buffer.byteLength(received[0]!.body)));
  });

  it('may hold secrets, which nobody else gets to see', async () => {
    process.env.TEST_HTTP_TOKEN = 'hunter22/&"';
    const { url, received } = await serve(({ headers, body, url: path }, response) => {
      response.writeHead(500, { Server: `knows ${String(headers['x-token'])}` }).write(`${body.slice(0, 5)}`);
      response.end(`${body.slice(5)} ${path} ${headers.authorization}`);
    });
    const secrets = { TOKEN: { env: 'TEST_HTTP_TOKEN' } };
    const login = url.replace('//', '//user:{{ secrets.TOKEN }}@');
    const task = {
      ...{ url: `${login}/?q={{ secrets.TOKEN }}`, method: 'PUT', body: 't={{ secrets.TOKEN }}' },
      headers: { 'X-Token': '{{ secrets.TOKEN }}' },
    };
    const { stdout, stderr } = await start(task, { secrets }).result;
    const basic = Buffer.from('user:hunter22/&"').toString('base64');
    expect(received[0]).toMatchObject({
      url: '/?q=hunter22%2F%26%22',
      headers: { 'x-token': 'hunter22/&"', authorization: `Basic ${basic}` },
      body: 't=hunter22/&"',
    });
    expect(stdout.text).toBe('t=*** /?q=*** Basic ***');
    expect(stderr.text).toContain('server: knows ***');
    const missing = await start(task, { secrets: { TOKEN: { env: 'NO_SUCH_VARIABLE' } } }).result;
    expect(missing.ending).toMatchObject({
      kind: 'start-failed',
      message: 'the secret TOKEN cannot be read: this worker has no variable NO_SUCH_VARIABLE',
    });
    process.env.TEST_HTTP_TOKEN = 'hunter22\nX-Admin: yes';
    const split = await start({ url, headers: { 'X-Token': '{{ secrets.TOKEN }}' } }, { secrets }).result;
    expect(split.ending).toMatchObject({
      kind: 'start-failed',
      message: /^the header X-Token holds a line break/,
    });
    expect(received).toHaveLength(1);
    delete process.env.TEST_HTTP_TOKEN;
  });
});

it('fails as a run, not as a worker, when a definition is none', async () => {
  for (const url of ['http://x/{{ nonsense }}', 'http://']) {
    expect((await start({ url }).result).ending.kind).toBe('start-failed');
  }
});

describe('an answer', () => {
  it('is judged by its status', async () => {
    const { url } = await serve(({ url: path }, response) =>
      response.writeHead(Number(path.slice(1))).end('x'),
    );
    expect(await reasonOf(start({ url: `${url}/503` }))).toBe('HTTP 503');
    expect(await reasonOf(start({ url: `${url}/404` }))).toBe('HTTP 404');
    expect(await reasonOf(start({ url: `${url}/404`, expectStatus: ['2xx', '404'] }))).toBe('completed');
    expect(await reasonOf(start({ url: `${url}/200`, expectStatus: ['204'] }))).toBe('HTTP 200');
    expect(await reasonOf(start({ url: `${url}/302`, expectStatus: ['3xx'] }))).toBe('completed');
  });

  it('may be long and any bytes; its end is kept', async () => {
    const { url } = await serve((_, response) => {
      response.write(Buffer.alloc(200_000, 0));
      response.end(Buffer.from([0xff, ...Buffer.from('end')]));
    });
    const { ending, stdout } = await start({ url }).result;
    expect(ending).toEqual({ kind: 'completed' });
    expect(stdout).toMatchObject({ truncated: true, totalBytes: 200_004 });
    expect(Buffer.byteLength(stdout.text)).toBeLessThanOrEqual(OUTPUT_TAIL_BYTES);
    expect(stdout.text.endsWith('\uFFFDend')).toBe(true);
  });

  it('may be a redirect, which is followed where that is harmless', async () => {
    const other = await serve((_, response) => response.end('other'));
    const { url, received } = await serve(({ url: path }, response) => {
      if (path === '/there') response.end('there');
      else if (path === '/round') response.writeHead(302, { Location: '/round' }).end();
      else if (path === '/away') response.writeHead(307, { Location: `${other.url}/x?secret=1` }).end();
      else response.writeHead(301, { Location: '/there' }).end('moved');
    });
    const followed = await start({ url, headers: { 'X-Key': 'k' } }).result;
    expect([followed.ending, followed.stdout.text]).toEqual([{ kind: 'completed' }, 'there']);
    expect(followed.stderr.text).toMatch(
      /^HTTP\/1.1 301 Moved Permanently\nlocation: \/there\nHTTP\/1.1 200 OK\n/,
    );
    expect(await reasonOf(start({ url: `${url}/round` }))).toBe(
      'HTTP 302: the redirect to /round is not followed (more than 5 redirects)',
    );
    expect(await reasonOf(start({ url: `${url}/away` }))).toBe(
      `HTTP 307: the redirect to ${other.url} is not followed (another host)`,
    );
    expect(await reasonOf(start({ url, method: 'POST' }))).toBe(
      'HTTP 301: the redirect to /there is not followed (a POST is not sent twice)',
    );
    expect(other.received).toEqual([]);
    expect(received.filter(({ url: path }) => path === '/round')).toHaveLength(6);
  });
});

describe('a request that gets no answer says why', () => {
  it.each([
    ['http://nothing.invalid/', /^the name "nothing.invalid" (is not known|could not be looked up)/],
    ['http://127.0.0.1:1/', /^connection refused by "127.0.0.1:1": nothing listens there$/],
  ])('%s', async (url, reason) => {
    expect(await reasonOf(start({ url }))).toMatch(reason);
  });

  it('when the server is no web server, or closes the connection', async () => {
    const noise = await listen(
      createTcpServer((socket) => socket.on('error', () => {}).end('hello\r\n\r\n')),
    );
    expect(await reasonOf(start({ url: `http://127.0.0.1:${noise}` }))).toMatch(
      /is not HTTP: should it be https/,
    );
    expect(await reasonOf(start({ url: `https://127.0.0.1:${noise}` }))).toMatch(
      /does not speak TLS as expected/,
    );
    const silent = await listen(
      createTcpServer((socket) => void socket.once('data', () => socket.destroy())),
    );
    expect(await reasonOf(start({ url: `http://127.0.0.1:${silent}` }))).toMatch(
      /was closed before the answer/,
    );
    const { url } = await serve((_, response) => {
      response.writeHead(200, { 'Content-Length': 100 }).write('half');
      setImmediate(() => response.destroy());
    });
    expect(await reasonOf(start({ url }))).toMatch(/was closed before the answer/);
  });

  it('when it does not trust the certificate', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'etcron-http-'));
    const { server } = await certificates(directory);
    const [cert, key] = [readFileSync(server.cert), readFileSync(server.key)];
    rmSync(directory, { recursive: true });
    const port = await listen(createTlsServer({ cert, key }, (_, response) => response.end()));
    expect(await reasonOf(start({ url: `https://127.0.0.1:${port}` }))).toMatch(
      /^this worker does not trust the issuer of the certificate of "127.0.0.1:\d+"/,
    );
  });
});

describe('a request that takes its time', () => {
  it('ends with its timeout, also in the middle of the answer', async () => {
    let closed = 0;
    const { url, received } = await serve(({ url: path }, response) => {
      response.once('close', () => (closed += 1));
      if (path === '/half') response.writeHead(200).write('half');
    });
    for (const path of ['/', '/half']) {
      const running = start({ url: url + path }, { timeoutMs: TIMEOUT_MS });
      await until(() => received.some((one) => one.url === path));
      clock.fire(TIMEOUT_MS);
      expect((await running.result).ending).toEqual({ kind: 'timed-out', exitCode: null, signal: null });
    }
    await until(() => closed === 2);
  });

  it('ends when it is killed, also before it was sent', async () => {
    const { url, received } = await serve(() => {});
    const running = start({ url });
    await until(() => received.length === 1);
    running.kill('kill-request');
    expect((await running.result).ending).toMatchObject({ kind: 'killed', reason: 'kill-request' });
    const early = start({ url });
    early.kill('shutdown', 0);
    expect((await early.result).ending).toMatchObject({ kind: 'killed', reason: 'shutdown' });
  });
});
