import { expect, test } from 'vitest';
import { WorkerLog } from '../../../src/cli/dev/worker-log.js';

function read(line: string | object, isError = false) {
  const text = typeof line === 'string' ? line : JSON.stringify(line);
  const event = new WorkerLog().read('w-1', text, isError, 0);
  return event && [event.level, event.text];
}

test('warnings and errors come with their facts, the rest stays in the file', () => {
  expect(read({ level: 30, msg: 'started' })).toBeNull();
  expect(read({ level: 40, msg: 'odd', mirror: 'jobs', node: 'w-1-abc', time: 'x' })).toEqual([
    'warn',
    'odd mirror=jobs',
  ]);
  expect(read({ level: 50, msg: 'bad', err: { message: 'boom', stack: '…' }, keys: ['a'] })).toEqual([
    'error',
    'bad err=boom keys=["a"]',
  ]);
});

test('what the feed tells anyway is left out', () => {
  expect(read({ level: 40, msg: 'finished', job: 'a', outcome: 'failed' })).toBeNull();
  expect(
    read({ level: 40, msg: 'this job is broken', job: 'a', path: 'schedule', message: 'is empty' }),
  ).toBeNull();
});

test('lines that are no log come from stderr only', () => {
  expect(read('error: etcd is down [ETCRON_ETCD_UNREACHABLE]', true)).toEqual([
    'error',
    'error: etcd is down [ETCRON_ETCD_UNREACHABLE]',
  ]);
  expect(read('hello')).toBeNull();
  expect(read('{ broken', true)).toEqual(['error', '{ broken']);
  expect(read('  ', true)).toBeNull();
});

test('what several workers say at the same time is said once', () => {
  const log = new WorkerLog();
  const line = JSON.stringify({ level: 40, msg: 'etcd is slow' });
  expect(log.read('w-1', line, false, 0)).not.toBeNull();
  expect(log.read('w-2', line, false, 9_999)).toBeNull();
  expect(log.read('w-2', line, false, 10_000)).not.toBeNull();
});
