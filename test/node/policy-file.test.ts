import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { labelsUnderPolicy, readPolicyFile } from '../../src/node/policy-file.js';

const dir = mkdtempSync(join(tmpdir(), 'etcron-policy-'));
const path = join(dir, 'policy.yaml');
afterAll(() => rmSync(dir, { recursive: true }));

const read = (text: string) => {
  writeFileSync(path, text);
  return readPolicyFile(path);
};

describe('a policy file', () => {
  it('is read with all that it leaves out forbidden', async () => {
    const text = [
      'commands:',
      '  programs: [/opt/jobs/*]',
      'http:',
      '  hosts: ["*.internal"]',
      'labels: { zone: dmz }',
    ];
    expect(await read(text.join('\n'))).toEqual({
      policy: {
        commands: {
          ...{ programs: ['/opt/jobs/*'], shell: false, env: [], cwd: [] },
          ...{ users: [], groups: [], ownUser: true },
        },
        http: { hosts: ['*.internal'] },
      },
      labels: { zone: 'dmz' },
    });
    expect(await read('# nothing\n')).toEqual({ policy: {}, labels: {} });
  });

  it.each([
    [
      'commands:\n  program: [/bin/x]',
      ':2: "commands.program" is no part of a policy',
      'Did you mean "programs"?',
    ],
    ['command: {}', ':1: "command" is no part of a policy', 'Did you mean "commands"?'],
    ['\n\ncommands: yes please', ':3: commands must be a map', undefined],
    ['commands:\n  programs:\n    - rsync', ':3: commands.programs.0 must be an absolute path', undefined],
    ['commands:\n  programs: [/opt/../bin/sh]', 'without "." and ".."', undefined],
    ['commands:\n  shell: "yes"', ':2: commands.shell must be true or false', undefined],
    ['http:\n  hosts: ["https://x.example"]', ':2: http.hosts.0 must be a host name', undefined],
    ['labels: { zone: 3 }', ':1: labels.zone must be text', undefined],
    ['- a', 'the file must be a mapping', undefined],
    ['a: [', ':1', undefined],
  ])('%j is refused, with the line', async (text, message, hint) => {
    const error = await read(text).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'ETCRON_CONFIG_INVALID',
      message: expect.stringContaining(message) as string,
    });
    if (hint !== undefined) expect(error).toMatchObject({ hint });
  });

  it('that is not there is no policy, and no worker starts without', async () => {
    await expect(readPolicyFile(join(dir, 'none.yaml'))).rejects.toMatchObject({
      code: 'ETCRON_FILE_UNREADABLE',
    });
  });
});

it('fixes labels that no setting changes', () => {
  const loaded = { policy: {}, labels: { zone: 'dmz' } };
  expect(labelsUnderPolicy({ disk: 'ssd' }, loaded, path)).toEqual({ disk: 'ssd', zone: 'dmz' });
  expect(labelsUnderPolicy({ zone: 'dmz' }, loaded, path)).toEqual({ zone: 'dmz' });
  expect(() => labelsUnderPolicy({ zone: 'core' }, loaded, path)).toThrow('the label zone=core is not what');
});
