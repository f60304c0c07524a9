/** What the routes answer, on a cluster of nodes in memory. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ApiUnderTest } from './support.js';

interface Run {
  run: string;
  job: string;
  state: string;
  outcome: string | null;
  worker: string | null;
  why: string | null;
}

let api: ApiUnderTest;

beforeEach(async () => {
  api = await ApiUnderTest.start();
  await api.cluster.putJob('fast', { schedule: '*/10 * * * * *', description: 'Heartbeat' });
  await api.cluster.putJob('slow', { schedule: '* * * * *', command: 'run 30000', labels: { team: 'a' } });
  await api.cluster.putJob('fails', { schedule: '30 * * * * *', command: 'run 10 exit 3' });
  await api.cluster.putJob('gpu', { schedule: '@hourly', target: { with: { gpu: 'yes' } } });
  await api.cluster.putJob('bad', '{"schedule": "nope", "command": "true"}');
  await api.cluster.addNodes('w1', 'w2');
  await api.clock.advance(65_000);
});

afterEach(() => api.stop());

describe('the cluster', () => {
  test('says who leads, what is wrong, what failed and what can never run', async () => {
    const status = await api.get('/api/v1/cluster');
    expect(status.json()).toMatchObject({
      healthy: true,
      problems: ['1 job cannot run as things are: gpu'],
      workers: { active: 2, load: 1 },
      jobs: { total: 5, ok: 4, broken: 1, cannotRun: 1 },
      firings: { inFlight: 1, late: 0 },
      cannotRun: [{ name: 'gpu', reason: '2 workers each have no label gpu=yes' }],
      broken: [{ name: 'bad' }],
      failedLately: { count: 1, runs: [{ job: 'fails', exitCode: 3 }], complete: true },
    });
    expect(status.json<{ leader: { name: string } }>().leader.name).toMatch(/^w[12]$/);
  });

  test('without workers nothing runs, and that is what it says', async () => {
    for (const node of [...api.cluster.nodes]) node.crash();
    await api.clock.advance(30_000);
    const { healthy, problems } = (await api.get('/api/v1/cluster')).json<{
      healthy: boolean;
      problems: string[];
    }>();
    expect(healthy).toBe(false);
    expect(problems).toContain('there is no active worker: nothing runs');
  });

  test('numbers over time, by bucket', async () => {
    const stats = (await api.get('/api/v1/cluster/stats?buckets=2&job=fast')).json<{
      totals: { outcomes: Record<string, number>; latenessMs: { count: number } };
      buckets: { outcomes: Record<string, number> }[];
    }>();
    expect(stats.totals).toMatchObject({ outcomes: { succeeded: 6 }, latenessMs: { count: 6, p50: 0 } });
    expect(stats.buckets.map(({ outcomes }) => outcomes.succeeded ?? 0)).toEqual([0, 6]);
  });

  test('the station board: what came, what runs, what comes, paused jobs among it', async () => {
    await api.post('/api/v1/jobs/fast/pause', { reason: 'moving house' });
    await api.clock.advance(20_000);
    const board = (await api.get('/api/v1/cluster/timeline?limit=5')).json<{
      past: Run[];
      running: Run[];
      coming: { job: string; due: string; pause: { reason: string } | null; run: string | null }[];
    }>();
    expect(board.running.map(({ job }) => job)).toEqual(['slow']);
    expect(board.past.length).toBe(5);
    const paused = board.coming.find(({ job }) => job === 'fast');
    expect(paused?.pause?.reason).toBe('moving house');
    const due = board.coming.map((one) => one.due);
    expect(due).toEqual([...due].sort());
  });
});

describe('jobs', () => {
  test('are searched, filtered, sorted and paged', async () => {
    const names = async (query: string): Promise<string[]> =>
      (await api.get(`/api/v1/jobs?${query}`))
        .json<{ jobs: { name: string }[] }>()
        .jobs.map(({ name }) => name);
    expect(await names('')).toEqual(['bad', 'fails', 'fast', 'gpu', 'slow']);
    expect(await names('q=heartbeat')).toEqual(['fast']);
    expect(await names('label=team=a')).toEqual(['slow']);
    expect(await names('state=broken,running')).toEqual(['bad', 'slow']);
    expect(await names('state=failing')).toEqual(['fails']);
    expect(await names('state=cannot-run')).toEqual(['gpu']);
    expect(await names('sort=next')).toEqual(['fast', 'fails', 'slow', 'gpu', 'bad']);
    expect(await names('sort=-name')).toEqual(['slow', 'gpu', 'fast', 'fails', 'bad']);
  });

  test('come in pages that hold each of them once, whatever they are sorted by', async () => {
    for (const sort of ['name', '-next', 'lastRun', 'state']) {
      const seen: string[] = [];
      for (let cursor = ''; ;) {
        const page = (await api.get(`/api/v1/jobs?limit=2&sort=${sort}${cursor}`)).json<{
          jobs: { name: string }[];
          next: string | null;
          total: number;
        }>();
        expect(page.total).toBe(5);
        seen.push(...page.jobs.map(({ name }) => name));
        if (page.next === null) break;
        cursor = `&cursor=${page.next}`;
      }
      expect([...seen].sort()).toEqual(['bad', 'fails', 'fast', 'gpu', 'slow']);
    }
  });

  test('one of them with its text, its due times and its runs; a broken one with its problems', async () => {
    const slow = await api.get('/api/v1/jobs/slow');
    expect(slow.headers.etag).toMatch(/^"\d+"$/);
    expect(slow.json()).toMatchObject({
      when: 'Every minute',
      yaml: 'schedule: "* * * * *"\ncommand: run 30000\nlabels:\n  team: a\n',
      underWay: [{ state: 'running' }],
      running: 1,
    });
    const bad = (await api.get('/api/v1/jobs/bad')).json<{ problems: { path: string; line: number }[] }>();
    expect(bad).toMatchObject({ state: 'broken', definition: null, dueTimes: [] });
    expect(bad.problems).toMatchObject([{ path: 'schedule', line: 1 }]);
  });

  test('are put with a condition on their revision, in YAML and in JSON, and recorded', async () => {
    const put = (text: string, headers: Record<string, string>) =>
      api.ask({ method: 'PUT', url: '/api/v1/jobs/new', payload: text, headers });
    const yaml = { 'content-type': 'application/yaml' };
    const created = await put('schedule: "@hourly"\ncommand: echo hi\n', { ...yaml, 'if-none-match': '*' });
    expect(created.status).toBe(201);
    const again = await put('schedule: "@daily"\ncommand: echo\n', { ...yaml, 'if-none-match': '*' });
    expect([again.status, again.json<{ code: string }>().code]).toEqual([412, 'ETCRON_CONFLICT']);
    const json = { 'content-type': 'application/json', 'if-match': String(created.headers.etag) };
    const changed = await put('{"schedule":"@daily","command":"echo"}', json);
    expect(changed.json()).toMatchObject({ created: false, changed: true });
    expect((await put('{"schedule":"@weekly","command":"echo"}', json)).status).toBe(412);
    const wrong = await put('schedule: "@daily"\ncomand: echo\n', yaml);
    expect(wrong.status).toBe(422);
    expect(wrong.json<{ details: { problems: { line: number }[] } }>().details.problems.at(-1)?.line).toBe(2);
    const audit = (await api.get('/api/v1/audit?key=jobs/new')).json<{
      records: { actor: { name: string }; changes: { after: string | null }[] }[];
    }>();
    expect(audit.records.map(({ changes }) => changes[0]?.after)).toEqual([
      '{"schedule":"@daily","command":"echo"}',
      '{"schedule":"@hourly","command":"echo hi"}',
    ]);
    expect((await api.ask({ method: 'DELETE', url: '/api/v1/jobs/new' })).json()).toEqual({ deleted: 'new' });
    expect((await api.get('/api/v1/jobs/new')).status).toBe(404);
  });

  test('are paused and resumed, with and without a body', async () => {
    expect((await api.post('/api/v1/jobs/slow/pause')).json()).toMatchObject({ paused: true, changed: true });
    expect((await api.get('/api/v1/jobs/slow')).json()).toMatchObject({ state: 'paused', dueTimes: [] });
    expect((await api.post('/api/v1/jobs/slow/resume')).json()).toMatchObject({
      paused: false,
      changed: true,
    });
    expect((await api.post('/api/v1/jobs/slow/pause', { until: '2020-01-01' })).status).toBe(400);
  });

  test('are run now, killed, and run again', async () => {
    // While it runs, overlap: skip lets no other one begin.
    await api.clock.advance(30_000);
    const asked = await api.post('/api/v1/jobs/slow/runs');
    const { run } = asked.json<{ run: string }>();
    expect(asked.status).toBe(201);
    await api.clock.advance(2_000);
    expect((await api.get(`/api/v1/runs/${run}`)).json()).toMatchObject({
      manual: true,
      requestedBy: 'local',
    });
    const kill = await api.post(`/api/v1/runs/${run}/kill`, { reason: 'wrong one' });
    expect(kill.json()).toEqual({ run, requested: true });
    await api.clock.advance(60_000);
    const ended = (await api.get(`/api/v1/runs/${run}`)).json<Run>();
    expect(ended).toMatchObject({ state: 'ended', outcome: 'killed', reason: 'by local: wrong one' });
    expect((await api.post(`/api/v1/runs/${run}/kill`)).status).toBe(409);
    const again = await api.post(`/api/v1/runs/${run}/rerun`);
    expect(again.status).toBe(201);
    expect(again.json<Run>().run).not.toBe(run);
  });

  test('their history by days, in the zone that is asked for', async () => {
    const history = await api.get('/api/v1/jobs/fails/history?timezone=Pacific/Kiritimati');
    expect(history.json()).toEqual({
      name: 'fails',
      timezone: 'Pacific/Kiritimati',
      days: [{ date: '2026-01-02', outcomes: { failed: 1 }, durationMs: { median: 10, max: 10 } }],
      complete: true,
    });
  });

  test('their due times with what clock changes do', async () => {
    await api.cluster.putJob('night', { schedule: '30 2 * * *', timezone: 'Europe/Berlin' });
    await api.clock.advance(100);
    const next = await api.get('/api/v1/jobs/night/next?count=2&from=2026-03-28T12:00:00Z');
    const { dueTimes } = next.json<{ dueTimes: { local: string; note: string | null }[] }>();
    expect(dueTimes[0]?.local).toContain('2026-03-29 03:00:00 +02:00');
    expect(dueTimes.map(({ note }) => note !== null)).toEqual([true, false]);
  });
});

describe('runs', () => {
  test('newest first, filtered by job, outcome, worker and time', async () => {
    const runs = async (query: string): Promise<Run[]> =>
      (await api.get(`/api/v1/runs?${query}`)).json<{ runs: Run[] }>().runs;
    expect((await runs('')).map(({ job }) => job)).toEqual([
      'fast',
      'fast',
      'fast',
      'fails',
      'fast',
      'fast',
      'fast',
    ]);
    expect((await runs('outcome=failed')).map(({ job }) => job)).toEqual(['fails']);
    expect((await runs('state=running')).map(({ job, state }) => [job, state])).toEqual([
      ['slow', 'running'],
    ]);
    expect((await runs('from=2026-01-01T12:00:50Z')).length).toBe(2);
    const ofOne = await runs('worker=w1');
    expect(ofOne.every(({ worker }) => worker === 'w1')).toBe(true);
    expect(ofOne.length + (await runs('worker=w2')).length).toBe(7);
  });

  test.each(['ended', 'any'])('by pages, each of them once (%s)', async (state) => {
    const all = (await api.get(`/api/v1/runs?state=${state}`)).json<{ runs: Run[] }>().runs;
    const seen: string[] = [];
    for (let cursor = ''; ;) {
      const page = (await api.get(`/api/v1/runs?state=${state}&limit=3${cursor}`)).json<{
        runs: Run[];
        next: string | null;
      }>();
      seen.push(...page.runs.map(({ run }) => run));
      if (page.next === null) break;
      cursor = `&cursor=${page.next}`;
    }
    expect(seen).toEqual(all.map(({ run }) => run));
  });

  test.each([
    ['a time that there is not', [1e300, 'fast', null]],
    ['a text for a time', ['x', 'fast', null]],
    ['a number for a job', [0, 1, null]],
    ['too little', [0]],
  ])('a cursor with %s is refused', async (_, values) => {
    const cursor = Buffer.from(JSON.stringify(values)).toString('base64url');
    for (const query of ['', '&state=any', '&state=planned', '&job=fast']) {
      const { status, text } = await api.get(`/api/v1/runs?cursor=${cursor}${query}`);
      expect([status, text]).toEqual([400, expect.stringContaining('query cursor')]);
    }
  });

  test('one that nobody can take says why', async () => {
    await api.cluster.putJob('gpu', { schedule: '* * * * *', target: { with: { gpu: 'yes' } } });
    await api.clock.advance(70_000);
    const [late] = (await api.get('/api/v1/runs?state=late&job=gpu')).json<{ runs: Run[] }>().runs;
    expect(late).toMatchObject({ state: 'late', why: '2 workers each have no label gpu=yes' });
  });
});

describe('workers and limits', () => {
  test('a worker is drained and resumed', async () => {
    expect((await api.post('/api/v1/workers/w1/drain', { reason: 'new disk' })).json()).toMatchObject({
      changed: true,
    });
    await api.clock.advance(6_000);
    const list = (await api.get('/api/v1/workers')).json<{
      workers: { name: string; state: string; drain: { reason: string } | null }[];
    }>();
    expect(list.workers.find(({ name }) => name === 'w1')).toMatchObject({
      state: 'draining',
      drain: { reason: 'new disk' },
    });
    await api.post('/api/v1/workers/w1/resume');
    await api.clock.advance(6_000);
    expect((await api.get('/api/v1/workers')).json()).toMatchObject({ drains: [] });
    expect((await api.post('/api/v1/workers/w9/drain')).json()).toMatchObject({
      code: 'ETCRON_WORKER_NOT_FOUND',
    });
  });

  test('the leader hands its office over', async () => {
    const before = (await api.get('/api/v1/cluster')).json<{ leader: { name: string } }>().leader.name;
    const to = before === 'w1' ? 'w2' : 'w1';
    expect((await api.post('/api/v1/cluster/hand-over', { to })).json()).toEqual({
      requested: true,
      leader: before,
    });
    await api.clock.advance(5_000);
    expect((await api.get('/api/v1/cluster')).json()).toMatchObject({ leader: { name: to } });
  });

  test('a limit gets its size, and cannot go while a job names it', async () => {
    await api.cluster.putJob('db', { schedule: '@hourly', limits: ['db'] });
    await api.clock.advance(100);
    expect((await api.get('/api/v1/jobs?state=cannot-run&q=db')).json()).toMatchObject({
      jobs: [{ name: 'db', cannotRun: 'the limit db has no size' }],
    });
    const put = await api.ask({ method: 'PUT', url: '/api/v1/limits/db', payload: { size: 3 } });
    expect(put.json()).toEqual({ name: 'db', size: 3, before: null });
    await api.clock.advance(100);
    expect((await api.get('/api/v1/limits')).json()).toMatchObject({
      limits: [{ name: 'db', size: 3, jobs: ['db'] }],
    });
    expect((await api.ask({ method: 'DELETE', url: '/api/v1/limits/db' })).status).toBe(409);
  });

  test('a limit says who runs under it and who waits, in their turn', async () => {
    await api.ask({ method: 'PUT', url: '/api/v1/limits/one', payload: { size: 1 } });
    for (const name of ['a', 'b', 'c'])
      await api.cluster.putJob(name, { schedule: '0 0 1 1 *', command: 'run 60000', limits: ['one'] });
    const runs: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      const { run } = (await api.post(`/api/v1/jobs/${name}/runs`)).json<{ run: string }>();
      runs.push(run);
      await api.clock.advance(500);
    }
    expect((await api.get('/api/v1/limits')).json()).toMatchObject({
      limits: [{ name: 'one', size: 1, held: [runs[0]], waiting: 2, waitingRuns: runs.slice(1) }],
    });
    for (const name of ['a%20b', '..%2Fjobs%2Ffast', '%00', 'x'.repeat(200)]) {
      const odd = await api.ask({ method: 'PUT', url: `/api/v1/limits/${name}`, payload: { size: 3 } });
      expect([odd.status, odd.json()]).toMatchObject([400, { code: 'ETCRON_USAGE' }]);
    }
  });
});

describe('definitions that are not written', () => {
  test('are judged, with problems by line, or with due times', async () => {
    const wrong = await api.post('/api/v1/validate', {
      name: 'x',
      text: 'schedule: "@hourly"\ncomand: echo',
    });
    expect(wrong.json()).toMatchObject({
      ok: false,
      problems: [{ path: 'command' }, { path: 'comand', line: 2 }],
    });
    const file = 'jobs:\n  a: {schedule: "@daily", command: x, timeout: 1d}\n';
    const right = await api.post('/api/v1/validate', { text: file });
    expect(right.json()).toMatchObject({ ok: true, jobs: [{ name: 'a', timezone: 'UTC' }] });
  });

  test('are refused where reading them would keep everybody else waiting', async () => {
    const answer = await api.post('/api/v1/validate', { text: `# ${'x'.repeat(256 * 1024)}` });
    expect([answer.status, answer.json()]).toMatchObject([400, { code: 'ETCRON_REQUEST_INVALID' }]);
    expect(JSON.stringify(answer.json())).toContain('262144');
  });

  test('are compared with what is there', async () => {
    const diff = await api.post('/api/v1/diff', {
      name: 'fast',
      text: 'schedule: "@hourly"\ncommand: run 10',
    });
    expect(diff.json()).toMatchObject({
      changes: [
        {
          kind: 'update',
          fields: expect.arrayContaining([
            { path: 'schedule', before: '*/10 * * * * *', after: '@hourly' },
          ]) as unknown,
        },
      ],
    });
  });
});
