import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { processEnvironment } from '../../src/cli/environment.js';
import { createProgram } from '../../src/cli/program.js';
import { ERROR_CATALOGUE } from '../../src/errors.js';
import { TestCli } from './support.js';

function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : [command, ...command.commands.flatMap(leaves)];
}

function pathOf(command: Command): string[] {
  return command.parent === null ? [] : [...pathOf(command.parent), command.name()];
}

const commands = leaves(createProgram(processEnvironment())).map(pathOf);

describe('help', () => {
  test.each(commands.map((path) => [path.join(' '), path]))(
    'etcron %s --help has examples',
    async (_, path) => {
      const { code, stdout, stderr } = await new TestCli().run(...path, '--help');
      expect(code).toBe(0);
      expect(stderr).toBe('');
      expect(stdout).toContain('Usage: etcron');
      expect(stdout).toMatch(/Examples:\n {2}\S/);
      expect(stdout).toContain('--endpoints');
    },
  );

  test('the top level lists all commands and the exit codes', async () => {
    const { stdout } = await new TestCli().run('--help');
    for (const name of [
      'dev',
      'worker',
      'validate',
      'apply',
      'jobs',
      'run',
      'runs',
      'next',
      'export',
      'import',
      'workers',
      'status',
    ]) {
      expect(stdout).toMatch(new RegExp(`^ {2}${name}\\b`, 'm'));
    }
    expect(stdout).toMatch(/Exit codes:\n {2}0 .*\n {2}1 .*\n {2}2 .*\n {2}3 .*/);
    const exitCodes = new Set(Object.values(ERROR_CATALOGUE).map(({ exitCode }) => exitCode));
    expect([...exitCodes].sort()).toEqual([1, 2, 3]);
  });

  test('--version', async () => {
    const { code, stdout } = await new TestCli().run('--version');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test('a group without a command shows its help on stderr and counts as usage', async () => {
    const { code, stdout, stderr } = await new TestCli().run('jobs');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('etcron jobs');
  });
});

describe('errors', () => {
  test.each([
    [['staus'], "error: unknown command 'staus' [ETCRON_USAGE]\nhint: Did you mean status?\n"],
    [['jobs', 'delet'], "error: unknown command 'delet' [ETCRON_USAGE]\nhint: Did you mean delete?\n"],
    [
      ['runs', 'list', '--limti', '3'],
      "error: unknown option '--limti' [ETCRON_USAGE]\nhint: Did you mean --limit?\n",
    ],
  ])('%j is suggested something better', async (args, message) => {
    const { code, stdout, stderr } = await new TestCli().run(...args);
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: message });
  });

  test.each([
    [['next']],
    [['validate']],
    [['run']],
    [['next', '* * * * *', '-n', '0']],
    [['next', '* * * * *', '-n', 'x']],
    [['next', '* * * * *', '--from', 'tomorrow']],
    [['run', 'a', '--timeout', '10']],
    [['runs', 'list', '--outcome', 'succeeded,faild']],
    [['runs', 'get', 'x']],
    [['next', '* * * * *', 'extra']],
  ])('%j is a matter of usage', async (args) => {
    const { code, stderr } = await new TestCli().run(...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: .*\[ETCRON_USAGE\]\nhint: /);
  });

  test('with --json, also those of the command line itself', async () => {
    const { code, stdout, stderr } = await new TestCli().run('next', '--json', '--nope', 'x');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'ETCRON_USAGE' } });
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  test('a defect shows no stack trace, unless it is asked for', async () => {
    const cli = new TestCli();
    cli.intercept = () => {
      throw new TypeError('boom');
    };
    const plain = await cli.run('jobs', 'list');
    expect(plain.code).toBe(1);
    expect(plain.stderr).toMatch(/^error: unexpected: boom \[ETCRON_INTERNAL\]\nhint: .*ETCRON_DEBUG=1.*\n$/);
    const debug = await cli.runWith({ env: { ETCRON_DEBUG: '1' } }, 'jobs', 'list');
    expect(debug.stderr).toContain('at ');
  });

  test('the connection is closed, however the command ended', async () => {
    const cli = new TestCli();
    await cli.run('jobs', 'list');
    await cli.run('jobs', 'get', 'nothing');
    expect(cli.stores).toHaveLength(2);
    for (const store of cli.stores) await expect(store.status()).rejects.toThrow('closed');
  });

  test('colours only where they are wanted', async () => {
    const cli = new TestCli();
    // eslint-disable-next-line no-control-regex
    const escape = /\u001b\[/;
    expect((await cli.run('nope')).stderr).not.toMatch(escape);
    expect((await cli.runWith({ env: { FORCE_COLOR: '1' } }, 'nope')).stderr).toMatch(escape);
    expect((await cli.runWith({ env: { FORCE_COLOR: '1', NO_COLOR: '1' } }, 'nope')).stderr).not.toMatch(
      escape,
    );
  });
});
