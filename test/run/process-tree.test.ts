import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findMarkedProcesses, findTree, signalProcess } from '../../src/run/process-tree.js';
import { readProcess } from '../../src/run/process-table.js';
import { GRACE_MS, processRuns, until, useRuns, WAYS } from './support.js';

const EXITED = { kind: 'exited', exitCode: 0 };

describe.each(WAYS)('a command, %s', (way) => {
  const runs = useRuns(way);

  async function pidIn(file: string): Promise<number> {
    return Number(await runs.file(file));
  }

  describe('a command that ends and leaves processes behind', () => {
    it('has the members of its group ended, and does not wait for the output that they hold open', async () => {
      const { ending, leftovers, stdout } = await runs.start('sleep 1000 & sleep 1000 & echo done').result;
      expect([ending, leftovers, stdout.text]).toEqual([EXITED, 2, 'done\n']);
    });

    it('has the members of its group ended that gave up the output, too', async () => {
      const { ending, leftovers } = await runs.start('sleep 1000 > log 2>&1 &').result;
      expect([ending, leftovers]).toEqual([EXITED, 1]);
    });

    it('has background jobs with groups of their own ended', async () => {
      const command = ['bash', '-c', 'set -m; sleep 1000 & exit 0'];
      const { ending, leftovers } = await runs.start(command).result;
      expect([ending, leftovers]).toEqual([EXITED, 1]);
    });

    it('has those that ignore SIGTERM ended after the grace', async () => {
      const command = `(trap '' TERM; echo > ready; exec sleep 1000) & while [ ! -e ready ]; do sleep 0.01; done`;
      const run = runs.start(command);
      await until(async () => (await runs.held(GRACE_MS)) === 1);
      await runs.fire(GRACE_MS);
      expect(await run.result).toMatchObject({ ending: EXITED, leftovers: 1 });
    });

    it('stays what it was, exited, when a kill hurries that', async () => {
      const command = `(trap '' TERM; echo > ready; exec sleep 1000) & while [ ! -e ready ]; do sleep 0.01; done`;
      const run = runs.start(command);
      await until(async () => (await runs.held(GRACE_MS)) === 1);
      run.kill('shutdown', 0);
      expect((await run.result).ending).toEqual(EXITED);
    });

    it('has a process of another session ended that holds its output open', async () => {
      const { ending, leftovers } = await runs.start('(setsid sleep 1000 &)').result;
      expect([ending, leftovers]).toEqual([EXITED, 1]);
    });

    it('keeps a daemon with a session and an output of its own', async () => {
      const run = runs.start(
        `setsid sh -c 'echo $$ > daemon; exec sleep 1000' > log 2>&1 & while [ ! -s daemon ]; do sleep 0.01; done`,
      );
      expect(await run.result).toMatchObject({ ending: EXITED, leftovers: 0 });
      const daemon = await pidIn('daemon');
      expect(await findMarkedProcesses(run.marker)).toEqual([daemon]);
      process.kill(daemon, 'SIGKILL');
      await until(() => !processRuns(daemon));
    });

    it('ends although a process in disguise holds its output open', async () => {
      const run = runs.start(
        `setsid env -i sh -c 'echo $$ > disguised; exec sleep 1000' & while [ ! -s disguised ]; do sleep 0.01; done`,
      );
      expect(await run.result).toMatchObject({ ending: EXITED, leftovers: 0 });
      const disguised = await pidIn('disguised');
      expect(processRuns(disguised)).toBe(true);
      process.kill(disguised, 'SIGKILL');
      await until(() => !processRuns(disguised));
    });
  });

  describe('killing a tree', () => {
    it.each([
      ['nested shells', `sh -c 'sh -c "echo \\$\\$ > inner; sleep 1000; :"; :'; :`],
      ['a process of another session', `setsid sh -c 'echo $$ > inner; exec sleep 1000' & wait`],
      ['a daemon', `(setsid sh -c 'echo $$ > inner; exec sleep 1000' > log 2>&1 &); exec sleep 1000`],
      [
        'a member of the group without the marker',
        `env -i sh -c 'echo $$ > inner; exec /bin/sleep 1000' & wait`,
      ],
    ])('reaches %s', async (_name, command) => {
      const run = runs.start(command);
      const inner = await pidIn('inner');
      run.kill('stop');
      expect((await run.result).ending).toMatchObject({ kind: 'killed', signal: 'SIGTERM' });
      expect(processRuns(inner)).toBe(false);
    });

    it('waits for what ignores SIGTERM in another session, and ends it after the grace', async () => {
      const run = await runs.begin(
        `setsid sh -c 'trap "" TERM; echo $$ > inner; while :; do sleep 1000; done' > log 2>&1 & exec sleep 1000`,
      );
      const inner = await pidIn('inner');
      run.kill('stop');
      await until(() => !processRuns(run.pid!));
      expect(processRuns(inner)).toBe(true);
      await runs.fire(GRACE_MS);
      expect((await run.result).ending).toMatchObject({ kind: 'killed', signal: 'SIGTERM' });
      expect(processRuns(inner)).toBe(false);
    });

    it('catches up with a tree that keeps forking', async () => {
      const fork = `trap "" TERM; echo > inner; while :; do setsid sleep 1000 & sleep 0.01; done`;
      const run = runs.start(`setsid sh -c '${fork}' & wait`);
      await runs.file('inner');
      run.kill('stop', 0);
      expect((await run.result).ending).toMatchObject({ kind: 'killed', signal: 'SIGKILL' });
      expect(await findMarkedProcesses(run.marker)).toEqual([]);
    });

    it('catches up with a process that is another one at each look', async () => {
      writeFileSync(
        join(runs.directory, 'flee.sh'),
        'sleep 0.02; echo > fled; setsid sh flee.sh > log 2>&1 &\n',
      );
      const run = runs.start('sh flee.sh; exec sleep 1000');
      await runs.file('fled');
      run.kill('stop', 0);
      expect((await run.result).ending).toMatchObject({ kind: 'killed', signal: 'SIGKILL' });
      expect(await findMarkedProcesses(run.marker)).toEqual([]);
    });

    it('touches no other run', async () => {
      const bystander = runs.start('setsid sh -c "echo > other; exec sleep 1000" & wait');
      await runs.file('other');
      const run = await runs.begin('sleep 1000');
      run.kill('stop', 0);
      await run.result;
      expect(await findMarkedProcesses(bystander.marker)).toHaveLength(2);
      bystander.kill('done', 0);
      await bystander.result;
    });
  });
});

describe('the marker scan', () => {
  const runs = useRuns();

  it('finds every process of a run, wherever it moved to, and nothing else', async () => {
    const run = runs.start(`setsid sh -c 'echo $$ > inner; exec sleep 1000' & exec sleep 1000`);
    const inner = Number(await runs.file('inner'));
    expect((await findMarkedProcesses(run.marker)).sort()).toEqual([run.pid!, inner].sort());
    expect(await findMarkedProcesses(run.marker.slice(1))).toEqual([]);
    const scans = await Promise.all(Array.from({ length: 20 }, () => findMarkedProcesses(run.marker)));
    expect(new Set(scans.map(String)).size).toBe(1);
    run.kill('done');
    await run.result;
  });

  it('sees what was started after it was asked for and while another scan was under way', async () => {
    const earlier = findMarkedProcesses('none');
    const run = runs.start(['sleep', '1000']);
    expect(await findMarkedProcesses(run.marker)).toEqual([run.pid]);
    await earlier;
    run.kill('done');
    await run.result;
  });

  it('does not count processes older than the run as its own', async () => {
    const run = runs.start(['sleep', '1000']);
    const { startTicks } = readProcess(run.pid!)!;
    const tree = { processGroupId: run.pid!, marker: run.marker, startTicks };
    expect((await findTree(tree, true)).map(({ pid }) => pid)).toEqual([run.pid]);
    expect(await findTree({ ...tree, startTicks: startTicks + 1 }, true)).toEqual([]);
    run.kill('done');
    await run.result;
  });

  it('does not signal a process that has got the pid of another', async () => {
    const run = runs.start(['sleep', '1000']);
    const known = readProcess(run.pid!)!;
    expect(signalProcess({ ...known, startTicks: known.startTicks - 1 }, 'SIGKILL')).toBe('gone');
    expect(processRuns(run.pid!)).toBe(true);
    expect(signalProcess(known, 'SIGINT')).toBe('sent');
    expect((await run.result).ending).toEqual({ kind: 'signalled', signal: 'SIGINT' });
  });
});
