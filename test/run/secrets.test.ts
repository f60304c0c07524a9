import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_SECRET_BYTES, readSecrets } from '../../src/run/secrets.js';

let directory = '';
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'etcron-secrets-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const file = (content: string | Buffer): string => {
  const path = join(directory, 'secret');
  writeFileSync(path, content);
  return path;
};

const read = (path: string): unknown => {
  const secrets = readSecrets({ TOKEN: { file: path } }, {});
  return secrets.ok ? secrets.values.TOKEN : secrets.failure.message.replaceAll(directory, '…');
};

describe('a secret', () => {
  it('comes from a variable of the worker', () => {
    const secrets = readSecrets({ TOKEN: { env: 'API_TOKEN' } }, { API_TOKEN: 'hunter22\n' });
    expect(secrets).toMatchObject({ ok: true, values: { TOKEN: 'hunter22\n' } });
    expect(secrets.ok && secrets.mask.text('is hunter22')).toBe('is ***');
  });

  it.each([
    [{}, 'this worker has no variable API_TOKEN'],
    [{ API_TOKEN: '' }, 'the variable API_TOKEN of this worker is empty'],
  ])('that is not there is named: %j', (env, why) => {
    const secrets = readSecrets({ TOKEN: { env: 'API_TOKEN' } }, env);
    expect(secrets).toMatchObject({
      ok: false,
      failure: { message: `the secret TOKEN cannot be read: ${why}` },
    });
  });

  it('comes from a file, without the newline at its end', () => {
    expect(read(file('hunter22\n'))).toBe('hunter22');
    expect(read(file('one\r\ntwo\r\n'))).toBe('one\r\ntwo');
    expect(read(file('two newlines\n\n'))).toBe('two newlines\n');
    const link = join(directory, 'link');
    symlinkSync(file('behind a link'), link);
    expect(read(link)).toBe('behind a link');
  });

  it('is read anew each time', () => {
    const path = file('old');
    expect(read(path)).toBe('old');
    file('new');
    expect(read(path)).toBe('new');
  });

  it('that cannot be a secret is refused, without telling what it is', () => {
    const why = (path: string) => String(read(path)).replace('the secret TOKEN cannot be read: ', '');
    expect(why(join(directory, 'none'))).toBe('the file …/none does not exist on this worker');
    expect(why(directory)).toBe('… is not a file');
    expect(why(file('\n'))).toBe('the file …/secret is empty');
    expect(why(file('x'.repeat(MAX_SECRET_BYTES + 1)))).toBe('the file …/secret has more than 64 KiB');
    expect(why(file(Buffer.from([0xff, 0xfe, 0x41])))).toBe('the file …/secret is not text in UTF-8');
    expect(why(file('a\0b'))).toBe('the file …/secret holds a NUL character');
    execFileSync('mkfifo', [join(directory, 'pipe')]);
    expect(why(join(directory, 'pipe'))).toBe('…/pipe is not a file');
    if (process.getuid?.() === 0) return;
    const locked = file('x');
    chmodSync(locked, 0);
    expect(why(locked)).toBe('the file …/secret may not be read by this worker');
  });
});
