import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { killAllNow } from '../../src/run/executor.js';
import { OUTPUT_TAIL_BYTES } from '../../src/run/output-tail.js';
import { GRACE_MS, processRuns, TIMEOUT_MS, until, useRuns, WAYS } from './support.js';

describe.each(WAYS)('a command, %s', (way) => {
  const runs = useRuns(way);

  describe('a command that ends by itself', () => {
    it('reports its exit code, its output and its times', async () => {
      const before = Date.now();
      const run = await runs.begin('echo out; echo err >&2; exit 3');
      expect(run.pid).toBeGreaterThan(0);
      const result = await run.result;
      expect(result).toMatchObject({
        ending: { kind: 'exited', exitCode: 3 },
        stdout: { text: 'out\n', truncated: false, totalBytes: 4 },
        stderr: { text: 'err\n', truncated: false, totalBytes: 4 },
        leftovers: 0,
      });
      expect(result.startedAtMs).toBe(run.startedAtMs);
      expect(result.startedAtMs).toBeGreaterThanOrEqual(before);
      expect(result.endedAtMs).toBeGreaterThanOrEqual(result.startedAtMs);
      expect(result.durationMs).toBeGreaterThan(0);
    });

    it('reports a signal that was not ours', async () => {
      const { ending } = await runs.start('kill -SEGV $$').result;
      expect(ending).toEqual({ kind: 'signalled', signal: 'SIGSEGV' });
    });

    it('goes through no shell when it is an array', async () => {
      const { stdout } = await runs.start(['printf', '%s|', '$HOME', 'a b', ';']).result;
      expect(stdout.text).toBe('$HOME|a b|;|');
    });

    it('reads an empty stdin', async () => {
      const { ending, stdout } = await runs.start('cat; echo end').result;
      expect([ending, stdout.text]).toEqual([{ kind: 'exited', exitCode: 0 }, 'end\n']);
    });

    it('leads a session and a group of its own, with default signal handling', async () => {
      const run = runs.start(['cat', '/proc/self/stat', '/proc/self/status']);
      const { stdout } = await run.result;
      const [pid, , , , group, session] = stdout.text.split(' ').map(Number);
      expect([pid, group, session]).toEqual([run.pid, run.pid, run.pid]);
      expect(stdout.text).toMatch(/^SigBlk:\t0{16}\nSigIgn:\t0{16}\nSigCgt:\t0{16}$/m);
    });

    it('inherits none of the descriptors that the worker has opened', async () => {
      const file = openSync(join(runs.directory, 'secret.txt'), 'w+');
      const server = createServer().listen(0, '127.0.0.1');
      await until(() => server.listening);
      expect((server.address() as AddressInfo).port).toBeGreaterThan(0);
      const running = runs.start('sleep 1000');
      // Descriptors that this process has itself been started with, and without close-on-exec, are not Node's to close.
      const inherited = (fd: string): boolean => {
        const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0';
        return (parseInt(flags, 8) & 0o2000000) === 0;
      };
      const { stdout } = await runs.start(['ls', '/proc/self/fd']).result;
      const own = ['0', '1', '2', '3']; // 3 is the directory that ls reads
      const extra = stdout.text
        .trim()
        .split('\n')
        .filter((fd) => !own.includes(fd));
      expect(extra.filter((fd) => !inherited(fd))).toEqual([]);
      expect(extra).not.toContain(String(file));
      running.kill('done');
      await running.result;
      closeSync(file);
      await new Promise((resolve) => server.close(resolve));
    });

    it('is not held up by its own output, of which the end is kept', async () => {
      const { ending, stdout, stderr } = await runs.start(
        'head -c 20000000 /dev/zero | tr "\\0" x; printf "\\303\\251nd"; head -c 20000 /dev/zero >&2',
      ).result;
      expect(ending).toEqual({ kind: 'exited', exitCode: 0 });
      expect(stdout.text).toBe('x'.repeat(OUTPUT_TAIL_BYTES - 4) + 'énd');
      expect(stdout).toMatchObject({ truncated: true, totalBytes: 20_000_004 });
      expect(stderr).toMatchObject({ truncated: true, totalBytes: 20_000 });
      expect(JSON.stringify(stderr.text)).not.toContain('\\u0000');
    });
  });

  describe('a timeout', () => {
    it('ends the command with SIGTERM', async () => {
      const run = runs.start('echo > ready; exec sleep 1000', { timeoutMs: TIMEOUT_MS });
      await runs.file('ready');
      await runs.fire(TIMEOUT_MS);
      expect((await run.result).ending).toEqual({ kind: 'timed-out', exitCode: null, signal: 'SIGTERM' });
    });

    it('reports the exit code of a command that ends itself on SIGTERM, and lets it clean up', async () => {
      const run = runs.start(
        `trap '/bin/sleep 0.1 && echo cleaned; exit 7' TERM; echo > ready; while :; do sleep 0.01; done`,
        {
          timeoutMs: TIMEOUT_MS,
        },
      );
      await runs.file('ready');
      await runs.fire(TIMEOUT_MS);
      const { ending, stdout } = await run.result;
      expect(ending).toEqual({ kind: 'timed-out', exitCode: 7, signal: null });
      expect(stdout.text).toBe('cleaned\n');
    });

    it('ends a command that ignores SIGTERM with SIGKILL after the grace', async () => {
      const run = await runs.begin(`trap '' TERM; echo > ready; while :; do sleep 1000; done`, {
        timeoutMs: TIMEOUT_MS,
      });
      await runs.file('ready');
      await runs.fire(TIMEOUT_MS);
      expect(processRuns(run.pid!)).toBe(true);
      await runs.fire(GRACE_MS);
      expect((await run.result).ending).toEqual({ kind: 'timed-out', exitCode: null, signal: 'SIGKILL' });
    });

    it('stays the reason when a kill hurries it', async () => {
      const run = runs.start(`trap '' TERM; echo > ready; while :; do sleep 1000; done`, {
        timeoutMs: TIMEOUT_MS,
      });
      await runs.file('ready');
      await runs.fire(TIMEOUT_MS);
      run.kill('shutdown', 0);
      expect((await run.result).ending).toMatchObject({ kind: 'timed-out', signal: 'SIGKILL' });
    });

    it('does not concern a command that has ended', async () => {
      await runs.start('true', { timeoutMs: TIMEOUT_MS }).result;
      expect(await runs.held(TIMEOUT_MS)).toBe(0);
    });
  });

  describe('kill', () => {
    it('ends the command with SIGTERM; the first reason stands', async () => {
      const run = await runs.begin(['sleep', '1000']);
      run.kill('asked by ada');
      run.kill('shutdown');
      const { ending } = await run.result;
      expect(ending).toEqual({ kind: 'killed', reason: 'asked by ada', exitCode: null, signal: 'SIGTERM' });
    });

    it('ends a command that ignores SIGTERM after the grace, which a later call can shorten but not prolong', async () => {
      const run = runs.start(`trap '' TERM; echo > ready; while :; do sleep 1000; done`);
      await runs.file('ready');
      run.kill('first', GRACE_MS);
      run.kill('longer', GRACE_MS * 2);
      run.kill('shorter', GRACE_MS / 2);
      await until(async () => (await runs.held(GRACE_MS / 2)) === 1);
      expect([await runs.held(GRACE_MS), await runs.held(GRACE_MS * 2)]).toEqual([0, 0]);
      await runs.fire(GRACE_MS / 2);
      expect((await run.result).ending).toMatchObject({ kind: 'killed', reason: 'first', signal: 'SIGKILL' });
    });

    it('sends SIGKILL at once without a grace', async () => {
      const run = runs.start(`trap '' TERM; echo > ready; while :; do sleep 1000; done`);
      await runs.file('ready');
      run.kill('frozen', 0);
      expect((await run.result).ending).toMatchObject({
        kind: 'killed',
        reason: 'frozen',
        signal: 'SIGKILL',
      });
    });

    it('does nothing to a command that has ended or never started', async () => {
      const ended = runs.start('exit 0');
      await ended.result;
      ended.kill('late');
      expect((await ended.result).ending).toEqual({ kind: 'exited', exitCode: 0 });
      const failed = await runs.begin(['/does/not/exist']);
      failed.kill('early');
      expect((await failed.result).ending.kind).toBe('start-failed');
    });
  });

  describe('a prepared command', () => {
    it('starts nothing before start, and starts once', async () => {
      const prepared = runs.prepare('echo $ETCRON_RUN_MARKER');
      const run = prepared.start();
      expect(() => prepared.start()).toThrow(/once/);
      expect((await run.result).stdout.text).toBe(`${prepared.marker}\n`);
      expect([run.marker, prepared.hasProcesses]).toEqual([prepared.marker, true]);
    });
  });

  describe('killAllNow', () => {
    it('sends SIGKILL to every tree before it returns', async () => {
      const stubborn = await runs.begin(`trap '' TERM; echo > ready; while :; do sleep 1000; done`);
      const escaped = await runs.begin('setsid sh -c "echo \\$\\$ > out; exec sleep 1000" & wait');
      await runs.file('ready');
      const out = Number(await runs.file('out'));
      const signals = vi.spyOn(process, 'kill');
      killAllNow();
      const killed = signals.mock.calls.map(([pid, signal]) => `${pid} ${signal}`);
      signals.mockRestore();
      expect(killed).toEqual(
        expect.arrayContaining([`${-stubborn.pid!} SIGKILL`, `${-escaped.pid!} SIGKILL`, `${out} SIGKILL`]),
      );
      for (const { result } of [stubborn, escaped]) {
        expect((await result).ending).toEqual({
          kind: 'killed',
          reason: 'the worker ended at once',
          exitCode: null,
          signal: 'SIGKILL',
        });
      }
      killAllNow();
    });
  });
});
