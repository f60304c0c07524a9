/** What each role may read and write through the store routes, however a transaction is made up. */
import { beforeEach, describe, expect, it } from 'vitest';
import { assertPermitted, assertReadable } from '../../../src/api/remote/store-policy.js';
import { encodeMark } from '../../../src/apply/job-sets.js';
import { Keys } from '../../../src/etcd/keys.js';
import { prefixRange, singleKey, type KeyRange, type Operation, type Txn } from '../../../src/etcd/store.js';
import { absent, createdAt, del, exists, get, modifiedAt, put } from '../../../src/etcd/txn.js';
import { ROLES, type Role } from '../../../src/operations/actor.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../../src/testing/memory-etcd.js';
import type { MemoryStore } from '../../../src/testing/memory-store.js';
import { encodeFiring, manualFiring } from '../../../src/view/firing-record.js';

const keys = new Keys('/cron');
const AT = '2026-11-21T14:00:00.000Z';
const RUN = `a/${AT}`;
const MANUAL = `${keys.firings}${RUN}+manual-1`;
const JOB = '{"schedule":"@daily","command":"true"}';
let store: MemoryStore;

beforeEach(() => {
  store = new MemoryEtcd(new FakeClock()).connect();
});

const actor = (role: Role) => ({ name: 'ann', role, via: 'api' }) as const;
const txn = (...success: Operation[]): Txn => ({ compare: [], success });
const json = (value: object): string => JSON.stringify(value);

async function rolesThatMay(made: Txn): Promise<string> {
  const found: string[] = [];
  for (const role of ROLES) {
    const isRefused = await assertPermitted({ store, keys, actor: actor(role) }, made).then(
      () => false,
      (error: { code?: string }) => {
        expect(error.code).toMatch(/^ETCRON_(AUTH_FORBIDDEN|REQUEST_INVALID|JOB_INVALID)$/);
        return true;
      },
    );
    if (!isRefused) found.push(role);
  }
  return found.join(' ');
}

function readersOf(range: KeyRange): string {
  return ROLES.filter((role) => {
    try {
      assertReadable({ keys, actor: actor(role) }, range);
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: 'ETCRON_AUTH_FORBIDDEN' });
      return false;
    }
  }).join(' ');
}

const ALL = 'viewer operator admin';

describe('reading', () => {
  it.each([
    ['the jobs', prefixRange(keys.jobs), ALL],
    ['what a node mirrors', keys.mirrored, ALL],
    ['one record', singleKey(`${keys.runs}${RUN}`), ALL],
    ['tokens', prefixRange(keys.tokens), 'admin'],
    ['the audit record, as GET /api/v1/audit shows it', prefixRange(keys.audit), 'operator admin'],
    ['from the audit record to the tokens', { start: keys.audit, end: prefixRange(keys.tokens).end }, ''],
    ['the secret of the nodes', singleKey(keys.secret), ''],
    ['all of access', prefixRange(keys.access), ''],
    ['the whole prefix', prefixRange('/cron/'), ''],
    ['from before access to behind it', { start: '/cron/a', end: '/cron/b' }, ''],
    ['another prefix', prefixRange('/other/'), ''],
    ['one that begins alike', prefixRange('/cronies/'), ''],
    ['beyond the prefix', { start: '/cron/jobs/', end: '/d' }, ''],
    ['everything from here on, as etcd takes it', { start: '/cron/jobs/', end: '\0' }, ''],
  ])('%s', (_, range, roles) => {
    expect(readersOf(range)).toBe(roles);
  });

  it('by a compare or a get within a transaction is the same', async () => {
    expect(await rolesThatMay(txn(get(keys.job('a'))))).toBe(ALL);
    expect(await rolesThatMay(txn(get(keys.secret)))).toBe('');
    expect(await rolesThatMay({ compare: [absent(keys.secret)], success: [] })).toBe('');
    expect(await rolesThatMay({ compare: [], success: [], failure: [get(keys.secret)] })).toBe('');
  });
});

describe('writing', () => {
  const firing = manualFiring('ann');
  const run = (value: string, compare = [modifiedAt(keys.job('a'), 3), absent(MANUAL)]): Txn => ({
    compare,
    success: [put(MANUAL, value)],
  });
  const kill = (by: string): Txn => ({
    compare: [exists(keys.firings + RUN)],
    success: [put(keys.kills + RUN, json({ by, reason: 'x', at: AT }))],
  });

  it.each<[string, Txn, string]>([
    ['a definition', txn(put(keys.job('a'), JOB)), 'admin'],
    ['a broken one', txn(put(keys.job('a'), '{"schedule":"@daily"}')), ''],
    ['one under a name that is none', txn(put(keys.job('a b'), JOB)), ''],
    ['the end of a job', txn(del(keys.job('a'))), 'admin'],
    ['a mark', txn(put(keys.setOf('a'), encodeMark('team'))), 'admin'],
    ['a damaged mark', txn(put(keys.setOf('a'), '1')), ''],
    ['a limit', txn(put(keys.limit('db'), '{"size":3}')), 'admin'],
    ['a limit that is none', txn(put(keys.limit('db'), '"3"')), ''],
    ['a request to end a run', kill('ann'), 'operator admin'],
    ['the same in another name', kill('bob'), ''],
    ['the same of what may not be there', { ...kill('ann'), compare: [] }, ''],
    [
      'the same, with a compare that holds where there is none',
      { ...kill('ann'), compare: [{ ...exists(keys.firings + RUN), to: 5 }] },
      '',
    ],
    ['a run by hand', run(encodeFiring(firing)), 'operator admin'],
    ['one in another name', run(encodeFiring(manualFiring('bob'))), ''],
    ['one that does not look at its job', run(encodeFiring(firing), [absent(MANUAL)]), ''],
    ['one in the place of another', run(encodeFiring(firing), [modifiedAt(keys.job('a'), 3)]), ''],
    ['one that a worker has', run(encodeFiring({ ...firing, node: 'w1', attempt: 1 })), ''],
    ['one of the schedule', run(encodeFiring({ ...firing, origin: 'schedule' })), ''],
    ['a drain', txn(put(keys.drain('w1'), json({ by: 'ann', reason: null, at: AT }))), 'operator admin'],
    ['its end', txn(del(keys.drain('w1'))), 'operator admin'],
    [
      'a hand-over',
      { compare: [createdAt(keys.leader, 7)], success: [put(keys.handover, json({ by: 'ann', at: AT }))] },
      'operator admin',
    ],
    ['one of nobody in office', txn(put(keys.handover, json({ by: 'ann', at: AT }))), ''],
    ['the leader', txn(del(keys.leader)), ''],
    ['the cursor', txn(del(keys.cursor)), ''],
    ['a worker', txn(put(keys.worker('w1'), '{}')), ''],
    ['a lock', txn(del(`${keys.locks}${RUN}`)), ''],
    ['a record', txn(put(`${keys.runs}${RUN}`, '{}')), ''],
    ['the secret', txn(put(keys.secret, 'x')), ''],
    ['the audit record', txn(del(`${keys.audit}1`)), ''],
    ['a range', txn({ type: 'delete', key: keys.jobs, end: `${keys.jobs}z` }), ''],
    ['where a compare fails', { compare: [], success: [], failure: [put(keys.job('a'), JOB)] }, ''],
    ['elsewhere', txn(put('/other/jobs/a', JOB)), ''],
  ])('%s', async (_, made, roles) => {
    expect(await rolesThatMay(made)).toBe(roles);
  });
});
