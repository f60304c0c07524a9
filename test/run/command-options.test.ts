/** What the options of a command do, with real processes. As root and as anybody else the expectations differ. */
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { getPriority, userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { planLaunch, type LaunchRequest } from '../../src/run/launch.js';
import { spawnInOwnSession } from '../../src/run/spawn.js';
import { useRuns, WAYS, type Command, type Overrides } from './support.js';

/** Another user, who is known on every system; what its group is called differs. */
const nobody = {
  group: execFileSync('id', ['-gn', 'nobody'], { encoding: 'utf8' }).trim(),
  gid: execFileSync('id', ['-g', 'nobody'], { encoding: 'utf8' }).trim(),
  uid: execFileSync('id', ['-u', 'nobody'], { encoding: 'utf8' }).trim(),
  home: /^nobody:(?:[^:]*:){4}([^:]*)/m.exec(readFileSync('/etc/passwd', 'utf8'))?.[1] ?? '',
};
const isRoot = process.getuid?.() === 0;
/** What only root may do can only be shown as root, and what it is refused otherwise only as somebody else. */
type Test = (name: string, body: () => Promise<void>) => void;
const asRoot: Test = isRoot ? it : () => undefined;
const asOther: Test = isRoot ? () => undefined : it;

describe.each(WAYS)('a command, %s', (way) => {
  const runs = useRuns(way);

  async function output(command: Command, overrides?: Overrides): Promise<string> {
    const { ending, stdout, stderr } = await runs.start(command, overrides).result;
    expect([ending, stderr.text]).toEqual([{ kind: 'exited', exitCode: 0 }, '']);
    return stdout.text.trim();
  }

  async function failure(command: Command, overrides?: Overrides): Promise<string> {
    const { ending } = await runs.start(command, overrides).result;
    return ending.kind === 'start-failed' ? ending.message : ending.kind;
  }

  describe('user and group', () => {
    asRoot('are those of the job, with the variables of that user', async () => {
      const options = { user: 'nobody', cwd: '/' };
      expect(await output('id -un; id -gn; id -G; echo $HOME $USER $LOGNAME', options)).toBe(
        `nobody\n${nobody.group}\n${nobody.gid}\n${nobody.home} nobody nobody`,
      );
      expect(await output('id -u; id -G; echo $HOME', { ...options, user: nobody.uid, group: '0' })).toBe(
        `${nobody.uid}\n0 ${nobody.gid}\n${nobody.home}`,
      );
      expect(await output('id -u; id -G; echo $USER', { user: null, group: nobody.group, cwd: '/' })).toBe(
        `0\n${nobody.gid}`,
      );
      expect(await output('echo $HOME', { ...options, env: { HOME: '/tmp' } })).toBe('/tmp');
    });

    asRoot('may be numbers without a name, if both are given', async () => {
      expect(
        await output('id -u; id -G; echo $HOME [$USER]', { user: '4242', group: '4243', cwd: '/' }),
      ).toBe('4242\n4243\n/ []');
      expect(await failure('true', { user: '4242' })).toMatch(/has no user 4242, and so no group/);
    });

    asRoot('bring the other groups of the user along', async () => {
      const account = { uid: 65534, gid: 65534, groups: [65534, 4, 20], name: 'nobody', home: '/' };
      expect(await launched(['sh', '-c', 'id -u; id -G; echo "$1"', 'x', 'a  b'], { account })).toBe(
        '65534\n65534 4 20\na  b',
      );
      const own = userInfo();
      expect(await output('id -G', { user: own.username })).toBe(
        (await launched(['id', '-G', own.username], {})).trim(),
      );
    });

    asRoot('are found out before anything starts', async () => {
      expect(await failure('true', { user: 'nobodi' })).toBe("this worker's machine has no user nobodi");
      expect(await failure('true', { group: 'nogrup' })).toBe("this worker's machine has no group nogrup");
      const path = join(runs.directory, 'secret.sh');
      writeFileSync(path, '#!/bin/sh\n');
      chmodSync(path, 0o700);
      expect(await failure([path], { user: 'nobody', cwd: '/' })).toBe(
        `the user nobody may not execute "${path}" in "/"`,
      );
    });

    asRoot('end with everything they started, like any run', async () => {
      const run = await runs.begin(`trap '' TERM; sleep 1000 & echo > /dev/null; wait`, {
        user: 'nobody',
        cwd: '/',
      });
      run.kill('enough', 0);
      expect((await run.result).ending).toMatchObject({ kind: 'killed', signal: 'SIGKILL' });
    });

    asOther('are refused to a worker that is not root, except its own', async () => {
      const { username, uid } = userInfo();
      expect(await failure('true', { user: 'root' })).toBe(
        `this worker cannot run a command as user root: it does not run as root itself (uid ${uid})`,
      );
      expect(await output('id -un', { user: username })).toBe(username);
    });
  });

  describe('umask', () => {
    it('is set for the command and not for the worker', async () => {
      const before = process.umask();
      expect(await output('umask; touch f; stat -c %a f', { umask: 0o027 })).toBe('0027\n640');
      expect(await output('umask', { umask: 0 })).toBe('0000');
      expect(process.umask()).toBe(before);
      expect(await failure(['/does/not/exist'], { umask: 0o077 })).toMatch(/does not exist/);
      expect(process.umask()).toBe(before);
    });
  });

  describe('nice', () => {
    it('holds from the first instruction on, for the whole tree, and keeps arguments and signals', async () => {
      const wanted = getPriority() + 3;
      const printNice = 'cut -d" " -f19 /proc/self/stat';
      expect(await output(`${printNice}; sh -c '${printNice}'`, { nice: wanted })).toBe(
        `${wanted}\n${wanted}`,
      );
      expect(await output(['printf', '%s|', '$HOME', '', '-n', 'a b'], { nice: wanted })).toBe(
        '$HOME||-n|a b|',
      );
      const run = await runs.begin(['sleep', '1000'], { nice: wanted });
      expect(run.processGroupId).toBe(run.pid);
      run.kill('enough');
      expect((await run.result).ending).toMatchObject({ kind: 'killed', signal: 'SIGTERM' });
    });

    it('that is the own one costs nothing', () => {
      expect(plan(['true'], { nice: getPriority() }).file).toBe('true');
    });

    it('does not hide that a program is missing', async () => {
      expect(await failure(['no-such-program'], { nice: getPriority() + 1 })).toMatch(/is not in the PATH/);
    });

    asRoot('may be negative, also for another user', async () => {
      const options = { nice: -3, user: 'nobody', cwd: '/' };
      expect(await output('id -un; cut -d" " -f19 /proc/self/stat', options)).toBe('nobody\n-3');
    });

    asOther('may not be less than the own one', async () => {
      expect(await failure('true', { nice: getPriority() - 1 })).toMatch(/only root may go below/);
    });
  });

  describe('stdin', () => {
    it('is fed and closed', async () => {
      const text = 'é'.repeat(30_000);
      expect(await output('wc -c; echo end', { stdin: text })).toBe('60000\nend');
      expect(await output('cat', { stdin: '' })).toBe('');
    });

    it('need not be read', async () => {
      expect(await output('exec <&-; echo done', { stdin: 'x'.repeat(60_000) })).toBe('done');
      expect(await output(['true'], { stdin: 'x'.repeat(60_000) })).toBe('');
      expect(await failure(['/does/not/exist'], { stdin: 'x' })).toMatch(/does not exist/);
    });
  });

  describe('templates', () => {
    const overrides = {
      timezone: 'Europe/Berlin',
      previousDueMs: () => Date.UTC(2026, 10, 20, 14),
    };

    it('are filled in, in words, variables and what is read', async () => {
      const command = ['sh', '-c', 'echo "$1 $DUE"; cat', 'x', '{{ job }} {{ due | dd.MM.yyyy HH:mm }}'];
      const options = {
        ...overrides,
        env: { DUE: '{{ due }}' },
        stdin: '{{ previousDue | EEE }} {{ attempt }}',
      };
      expect(await output(command, options)).toBe('backup 21.11.2026 15:00 2026-11-21T14:00:00.000Z\nFri 2');
    });

    it('are one word each for the shell, and the rest is the shell as ever', async () => {
      const command = `for a in {{ due | yyyy-MM-dd }} {{ due | 'it''s; $HOME' }} "{{ runId }}" \${HOME:+home}; do echo "<$a>"; done`;
      expect(await output(command, overrides)).toBe(
        ['<2026-11-21>', "<it's; $HOME>", '<backup/2026-11-21T14:00:00.000Z>', '<home>'].join('\n'),
      );
      const first = { ...overrides, previousDueMs: () => null };
      expect(await output('set -- {{ previousDue }} {{ fencingToken }}; echo $#', first)).toBe('2');
    });
  });

  it('fails as a run, not as a worker, when a definition is none', async () => {
    expect(await failure('echo {{ nonsense }}')).toMatch(
      /^it cannot be prepared: has a template that is not known/,
    );
  });

  describe('secrets', () => {
    it('are variables of the command, and stars in what it tells', async () => {
      const path = join(runs.directory, 'token');
      writeFileSync(path, 'hunter22\n');
      const secrets = { TOKEN: { file: path } };
      const command =
        'test "$TOKEN" = hunter22 && echo "a $TOKEN" && printf %s hun >&2; sleep 0.05; echo ter22 >&2; exit 3';
      const { ending, stdout, stderr } = await runs.start(command, { secrets }).result;
      expect([ending, stdout.text, stderr.text]).toEqual([
        { kind: 'exited', exitCode: 3 },
        'a ***\n',
        '***\n',
      ]);
      expect(stdout.totalBytes).toBe('a hunter22\n'.length);
    });

    it('that are missing keep it from starting', async () => {
      const secrets = { TOKEN: { env: 'NO_SUCH_VARIABLE' } };
      expect(await failure('touch started', { secrets })).toBe(
        'the secret TOKEN cannot be read: this worker has no variable NO_SUCH_VARIABLE',
      );
    });
  });
});

function plan(command: Command, options: Partial<LaunchRequest>) {
  const launch = planLaunch({
    ...{ command, env: { PATH: '/usr/bin:/bin' }, cwd: '/', umask: null, nice: null, stdin: null },
    ...{ account: null, ...options },
  });
  if ('failure' in launch) throw new Error(launch.failure.message);
  return launch;
}

async function launched(command: Command, options: Partial<LaunchRequest>): Promise<string> {
  const started = spawnInOwnSession(plan(command, options));
  if ('error' in started) throw new Error(String(await started.error));
  const chunks: Buffer[] = [];
  for await (const chunk of started.stdout) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString().trim();
}
