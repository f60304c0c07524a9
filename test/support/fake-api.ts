/**
 * A stand-in for the API, for tests of the page: it serves the built page and answers from data that a test makes up,
 * however absurd. Every answer is checked by the schemas of the real API, so that it cannot drift away from it.
 */
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import type { z } from 'zod';
import * as access from '../../src/api/schemas/access.js';
import * as cluster from '../../src/api/schemas/cluster.js';
import * as jobs from '../../src/api/schemas/jobs.js';
import * as output from '../../src/api/schemas/output.js';
import * as runs from '../../src/api/schemas/runs.js';
import { dashboardPlugin } from '../../src/dashboard/dashboard-plugin.js';

export type JobData = z.output<typeof jobs.jobDetails>;
export type RunData = z.output<typeof runs.runDetails>;
export type WorkerData = z.output<typeof cluster.worker>;
export type SessionData = z.output<typeof access.session>;

/** What the fake answers from; a test changes it as it likes. */
export interface FakeData {
  nowMs: number;
  session: SessionData | null;
  /** What logs in. */
  token: string;
  jobs: JobData[];
  runs: RunData[];
  workers: WorkerData[];
  problems: string[];
  limits: z.output<typeof cluster.limitList>['limits'];
  audit: z.output<typeof access.auditRecord>[];
  tokens: z.output<typeof access.token>[];
  history: z.output<typeof jobs.jobHistory>['days'];
}

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

const HOUR_MS = 3_600_000;

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

export class FakeApi {
  readonly data: FakeData;
  /** Requests that are no reads. */
  readonly changes: Asked[] = [];
  /** By the beginning of `METHOD path`: what is answered instead. */
  readonly refusals = new Map<string, { status: number; code: string; detail: string; hint?: string }>();
  /** Since when it does not follow etcd; it says so with each answer. */
  staleSince: string | null = null;
  readonly #pageDir: string;
  readonly #streams = new Set<FastifyReply>();
  readonly #outputs = new Set<FastifyReply>();
  #app: FastifyInstance | null = null;
  #port = 0;

  constructor(pageDir: string, data: FakeData) {
    this.#pageDir = pageDir;
    this.data = data;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Again on the same port after `stop`. */
  async start(): Promise<void> {
    const app = Fastify({ forceCloseConnections: true, routerOptions: { maxParamLength: 500 } });
    app.addContentTypeParser('application/yaml', { parseAs: 'string' }, (_, body, done) => done(null, body));
    app.setErrorHandler((error, _, reply) =>
      this.#refuse(reply, 500, 'ETCRON_INTERNAL', error instanceof Error ? error.message : String(error)),
    );
    app.addHook('preHandler', async (request, reply) => {
      if (!request.url.startsWith('/api/')) return;
      const { method, url, body, headers } = request;
      if (method !== 'GET') this.changes.push({ method, url, body, headers });
      const isLogIn = method === 'POST' && url === '/api/v1/session';
      if (this.data.session === null && !isLogIn)
        return this.#refuse(reply, 401, 'ETCRON_AUTH_REQUIRED', 'the token has expired');
      for (const [beginning, refusal] of this.refusals) {
        if (`${method} ${url}`.startsWith(beginning))
          return this.#refuse(reply, refusal.status, refusal.code, refusal.detail, refusal.hint);
      }
      return undefined;
    });
    app.addHook('onSend', async (_, reply) => {
      if (this.staleSince !== null) void reply.header('etcron-stale-since', this.staleSince);
    });
    await app.register(dashboardPlugin, { pageDir: this.#pageDir });
    await app.register(async (api) => this.#routes(api), { prefix: '/api/v1' });
    await app.listen({ port: this.#port, host: '127.0.0.1' });
    const address = app.server.address();
    if (typeof address === 'object' && address) this.#port = address.port;
    this.#app = app;
  }

  /** Every connection breaks. */
  async stop(): Promise<void> {
    for (const stream of [...this.#streams, ...this.#outputs]) stream.raw.destroy();
    this.#streams.clear();
    await this.#app?.close();
    this.#app = null;
  }

  /** To every page that listens. */
  push(event: string, data: unknown): void {
    for (const stream of this.#streams)
      stream.raw.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** To whoever follows the output of a run that is not over. */
  write(text: string): void {
    const piece = { stream: 'stdout', time: iso(this.data.nowMs), offset: 0, text };
    for (const reply of this.#outputs) reply.raw.write(`event: output\ndata: ${JSON.stringify(piece)}\n\n`);
  }

  get followers(): number {
    return this.#outputs.size;
  }

  get listeners(): number {
    return this.#streams.size;
  }

  #refuse(reply: FastifyReply, status: number, code: string, detail: string, hint?: string): FastifyReply {
    return reply
      .code(status)
      .type('application/problem+json')
      .send({
        type: `about:${code}`,
        title: 'refused',
        status,
        detail,
        code,
        hint: hint ?? null,
        details: {},
      });
  }

  #routes(api: FastifyInstance): void {
    const { data } = this;
    const get = <S extends z.ZodType>(
      url: string,
      schema: S,
      answer: (request: { params: Record<string, string>; query: Record<string, string> }) => unknown,
    ): void => {
      api.get(url, (request, reply) => {
        const found = answer({
          params: request.params as Record<string, string>,
          query: request.query as Record<string, string>,
        });
        if (found === null)
          return this.#refuse(reply, 404, 'ETCRON_JOB_NOT_FOUND', 'there is none of this name');
        return schema.parse(found);
      });
    };
    const post = (url: string, answer: (params: Record<string, string>) => unknown): void => {
      api.post(url, (request) => answer(request.params as Record<string, string>));
    };

    get('/session', access.session, () => data.session);
    api.post('/session', (request, reply) => {
      const { token } = request.body as { token: string };
      if (token !== data.token)
        return this.#refuse(reply, 401, 'ETCRON_AUTH_REQUIRED', 'this is no valid token');
      data.session = { name: 'ann', role: 'admin', via: 'cookie', expires: null };
      return data.session;
    });
    api.get('/events', (_, reply) => {
      reply.hijack();
      reply.raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      reply.raw.write(': hello\n\n');
      this.#streams.add(reply);
      reply.raw.on('close', () => this.#streams.delete(reply));
    });
    get('/cluster', cluster.cluster, () => this.#cluster());
    get('/cluster/timeline', cluster.timeline, () => this.#timeline());
    get('/cluster/stats', cluster.stats, () => this.#stats());
    post('/cluster/hand-over', () => ({ requested: true, leader: 'w-2' }));
    get('/workers', cluster.workerList, () => ({ workers: data.workers, drains: [] }));
    post('/workers/:name/drain', ({ name }) => this.#drain(name!, true));
    post('/workers/:name/resume', ({ name }) => this.#drain(name!, false));
    get('/jobs', jobs.jobList, ({ query }) => this.#jobList(query));
    get('/jobs/:name', jobs.jobDetails, ({ params }) => this.#job(params.name!));
    get('/jobs/:name/history', jobs.jobHistory, ({ params }) => ({
      name: params.name,
      timezone: this.#job(params.name!)?.timezone ?? 'UTC',
      days: data.history,
      complete: true,
    }));
    api.put('/jobs/:name', (request) => {
      const { name } = request.params as { name: string };
      return { name, created: false, changed: true, revision: 900, warnings: [] };
    });
    api.delete('/jobs/:name', (request) => {
      const { name } = request.params as { name: string };
      data.jobs = data.jobs.filter((job) => job.name !== name);
      return { deleted: name };
    });
    post('/jobs/:name/pause', ({ name }) => ({ name, paused: true, changed: true }));
    post('/jobs/:name/resume', ({ name }) => ({ name, paused: false, changed: true }));
    post('/jobs/:name/runs', ({ name }) => this.#requested(name!));
    api.post('/validate', (request) => this.#validate((request.body as { text: string }).text));
    api.post('/diff', () => ({
      problems: [],
      changes: [
        {
          name: 'backup',
          kind: 'update',
          set: null,
          staysPaused: false,
          fields: [{ path: 'schedule', before: '*/5 * * * *', after: '*/10 * * * *' }],
        },
      ],
    }));
    get('/runs', runs.runList, ({ query }) => this.#runList(query));
    get('/runs/:job/:due', runs.runDetails, ({ params }) => this.#run(params));
    api.get('/runs/:job/:due/output/follow', (request, reply) => {
      const found = this.#run(request.params as Record<string, string>);
      reply.hijack();
      reply.raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      const event = (name: string, data: object): boolean =>
        reply.raw.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
      event('attempt', { attempt: 1, worker: 'w-1', running: found?.state !== 'ended', startedAt: null });
      let offset = 0;
      for (const stream of ['stdout', 'stderr'] as const) {
        const text = found?.[stream]?.text ?? '';
        const piece = output.outputPiece.parse({ stream, time: iso(data.nowMs), offset, text });
        event('output', piece);
        offset += Buffer.byteLength(text);
      }
      if (found?.state === 'ended') {
        event('end', output.outputEnd.parse({ offset, end: true, complete: true }));
        return;
      }
      this.#outputs.add(reply);
      reply.raw.on('close', () => this.#outputs.delete(reply));
    });
    get('/runs/:job/:due/output/attempts', output.keptOutputs, () => ({ attempts: [] }));
    post('/runs/:job/:due/kill', ({ job, due }) => ({ run: `${job}/${due}`, requested: true }));
    post('/runs/:job/:due/rerun', ({ job }) => this.#requested(job!));
    get('/limits', cluster.limitList, () => ({ limits: data.limits }));
    api.put('/limits/:name', (request) => {
      const { name } = request.params as { name: string };
      const { size } = cluster.limitBody.parse(request.body);
      const known = data.limits.find((limit) => limit.name === name);
      const before = known?.size ?? null;
      if (known) known.size = size;
      else data.limits.push(limit(name, size));
      return { name, size, before };
    });
    api.delete('/limits/:name', (request) => {
      const { name } = request.params as { name: string };
      data.limits = data.limits.filter((limit) => limit.name !== name);
      return { name, size: null, before: null };
    });
    api.get('/audit/export', (request, reply) => {
      const { format } = access.auditExportQuery.parse(request.query);
      void reply.header('content-disposition', `attachment; filename="etcron-audit.${format}"`);
      return reply
        .type('text/plain')
        .send(data.audit.map((record) => `${JSON.stringify(record)}\n`).join(''));
    });
    get('/audit', access.auditList, () => ({ records: data.audit, next: null }));
    get('/tokens', access.tokenList, () => ({ tokens: data.tokens }));
    api.post('/tokens', (request) => {
      const { name, role } = request.body as { name: string; role: 'viewer' };
      const token = {
        id: `t${data.tokens.length}`,
        name,
        role,
        createdAt: iso(data.nowMs),
        createdBy: 'ann',
        expires: null,
      };
      data.tokens.push(token);
      return { ...token, token: 'etcron_only-once' };
    });
    api.delete('/tokens/:id', (request) => {
      const { id } = request.params as { id: string };
      data.tokens = data.tokens.filter((token) => token.id !== id);
      return { revoked: id };
    });
  }

  #job(name: string): JobData | null {
    return this.data.jobs.find((job) => job.name === name) ?? null;
  }

  #run({ job, due }: Record<string, string>): RunData | null {
    return this.data.runs.find(({ run }) => run === `${job}/${due}`) ?? null;
  }

  #requested(job: string): object {
    const due = iso(this.data.nowMs);
    return { run: `${job}/${due}+manual-1`, job, due };
  }

  #drain(name: string, isDraining: boolean): object {
    for (const worker of this.data.workers) {
      if (worker.name !== name) continue;
      worker.state = isDraining ? 'draining' : 'active';
      worker.drain = isDraining ? { by: 'ann', reason: 'kernel', at: iso(this.data.nowMs) } : null;
    }
    return { name, draining: isDraining, changed: true };
  }

  #jobList(query: Record<string, string>): object {
    const wanted = query.q?.toLowerCase() ?? '';
    const states = query.state?.split(',') ?? [];
    const found = this.data.jobs.filter(
      (job) =>
        job.name.toLowerCase().includes(wanted) &&
        (states.length === 0 ||
          states.includes(job.state) ||
          (states.includes('cannot-run') && job.cannotRun !== null) ||
          (states.includes('running') && job.running > 0)),
    );
    const { page, next } = pageOf(found, query);
    return { jobs: page, total: found.length, next };
  }

  #runList(query: Record<string, string>): object {
    const outcomes = query.outcome?.split(',') ?? [];
    const state = query.state ?? 'ended';
    const found = this.data.runs.filter(
      (run) =>
        (query.job === undefined || run.job === query.job) &&
        (query.q === undefined || run.job.includes(query.q)) &&
        (outcomes.length === 0 || (run.outcome !== null && outcomes.includes(run.outcome))) &&
        (state === 'any' || (state === 'ended') === (run.state === 'ended')),
    );
    const { page, next } = pageOf(found, query);
    return { runs: page, next, complete: true };
  }

  #validate(text: string): object {
    const isWrong = text.includes('scheduel');
    return {
      ok: !isWrong,
      problems: isWrong
        ? [
            {
              code: 'ETCRON_JOB_INVALID',
              path: 'scheduel',
              message: 'is not a field of a job',
              hint: 'Did you mean "schedule"?',
              line: text.split('\n').findIndex((line) => line.includes('scheduel')) + 1,
              column: 1,
            },
          ]
        : [],
      warnings: [],
      jobs: isWrong
        ? []
        : [{ name: 'backup', when: 'Every 10 minutes', timezone: 'UTC', cannotRun: null, dueTimes: [] }],
    };
  }

  #cluster(): object {
    const { nowMs, jobs: all, workers, runs: known, problems } = this.data;
    const failed = known.filter(({ outcome }) => outcome === 'failed' || outcome === 'lost');
    const leader = workers.find((worker) => worker.leader);
    const named = (job: JobData, reason: string): object => ({ name: job.name, reason });
    const late = known.filter(({ state }) => state === 'late');
    const withoutDetails = (run: RunData): object => runs.run.parse(run);
    return {
      at: iso(nowMs),
      staleSince: null,
      revision: 1_000,
      prefix: '/cron',
      answeredBy: { node: 'w-1-abc123', version: '0.1.0' },
      healthy: problems.length === 0,
      problems,
      leader: leader ? { node: leader.node, name: leader.name, since: iso(nowMs - 14 * 24 * HOUR_MS) } : null,
      workers: {
        active: workers.filter(({ state }) => state === 'active').length,
        draining: workers.filter(({ state }) => state === 'draining').length,
        skewed: 0,
        load: workers.reduce((sum, { load }) => sum + load, 0),
        capacity: workers.reduce((sum, { capacity }) => sum + capacity, 0),
      },
      jobs: {
        total: all.length,
        ok: all.filter(({ state }) => state === 'ok').length,
        paused: all.filter(({ state }) => state === 'paused').length,
        broken: all.filter(({ state }) => state === 'broken').length,
        done: all.filter(({ state }) => state === 'done').length,
        cannotRun: all.filter(({ cannotRun }) => cannotRun !== null).length,
      },
      firings: {
        planned: 4,
        inFlight: known.filter(({ state }) => state === 'running').length,
        late: late.length,
        waiting: 0,
        queued: 0,
      },
      late: late.map(withoutDetails),
      queued: [],
      cannotRun: all
        .filter(({ cannotRun }) => cannotRun !== null)
        .slice(0, 50)
        .map((job) => named(job, job.cannotRun!)),
      broken: all
        .filter(({ problem }) => problem !== null)
        .slice(0, 50)
        .map((job) => named(job, job.problem!)),
      paused: all.filter(({ pause }) => pause !== null).map(({ name, pause }) => ({ name, pause })),
      failedLately: {
        from: iso(nowMs - HOUR_MS),
        count: failed.length,
        runs: failed.slice(0, 10).map(withoutDetails),
        complete: true,
      },
      plannedThrough: iso(nowMs + 15_000),
      etcd: {
        members: [
          {
            endpoint: 'http://127.0.0.1:2379',
            version: '3.5.16',
            isLeader: true,
            dbSizeBytes: 52_000_000,
            dbInUseBytes: 40_000_000,
            quotaBytes: 2_147_483_648,
            isFull: false,
          },
        ],
        problem: null,
      },
    };
  }

  #timeline(): object {
    const { nowMs, runs: known, jobs: all } = this.data;
    const fromMs = Math.floor((nowMs - HOUR_MS) / 60_000) * 60_000;
    const buckets = Array.from({ length: 120 }, (_, index) => {
      const bucketMs = fromMs + index * 60_000;
      const within = (ms: number): boolean => ms >= bucketMs && ms < bucketMs + 60_000;
      const here = known.filter(({ due }) => within(Date.parse(due)));
      const outcomes: Record<string, number> = {};
      for (const { outcome } of here) if (outcome) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      return {
        from: iso(bucketMs),
        outcomes,
        running: here.filter(({ state }) => state === 'running').length,
        coming: all.filter(({ next }) => next !== null && within(Date.parse(next))).length,
      };
    });
    const plain = (run: RunData): object => runs.run.parse(run);
    return {
      from: iso(fromMs),
      to: iso(fromMs + 2 * HOUR_MS),
      now: iso(nowMs),
      bucketMs: 60_000,
      buckets,
      past: known
        .filter(({ state }) => state === 'ended')
        .slice(0, 50)
        .map(plain),
      running: known
        .filter(({ state }) => state === 'running')
        .slice(0, 50)
        .map(plain),
      coming: all
        .filter(({ next }) => next !== null)
        .sort((one, other) => one.next!.localeCompare(other.next!))
        .slice(0, 50)
        .map((job) => ({
          job: job.name,
          due: job.next,
          run: null,
          worker: null,
          pause: job.pause,
          cannotRun: job.cannotRun,
        })),
      complete: true,
    };
  }

  #stats(): object {
    const { nowMs, runs: known } = this.data;
    const fromMs = Math.floor((nowMs - HOUR_MS) / 60_000) * 60_000;
    const count = (list: readonly RunData[]): object => {
      const outcomes: Record<string, number> = {};
      for (const { outcome } of list) if (outcome) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      const late = list
        .flatMap(({ latenessMs }) => (latenessMs === null ? [] : [latenessMs]))
        .sort((one, other) => one - other);
      const at = (share: number): number => late[Math.min(late.length - 1, Math.floor(share * late.length))]!;
      const latenessMs =
        late.length === 0
          ? null
          : { count: late.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: late.at(-1)! };
      return { outcomes, latenessMs };
    };
    return {
      from: iso(fromMs),
      to: iso(nowMs),
      bucketMs: 60_000,
      complete: true,
      buckets: Array.from({ length: 60 }, (_, index) => {
        const bucketMs = fromMs + index * 60_000;
        return {
          from: iso(bucketMs),
          ...count(
            known.filter(({ due }) => Date.parse(due) >= bucketMs && Date.parse(due) < bucketMs + 60_000),
          ),
        };
      }),
      totals: count(known),
    };
  }
}

export function limit(
  name: string,
  size: number | null,
  changed: Partial<FakeData['limits'][number]> = {},
): FakeData['limits'][number] {
  return { name, size, problem: null, held: [], waiting: 0, waitingRuns: [], jobs: [], ...changed };
}

function pageOf<T>(all: readonly T[], query: Record<string, string>): { page: T[]; next: string | null } {
  const from = Number(query.cursor ?? 0);
  const limit = Number(query.limit ?? 100);
  const end = from + limit;
  return { page: all.slice(from, end), next: end < all.length ? String(end) : null };
}
