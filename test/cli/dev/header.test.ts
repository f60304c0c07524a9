import { expect, test } from 'vitest';
import { formatHeader } from '../../../src/cli/dev/header.js';

const facts = {
  etcdVersion: '3.4.23',
  endpoints: ['127.0.0.1:2000'],
  prefix: '/cron',
  dataDir: null,
  etcdctl: 'etcdctl',
  logDir: '/tmp/logs',
  page: 'http://127.0.0.1:8470',
  jobs: '1 job',
  workers: [
    { name: 'w-1', pid: 11 },
    { name: 'w-2', pid: 12 },
  ],
};

test('the header says where everything is and has commands to paste', () => {
  expect(formatHeader(facts, false)).toEqual([
    '',
    'etcd     etcd 3.4.23 at 127.0.0.1:2000, data deleted at the end',
    'page     http://127.0.0.1:8470',
    'jobs     1 job',
    `add one  etcdctl --endpoints=127.0.0.1:2000 put /cron/jobs/hello '{"schedule":"*/5 * * * * *","command":"echo hello"}'`,
    'look     npx etcron --endpoints 127.0.0.1:2000 status',
    'logs     /tmp/logs',
    'workers  kill -9 11   # w-1: watch another worker take over',
    '         kill -9 12   # w-2',
    'stop     Ctrl-C',
    '',
  ]);
});

test('an etcd that is not ours, with a prefix', () => {
  const lines = formatHeader(
    { ...facts, etcdVersion: null, endpoints: ['a:1', 'b:2'], prefix: '/team/cron' },
    false,
  );
  expect(lines).toContain('etcd     etcd at a:1,b:2');
  expect(lines).toContain('look     npx etcron --endpoints a:1,b:2 --prefix /team/cron status');
});
