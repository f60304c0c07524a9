import { expect, test } from 'vitest';
import { applyJobs } from '../../../src/cli/dev/apply-jobs.js';
import { Keys } from '../../../src/etcd/keys.js';
import { prefixRange } from '../../../src/etcd/store.js';
import { put } from '../../../src/etcd/txn.js';
import { parseJobsFile } from '../../../src/jobs/index.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../../src/testing/memory-etcd.js';

const keys = new Keys();

function jobsFile(count: number, command = 'true') {
  const lines = Array.from(
    { length: count },
    (_, n) => `  job-${n}: { schedule: "@hourly", command: "${command}" }`,
  );
  return parseJobsFile(['jobs:', ...lines].join('\n'), 'jobs.yaml');
}

test('jobs are created, updated and left alone, however many, and applying again changes nothing', async () => {
  const server = new MemoryEtcd(new FakeClock());
  const store = server.connect();
  await store.txn({ compare: [], success: [put(keys.job('other'), '{}'), put(keys.job('job-3'), 'broken')] });
  const kinds = async (files: ReturnType<typeof jobsFile>) =>
    new Set((await applyJobs({ store, keys }, files)).map(({ kind }) => kind));
  expect(await kinds(jobsFile(120))).toEqual(new Set(['create', 'update']));
  const { revision } = server;
  expect(await kinds(jobsFile(120))).toEqual(new Set(['unchanged']));
  expect(server.revision).toBe(revision);
  expect(await kinds(jobsFile(2, 'false'))).toEqual(new Set(['update']));
  expect((await store.range(prefixRange(keys.jobs))).count).toBe(121);
});

test('a change by somebody else at the same time is a conflict, not a lost write', async () => {
  const server = new MemoryEtcd(new FakeClock());
  const other = server.connect();
  const store = server.connect({
    intercept: async ({ method, phase }) => {
      if (method === 'txn' && phase === 'request')
        await other.txn({ compare: [], success: [put(keys.job('job-0'), 'theirs')] });
    },
  });
  await expect(applyJobs({ store, keys }, jobsFile(1))).rejects.toMatchObject({ code: 'ETCRON_CONFLICT' });
  expect((await other.range(prefixRange(keys.jobs))).kvs[0]?.value.toString()).toBe('theirs');
});
