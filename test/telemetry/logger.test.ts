import { describe, expect, it } from 'vitest';
import { createLogger, silentLogger, type LoggerOptions } from '../../src/telemetry/logger.js';

function capture(options: LoggerOptions = {}) {
  const lines: string[] = [];
  const log = createLogger({ ...options, destination: { write: (line: string) => void lines.push(line) } });
  return { log, lines, records: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('createLogger', () => {
  it('writes one JSON object a line, with an ISO time, the base fields and no pid', () => {
    const { log, records } = capture({ name: 'etcron', base: { node: 'n1' } });
    log.child({ job: 'backup' }).info('started');
    const [record] = records();
    expect(record).toMatchObject({ name: 'etcron', node: 'n1', job: 'backup', msg: 'started', level: 30 });
    expect(record!.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(record).not.toHaveProperty('pid');
  });

  it('leaves out what is below its level', () => {
    const { log, records } = capture({ level: 'warn' });
    log.info('no');
    log.warn('yes');
    expect(records().map((record) => record.msg)).toEqual(['yes']);
  });

  it('never writes a password or a token', () => {
    const { log, lines } = capture();
    log.info(
      { password: 'hunter2', auth: { token: 'hunter2' }, a: { b: { authorization: 'hunter2' } } },
      'connecting',
    );
    expect(lines.join('')).not.toContain('hunter2');
    expect(lines.join('')).toContain('[redacted]');
  });

  it('writes for a person when asked to, at once', () => {
    const { log, lines } = capture({ format: 'pretty' });
    log.warn({ job: 'backup' }, 'is late');
    expect(lines.join('')).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] WARN: is late\n\s+job: "backup"\n$/);
  });

  it('is silent when told so', () => {
    const log = silentLogger();
    expect(log.level).toBe('silent');
    log.fatal('nobody hears this');
  });
});
