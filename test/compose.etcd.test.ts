/** The etcd members of docker-compose.yml, started with the very flags and environment of that file on this machine. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../src/clock.js';
import { etcdEnvironment, spawnEtcd, waitUntilHealthy } from '../src/etcd/embedded/etcd-process.js';
import { findEtcd } from '../src/etcd/embedded/find-etcd.js';
import { freePorts } from '../src/etcd/embedded/free-port.js';
import { readComposeFile } from './support/compose-file.js';
import { etcdctl } from './support/etcd.js';

test('the three members form a cluster, and their health check passes', async () => {
  const { services } = readComposeFile();
  const dir = await mkdtemp(join(tmpdir(), 'etcron-test-compose-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const names = Object.keys(services).filter((name) => name.startsWith('etcd'));
  const ports = await freePorts(names.length * 2);

  /** Container addresses become loopback ones, the container's data folder one below `dir`. */
  const localize = (text: string, self: string): string =>
    text
      .replace(/http:\/\/([\w.]+):(2379|2380)/g, (_, host: string, port: string) => {
        const index = names.indexOf(names.includes(host) ? host : self);
        return `http://127.0.0.1:${ports[index * 2 + (port === '2379' ? 0 : 1)]}`;
      })
      .replace('/var/lib/etcd', join(dir, self));

  const { etcd: binary } = await findEtcd();
  const members = await Promise.all(
    names.map((name) => {
      const { command, environment } = services[name]!;
      const [program, ...flags] = command;
      expect(program).toBe('etcd');
      const env = Object.entries(environment).map(([key, value]) => [key, localize(value, name)]);
      return spawnEtcd(
        binary,
        flags.map((flag) => localize(flag, name)),
        {
          clock: systemClock,
          env: { ...etcdEnvironment(process.env), ...(Object.fromEntries(env) as NodeJS.ProcessEnv) },
          removeWhenOrphaned: dir,
        },
      );
    }),
  );
  onTestFinished(async () => void (await Promise.all(members.map((member) => member.stop(10_000)))));

  for (const [index, member] of members.entries()) {
    const problem = await waitUntilHealthy(member, `http://127.0.0.1:${ports[index * 2]}`, {
      clock: systemClock,
      deadlineMs: 50_000,
    });
    expect(problem, member.lastLines().join('\n')).toBeNull();
  }
  for (const name of names) {
    const [, program, ...args] = services[name]!.healthcheck!.test;
    expect(program).toBe('etcdctl');
    await etcdctl(
      args.map((arg) => localize(arg, name)),
      { endpoints: [] },
    );
  }
  const list = await etcdctl(['member', 'list'], { endpoints: [`http://127.0.0.1:${ports[0]}`] });
  expect(list.split('\n').map((line) => line.split(', ')[2])).toEqual(expect.arrayContaining(names));
});
