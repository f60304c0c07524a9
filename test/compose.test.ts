/** docker-compose.yml, the Dockerfile and what they refer to agree with each other. */
import { describe, expect, test } from 'vitest';
import { NODE_DEFAULTS } from '../src/node/options.js';
import { readComposeFile, readProjectFile } from './support/compose-file.js';

const { services, volumes } = readComposeFile();
const etcds = ['etcd1', 'etcd2', 'etcd3'];
const workers = ['worker1', 'worker2', 'worker3'];

test('the services are three etcd members, three workers and one that applies the example', () => {
  expect(Object.keys(services)).toEqual([...etcds, ...workers, 'apply']);
});

test.each(etcds)(
  '%s compacts, says whether it is healthy, and keeps its data in a volume of its own',
  (name) => {
    const service = services[name]!;
    expect(service.environment).toMatchObject({
      ETCD_AUTO_COMPACTION_MODE: 'periodic',
      ETCD_AUTO_COMPACTION_RETENTION: '5m',
    });
    expect(service.healthcheck?.test.join(' ')).toMatch(/^CMD etcdctl .*endpoint health$/);
    expect(service.command).toContain('--data-dir=/var/lib/etcd');
    expect(service.volumes).toEqual([`${name}:/var/lib/etcd`]);
    expect(service.command).toContain(`--initial-advertise-peer-urls=http://${name}:2380`);
    expect(service.environment.ETCD_INITIAL_CLUSTER).toContain(`${name}=http://${name}:2380`);
  },
);

test.each(workers)('%s knows all members, waits for them, and has time to drain', (name) => {
  const service = services[name]!;
  expect(service.command).toEqual(['worker']);
  expect(service.environment.ETCRON_ENDPOINTS).toBe(etcds.map((etcd) => `http://${etcd}:2379`).join(','));
  expect(service.depends_on).toEqual(
    Object.fromEntries(etcds.map((etcd) => [etcd, { condition: 'service_healthy' }])),
  );
  expect(service.healthcheck?.test).toEqual(['CMD', 'etcron', 'status']);
  const graceMs = Number(/^(\d+)s$/.exec(service.stop_grace_period ?? '')?.[1]) * 1000;
  expect(graceMs).toBeGreaterThan(NODE_DEFAULTS.drainGraceMs + NODE_DEFAULTS.killGraceMs);
  expect(service.volumes).toEqual([`${name}:/var/lib/etcron`]);
});

test('apply runs once, on the example in the repository', () => {
  const { command, restart, volumes: mounts } = services.apply!;
  expect(restart).toBe('no');
  expect(mounts).toEqual([`./jobs.example.yaml:${command.at(-1)}:ro`]);
});

test('each named volume is declared, and each declared one is used', () => {
  const used = Object.values(services).flatMap((service) =>
    service.volumes.map((mount) => mount.split(':')[0]!),
  );
  expect(used.filter((name) => !name.startsWith('.')).sort()).toEqual(Object.keys(volumes).sort());
});

describe('the image', () => {
  const dockerfile = readProjectFile('Dockerfile');

  test('it runs as a user without rights, below an init, with a health check', () => {
    const final = dockerfile.slice(dockerfile.lastIndexOf('FROM'));
    expect(final).toMatch(/^USER node$/m);
    expect(final).toMatch(/^ENTRYPOINT \["tini", "--", "etcron"\]$/m);
    expect(final).toMatch(/^HEALTHCHECK .*CMD \["etcron", "status"\]$/m);
  });

  test('every file that it copies is let through by .dockerignore', () => {
    const allowed = readProjectFile('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'));
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap((line) =>
      line[1]!.split(' '),
    );
    expect(copied.map((file) => `!${file.replace('./', '')}`).sort()).toEqual([...allowed].sort());
  });
});
