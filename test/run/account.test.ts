import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { findAccount, type WorkerIds } from '../../src/run/account.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

const idOf = (option: string): number =>
  Number(execFileSync('id', [option, 'nobody'], { encoding: 'utf8' }).trim());
const [uid, gid] = [idOf('-u'), idOf('-g')];
const group = execFileSync('id', ['-gn', 'nobody'], { encoding: 'utf8' }).trim();

const find = (user: string | null, wantedGroup: string | null, worker: WorkerIds): unknown => {
  const found = findAccount(user, wantedGroup, new FakeClock(0), worker);
  return found.ok ? found.account : found.failure.message;
};

describe('for a worker that is root, an account', () => {
  const root = { uid: 0, gid: 0 };

  it('has the ids of the names, or of the numbers', () => {
    const account = { uid, gid, groups: [gid], name: 'nobody' };
    expect(find('nobody', null, root)).toMatchObject(account);
    expect(find(String(uid), null, root)).toMatchObject(account);
    expect(find('nobody', '0', root)).toMatchObject({ ...account, gid: 0 });
    expect(find(null, group, root)).toEqual({ uid: 0, gid, groups: [gid], name: null, home: null });
    expect(find('54321', '54322', root)).toEqual({
      ...{ uid: 54321, gid: 54322, groups: [54322], name: null, home: '/' },
    });
    expect(find(null, null, root)).toBeNull();
  });

  it('has to be there', () => {
    expect(find('nobodi', null, root)).toBe("this worker's machine has no user nobodi");
    expect(find('nobody', 'nogrup', root)).toBe("this worker's machine has no group nogrup");
    expect(find('54321', null, root)).toBe("this worker's machine has no user 54321, and so no group for it");
  });
});

describe('for any other worker', () => {
  const nobody = { uid, gid };

  it('only its own is one', () => {
    expect(find('nobody', null, nobody)).toBeNull();
    expect(find('nobody', group, nobody)).toBeNull();
    expect(find(null, String(gid), nobody)).toBeNull();
    expect(find('nobody', null, { uid, gid: 0 })).toBeNull();
    expect(find('54321', null, { uid: 54321, gid: 0 })).toBeNull();
  });

  it('all others are refused', () => {
    const not = (asked: string): string =>
      `this worker cannot run a command as ${asked}: it does not run as root itself (uid ${uid})`;
    expect(find('root', null, nobody)).toBe(not('user root'));
    expect(find('nobody', '0', nobody)).toBe(not('user nobody and group 0'));
    expect(find(null, '0', nobody)).toBe(not('group 0'));
  });
});
