import { beforeEach, describe, expect, test } from 'vitest';
import { parseToken, matchesHash } from '../../src/operations/tokens/token.js';
import { due, GOOD_JOB, keys, T0, TestCli } from './support.js';

let cli: TestCli;

beforeEach(() => {
  cli = new TestCli();
});

const stored = (id: string): Record<string, unknown> =>
  JSON.parse(cli.etcd.get(keys.token(id))!.value.toString()) as Record<string, unknown>;

describe('tokens create', () => {
  test('shows the token once, alone on stdout, and keeps only its hash', async () => {
    const { code, stdout, stderr } = await cli.run('tokens', 'create', 'anna', '--role', 'admin');
    expect(code).toBe(0);
    const token = parseToken(stdout.trim())!;
    expect(stderr).toContain(`The token ${token.id} of anna (admin) counts until it is revoked.`);
    const record = stored(token.id);
    expect(record).toMatchObject({ name: 'anna', role: 'admin', expiresAt: null });
    expect(matchesHash(token, record.hash as string)).toBe(true);
    expect(JSON.stringify(record)).not.toContain(token.secret);
    const list = await cli.run('tokens', 'list', '--json');
    expect(list.stdout + (await cli.run('audit', '--json')).stdout).not.toContain(record.hash);
  });

  test('is for reading only and for ever, unless it says otherwise', async () => {
    const { stdout } = await cli.run('tokens', 'create', 'grafana', '--expires', '90d', '--json');
    const token = JSON.parse(stdout) as Record<string, string>;
    expect(token).toMatchObject({ name: 'grafana', role: 'viewer', createdAt: '2026-11-21T14:00:00.000Z' });
    expect(token.expires).toBe('2027-02-19T14:00:00.000Z');
    expect(parseToken(token.token!)?.id).toBe(token.id);
  });

  test.each([
    [['--role', 'root'], 'The roles are viewer, operator, admin.'],
    [['--expires', 'soon'], 'Write a duration'],
    [['--expires', '0s'], 'more than 0s'],
    [['--expires', '36501d'], 'at most 36500d'],
  ])('refuses %j', async (flags, message) => {
    const { code, stderr } = await cli.run('tokens', 'create', 'anna', ...flags);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });

  test.each(['', ' a', 'a\u001b[31m', 'x'.repeat(101), '\u202eanna'])('refuses the name %j', async (name) => {
    const { code, stderr } = await cli.run('tokens', 'create', name);
    expect(code).toBe(2);
    expect(stderr).toContain('the name of a token must be');
  });
});

describe('tokens list and revoke', () => {
  const create = async (name: string, ...flags: string[]): Promise<string> =>
    (await cli.run('tokens', 'create', name, '--json', ...flags)).json<{ id: string }>().id;

  test('an empty list says what that means', async () => {
    const { stdout, stderr } = await cli.run('tokens', 'list');
    expect(stdout + stderr).toMatch(/No tokens\..*loopback addresses only/s);
  });

  test('shows who made which, and what has expired or is damaged', async () => {
    await create('anna', '--role', 'admin');
    await create('ci', '--expires', '1h');
    cli.etcd.txn({ compare: [], success: [{ type: 'put', key: keys.token('bad'), value: '{}' }] });
    await cli.clock.advance(2 * 3_600_000);
    const { stdout } = await cli.run('tokens', 'list');
    expect(stdout).toMatch(/anna +admin +2026-11-21 14:00:00Z +\S+@\S+ +never/);
    expect(stdout).toMatch(/ci +viewer .* expired 1h ago/);
    expect(stdout).toMatch(/bad +damaged/);
  });

  test('takes one away by id or by name, and warns of the last one', async () => {
    const anna = await create('anna');
    await create('ci');
    expect(await cli.run('tokens', 'revoke', anna)).toMatchObject({
      stdout: `revoked ${anna} (anna)\n`,
      stderr: '',
    });
    const last = await cli.run('tokens', 'revoke', 'ci');
    expect(last.stderr).toContain('that was the last token');
    expect((await cli.run('tokens', 'revoke', 'ci')).stderr).toContain('ETCRON_TOKEN_NOT_FOUND');
  });

  test('asks for the id where a name is not enough', async () => {
    const ids = [await create('ci'), await create('ci')];
    const { code, stderr } = await cli.run('tokens', 'revoke', 'ci');
    expect(code).toBe(1);
    expect(stderr).toContain('2 tokens have the name "ci"');
    for (const id of ids) expect(stderr).toContain(id);
  });
});

describe('audit', () => {
  test('tells what the command line changed, and who', async () => {
    cli.putJob('a', GOOD_JOB);
    await cli.run('jobs', 'pause', 'a', '--reason', 'maintenance');
    await cli.clock.advance(60_000);
    await cli.run('limits', 'set', 'db', '3');
    await cli.clock.advance(60_000);
    cli.putFiring(due('a', 0), { attempt: 1, node: 'w1-x' });
    await cli.run('runs', 'kill', 'a/2026-11-21T14:00:00.000Z', '--no-wait');
    const { records } = (await cli.run('audit', '--json')).json<{ records: Record<string, never>[] }>();
    expect(records).toMatchObject([
      { at: '2026-11-21T14:02:00.000Z', changes: [{ key: 'kill/a/2026-11-21T14:00:00.000Z', before: null }] },
      { changes: [{ key: 'limits/db', before: null, after: '{"size":3}' }] },
      { at: '2026-11-21T14:00:00.000Z', changes: [{ key: 'jobs/a', before: GOOD_JOB }] },
    ]);
    for (const { actor } of records)
      expect(actor).toEqual({ name: expect.stringMatching(/@/) as string, role: 'admin', via: 'cli' });
    const { stdout } = await cli.run('audit');
    expect(stdout).toMatch(/2026-11-21 14:01:00Z +\S+@\S+ \(cli\) +created limits\/db/);
    expect((await cli.run('audit', '--job', 'a', '--json')).json<{ records: [] }>().records).toHaveLength(2);
    const since = ['--since', new Date(T0 + 90_000).toISOString(), '--json'];
    expect((await cli.run('audit', ...since)).json<{ records: [] }>().records).toHaveLength(1);
    expect((await cli.run('audit', '--actor', 'nobody')).stdout).toBe('No changes were recorded.\n');
  });

  test('exports all of it, one document per line', async () => {
    for (let size = 0; size < 30; size += 1) {
      await cli.run('limits', 'set', 'db', String(size));
      await cli.clock.advance(1_000);
    }
    expect((await cli.run('audit', '--json')).json<{ records: [] }>().records).toHaveLength(20);
    const lines = (await cli.run('audit', '--export', 'ndjson')).stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(30);
    expect(JSON.parse(lines[0]!)).toMatchObject({
      changes: [{ key: 'limits/db', before: '{"size":28}', after: '{"size":29}' }],
    });
  });

  test('nothing that only looks leaves a trace', async () => {
    for (const args of [['jobs', 'list'], ['status'], ['runs', 'list'], ['audit'], ['tokens', 'list']])
      await cli.run(...args);
    expect((await cli.run('audit')).stdout).toBe('No changes were recorded.\n');
  });
});
