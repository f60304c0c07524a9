/** A program that has installed the packed package: `node consumer.mjs`, from the folder that it is installed in. */
import assert from 'node:assert/strict';
import { defineJob, EtcronError } from 'etcron';
import { createTestCluster } from 'etcron/testing';
import schema from 'etcron/jobs.schema.json' with { type: 'json' };
import { z } from 'zod';

const report = defineJob({
  name: 'report',
  schedule: '0 6 * * *',
  payload: z.object({ region: z.string() }),
  data: { region: 'north' },
  handler: ({ payload }) => payload.region,
});
const cluster = await createTestCluster({ jobs: [report], workers: 3, start: '2026-03-01T00:00:00Z' });
await cluster.advance('31d');
const runs = cluster.runs('report');
assert.equal(runs.length, 31);
assert.ok(runs.every(({ outcome, stdout }) => outcome === 'succeeded' && stdout === '"north"'));
await cluster.close();
assert.throws(() => defineJob({ name: 'report', schedule: 'never', handler: () => 1 }), EtcronError);
assert.ok(schema.definitions);
console.log('etcron and etcron/testing work from the packed package');
