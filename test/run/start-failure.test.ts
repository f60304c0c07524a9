import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { explainStartFailure } from '../../src/run/start-failure.js';
import { useRuns, type Command, type Overrides } from './support.js';

const runs = useRuns();

async function failure(command: Command, overrides?: Overrides) {
  const run = runs.start(command, overrides);
  expect([run.pid, run.processGroupId]).toEqual([null, null]);
  const result = await run.result;
  expect(result).toMatchObject({ stdout: { text: '', totalBytes: 0 }, leftovers: 0 });
  if (result.ending.kind !== 'start-failed') throw new Error(`it ended as ${result.ending.kind}`);
  return result.ending;
}

function script(name: string, text: string, mode = 0o755): string {
  const path = join(runs.directory, name);
  writeFileSync(path, text, { mode });
  return path;
}

describe('a command that cannot be started says what is missing', () => {
  it('a program that is not in the PATH', async () => {
    const { message, hint } = await failure(['no-such-program'], { env: { PATH: '/usr/bin:/bin' } });
    expect(message).toBe('the command "no-such-program" is not in the PATH of the job (/usr/bin:/bin)');
    expect(hint).toContain('full path');
  });

  it('a path that does not exist', async () => {
    expect((await failure(['/no/such/program'])).message).toBe(
      'the command "/no/such/program" does not exist',
    );
    const below = script('file', '');
    expect((await failure([`${below}/x`])).message).toBe(`the command "${below}/x" does not exist`);
  });

  it.each(['a shell command', 'a program'])(
    'a working directory that does not exist, for %s',
    async (kind) => {
      const ending = await failure(kind === 'a program' ? ['true'] : 'true', { cwd: '/no/such/directory' });
      expect(ending.message).toBe('the working directory "/no/such/directory" does not exist');
    },
  );

  it('a working directory that is none', async () => {
    const cwd = script('file', '');
    expect((await failure('true', { cwd })).message).toBe(
      `the working directory "${cwd}" is not a directory`,
    );
  });

  it('a program without permission', async () => {
    const path = script('plain.sh', '#!/bin/sh\n', 0o644);
    const ending = await failure([path]);
    expect(ending.message).toBe(`the worker may not execute "${path}"`);
    expect(ending.hint).toContain('chmod +x');
    expect((await failure(['./plain.sh'])).message).toBe(`the worker may not execute "${path}"`);
  });

  it('a directory in place of a program', async () => {
    mkdirSync(join(runs.directory, 'bin'));
    expect((await failure(['./bin'])).message).toBe('the command "./bin" is a directory');
  });

  it('the interpreter of a script', async () => {
    const path = script('job.py', '#! /opt/python9 -u\n');
    const { message } = await failure([path]);
    expect(message).toBe(
      `the interpreter "/opt/python9", named in the first line of "${path}", cannot be executed`,
    );
  });

  it('arguments that are too long', async () => {
    expect((await failure(['true', 'x'.repeat(200_000)])).message).toMatch(/too long/);
    expect((await failure('true', { env: { BIG: 'x'.repeat(200_000) } })).message).toMatch(/too long/);
    expect((await failure([`/${'x'.repeat(5000)}`])).message).toMatch(/name of the command .* too long/);
  });

  it('texts that no system call takes', async () => {
    expect((await failure(['true', 'a\0b'])).message).toMatch(/null bytes/);
    expect((await failure('true', { env: { A: 'a\0b' } })).message).toMatch(/null bytes/);
    expect((await failure([])).message).toMatch(/empty/);
  });

  it('a free file descriptor; the worker survives that', async () => {
    const setLimit = (soft: string): void => {
      execFileSync('prlimit', ['--pid', String(process.pid), `--nofile=${soft}:`]);
    };
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))![1]!;
    const taken: number[] = [];
    let ending;
    setLimit('400');
    try {
      for (;;) taken.push(openSync('/dev/null', 'r'));
    } catch {
      ending = await failure('true');
    } finally {
      taken.forEach(closeSync);
      setLimit(limit);
    }
    expect(ending.message).toBe('the worker has no file descriptor left to start a command');
    expect((await runs.start('true').result).ending).toEqual({ kind: 'exited', exitCode: 0 });
  });
});

describe('explainStartFailure', () => {
  const request = { file: 'x', cwd: null, path: '/bin' };

  it.each([
    ['EAGAIN', /no process slot/],
    ['ENOMEM', /no memory/],
    ['ENFILE', /the machine has no file descriptor/],
    ['EPERM', /"x" cannot be started: spawn x EPERM/],
  ])('knows %s', (code, expected) => {
    const error = Object.assign(new Error(`spawn x ${code}`), { code });
    expect(explainStartFailure(error, request).message).toMatch(expected);
  });

  it('copes with anything thrown', () => {
    expect(explainStartFailure(null, request).message).toContain('cannot be started');
    expect(explainStartFailure('odd', request).message).toContain('odd');
  });
});
