import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveWorkerSettings, type WorkerSources } from '../../src/cli/worker/resolve-settings.js';
import { WORKER_SETTINGS } from '../../src/node/worker-settings.js';
import { CONNECTION_SETTINGS } from '../../src/etcd/connection-settings.js';
import { NODE_DEFAULTS } from '../../src/node/options.js';
import { LOG_LEVELS } from '../../src/telemetry/logger.js';

let folder: string;
let empty: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'etcron-worker-'));
  empty = await config('empty.yaml', '');
});

afterAll(() => rm(folder, { recursive: true }));

async function config(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

function settings(sources: Partial<WorkerSources> = {}) {
  return resolveWorkerSettings({ flags: {}, env: {}, configPath: empty, isTTY: false, ...sources });
}

describe('the settings of a worker', () => {
  test('without any', async () => {
    const { node, log } = await settings();
    expect(node).toMatchObject({ ...NODE_DEFAULTS, name: expect.stringMatching(/^[A-Za-z0-9]/) as string });
    expect(log).toEqual({ level: 'info', format: 'json' });
    expect((await settings({ isTTY: true })).log.format).toBe('pretty');
  });

  test('flags over environment over file', async () => {
    const configPath = await config(
      'all.yaml',
      'worker:\n  name: file\n  capacity: 3\n  leaseTtl: 5s\n  labels: { zone: eu, disk: ssd }\n',
    );
    const { node } = await settings({
      configPath,
      env: { ETCRON_NAME: 'env', ETCRON_CAPACITY: '4', ETCRON_LEASE_TTL: '' },
      flags: { name: 'flag' },
    });
    expect(node).toMatchObject({
      name: 'flag',
      capacity: 4,
      leaseTtlMs: 5_000,
      labels: { zone: 'eu', disk: 'ssd' },
    });
  });

  test('files of the TLS of the API, and what of them needs each other', async () => {
    const files = { apiCert: 'a.crt', apiKey: '/k', apiPeerCa: 'peers.pem' };
    const { api } = await settings({ flags: files });
    expect(api).toMatchObject({
      tls: { cert: resolve('a.crt'), key: '/k', clientCa: null },
      peerCa: resolve('peers.pem'),
    });
    // A worker without TLS of its own may ask others that have it.
    expect((await settings({ env: { ETCRON_API_PEER_CA: '/ca' } })).api).toMatchObject({
      ...{ tls: null, peerCa: '/ca' },
    });
    await expect(settings({ flags: { apiCert: 'a' } })).rejects.toMatchObject({
      code: 'ETCRON_CONFIG_INVALID',
    });
  });

  test('labels as repeated flags and in one variable', async () => {
    expect((await settings({ flags: { label: ['a=1', 'b=x=y', 'c='] } })).node.labels).toEqual({
      a: '1',
      b: 'x=y',
      c: '',
    });
    expect((await settings({ env: { ETCRON_LABELS: 'a=1, b=2' } })).node.labels).toEqual({ a: '1', b: '2' });
  });

  test('the horizon and the stride follow the lease', async () => {
    const long = (await settings({ flags: { leaseTtl: '60s' } })).node;
    expect(long).toMatchObject({ leaseTtlMs: 60_000, horizonMs: 90_000, strideMs: NODE_DEFAULTS.strideMs });
    const tight = (await settings({ flags: { leaseTtl: '2s', horizon: '3s' } })).node;
    expect(tight).toMatchObject({ horizonMs: 3_000, strideMs: 500 });
  });

  test.each<[WorkerSources['flags'], string]>([
    [{ leaseTtl: '1s' }, '--lease-ttl: leaseTtl: must be from 2s to 10m'],
    [{ leaseTtl: '10' }, '--lease-ttl: leaseTtl: write a duration'],
    [{ horizon: '10s' }, '--horizon: a horizon of 10s is not longer than the lease TTL of 10s'],
    [
      { horizon: '20s', claimLead: '30s' },
      '--claim-lead: a claim lead of 30s is not shorter than the horizon of 20s',
    ],
    [{ capacity: '0' }, '--capacity: capacity: must be a whole number from 1'],
    [{ name: 'a b' }, '--name: name: must be letters'],
    [{ label: ['zone'] }, '--label: labels: must be key=value'],
    [{ logLevel: 'loud' }, '--log-level: logLevel: must be one of trace'],
    [{ logFormat: 'xml' }, '--log-format: logFormat: must be one of json, pretty'],
  ])('%j is refused', async (flags, message) => {
    await expect(settings({ flags })).rejects.toMatchObject({
      code: 'ETCRON_CONFIG_INVALID',
      message: expect.stringContaining(message) as string,
    });
  });

  test('a wrong value in the file is named with its line, an unknown key with what was meant', async () => {
    const wrong = await config('wrong.yaml', 'worker:\n  capacity: many\n');
    await expect(settings({ configPath: wrong })).rejects.toThrow(
      `${wrong}:2: capacity: must be a whole number`,
    );
    const unknown = await config('unknown.yaml', 'worker:\n  capacitiy: 3\n');
    await expect(settings({ configPath: unknown })).rejects.toMatchObject({
      code: 'ETCRON_CONFIG_INVALID',
      hint: 'Did you mean "capacity"?',
    });
  });

  test('log levels are those of the logger, and no name means two things', () => {
    for (const level of LOG_LEVELS) {
      expect(WORKER_SETTINGS.logLevel.schema.safeParse(level).success).toBe(true);
    }
    const all = [...Object.values(WORKER_SETTINGS), ...Object.values(CONNECTION_SETTINGS)];
    expect(new Set(all.map(({ flag }) => flag)).size).toBe(all.length);
    expect(new Set(all.map(({ variable }) => variable)).size).toBe(all.length);
  });

  test('the defaults in the help are those of the node', async () => {
    const { node } = await settings();
    const texts: [keyof typeof WORKER_SETTINGS, number][] = [
      ['capacity', node.capacity],
      ['leaseTtl', node.leaseTtlMs / 1_000],
      ['drainGrace', node.drainGraceMs / 1_000],
      ['killGrace', node.killGraceMs / 1_000],
      ['horizon', node.horizonMs / 1_000],
      ['claimLead', node.claimLeadMs],
      ['stagger', node.staggerMs],
    ];
    for (const [name, value] of texts) expect(parseInt(WORKER_SETTINGS[name].defaultText)).toBe(value);
  });
});
