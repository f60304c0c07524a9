/**
 * What somebody who may write to etcd could put under each prefix that etcron reads: fixed lists of what is known to hurt
 * programs, and records of etcron's own form in which a seeded generator replaced fields. The same for each run.
 */
import { duePart, type Keys } from '../../src/etcd/keys.js';
import { createRandom, type Random } from '../../src/random.js';

export interface HostilePut {
  readonly key: string;
  readonly value: Buffer;
}

/** Below etcd's limit of 1.5 MiB for a whole request. */
export const LARGEST_VALUE_BYTES = 1_570_000;

const DAY_MS = 86_400_000;
const ESC = '\u001b[2J\u001b]0;owned\u0007\u009b31m';
const deep = (open: string, close: string, levels: number): string =>
  open.repeat(levels) + close.repeat(levels);

/** Nine levels, each nine times the one below: a billion strings, if anybody were to count them out. */
export const ALIAS_BOMB = Array.from({ length: 10 }, (_, level) =>
  level === 0
    ? 'a0: &a0 lol'
    : `a${level}: &a${level} [${Array(9)
        .fill(`*a${level - 1}`)
        .join(', ')}]`,
).join('\n');

/** Values that are nothing that etcron writes, and no job either. */
const NONSENSE: readonly (string | Buffer)[] = [
  ...[
    '',
    ' ',
    '\0',
    '\0\0\0',
    '\n',
    '\ufeff',
    'null',
    'true',
    '0',
    '-1',
    '1e999',
    '-1e999',
    '"',
    '""',
    '[]',
    '[[]]',
    '{}',
  ],
  ...[
    '{',
    '}',
    '{"',
    '[1,',
    '{"a":}',
    'NaN',
    'undefined',
    'Infinity',
    '{"__proto__":{"outcome":"succeeded"}}',
  ],
  ...[
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"toString":1,"valueOf":2,"hasOwnProperty":3}',
    '{"then":"x"}',
  ],
  ...[
    `"${ESC}"`,
    ESC,
    `{"${ESC}":"${ESC}"}`,
    '"\\ud800"',
    '{"\\udc00":"\\ud800"}',
    '\u202egnp.exe',
    '${jndi:ldap://x}',
  ],
  ...[
    '&a [*a]',
    '*a',
    '<<: *a',
    '!!js/function "x"',
    '!!binary AAAA',
    '? a\n: b',
    '%YAML 9.9\n---\n',
    '---\n---\n',
  ],
  ...[
    'a: &a\n  b: *a',
    'a: |\n  x',
    '- - - - -',
    '1: 2\n1: 3',
    'x: 0x7fffffffffffffff',
    '.inf',
    '2026-01-01',
  ],
  Buffer.from([0xff, 0xfe, 0xfd]),
  Buffer.from([0xc3, 0x28]),
  Buffer.from([0xed, 0xa0, 0x80]),
  Buffer.from([0x1f, 0x8b, 0x08, 0x00]),
  Buffer.from([0xef, 0xbb, 0xbf, 0xff]),
  ...[
    ALIAS_BOMB,
    deep('[', ']', 100_000),
    deep('{"a":', '}', 100_000),
    '['.repeat(100_000),
    '- '.repeat(50_000),
    '? '.repeat(30_000),
  ],
  ...[
    'a,'.repeat(30_000),
    '"'.repeat(60_000),
    '\\'.repeat(60_000),
    '{{'.repeat(20_000),
    '*a '.repeat(20_000),
  ],
  ...[
    'x'.repeat(65_537),
    'a: b\n'.repeat(12_000),
    `{${Array.from({ length: 9_000 }, (_, i) => `"k${i}":1`).join()}}`,
  ],
];

/** Values for one field. */
const FIELD_VALUES: readonly unknown[] = [
  ...[null, true, false, 0, -1, 0.5, 1e308, -1e308, 2 ** 53, Number.MAX_SAFE_INTEGER, 1e-320],
  ...['', ' ', '\0', ESC, '\ud800', '../../etc/passwd', '__proto__', 'constructor', 'x'.repeat(10_000)],
  ...[
    '275761-01-01T00:00:00.000Z',
    '9999-12-31T23:59:59.999Z',
    '1970-01-01T00:00:00.000Z',
    '0000-01-01T00:00:00.000Z',
  ],
  ...['2026-02-30T00:00:00.000Z', '2026-01-01T24:00:00.000Z', '1e999', '-0', 'NaN'],
  ...[
    [],
    [[]],
    {},
    { a: { b: { c: {} } } },
    [null],
    ['x', 1],
    { constructor: 1 },
    JSON.parse('{"__proto__":{"a":1}}') as unknown,
  ],
];

const SCHEDULES: readonly unknown[] = [
  ...[
    '* * * * * * *',
    '99 * * * *',
    '*/0 * * * *',
    '1-0 * * * *',
    '* * 31 2 *',
    '@every 0s',
    '@every 1ms',
    '@every -1h',
  ],
  ...[
    '@every 99999999999999999999d',
    '@reboot',
    '@',
    '* '.repeat(100),
    '*/1,'.repeat(60),
    '1-59/1,'.repeat(30) + ' * * *',
  ],
  ...[
    `${'0,'.repeat(120)} * * * *`,
    'L W # * *',
    '? ? ? ? ?',
    `${ESC} * * * *`,
    '\u0000 * * * *',
    '0 0 29 2 1#5x',
  ],
  ...['(a+)+$', `${'a'.repeat(200)}!`, 'TZ=Mars/Olympus * * * * *', 1, {}, [], true],
];

/** Each field of `record` replaced by something else in turn, and each left out; at random, as long as one asks. */
export function* mutations(random: Random, record: object): Generator<string> {
  const fields = Object.keys(record) as (keyof typeof record)[];
  for (;;) {
    const mutated: Record<string, unknown> = { ...record };
    const field = pick(random, fields);
    if (random.next() < 0.15) delete mutated[field];
    else mutated[field] = pick(random, FIELD_VALUES);
    if (random.next() < 0.2) mutated[pick(random, ['__proto__x', 'extra', ESC])] = pick(random, FIELD_VALUES);
    // Beyond what JSON.stringify would write.
    const text = JSON.stringify(mutated);
    yield random.next() < 0.1 ? text.replace(/:(\d+)/, ':1e999') : text;
  }
}

function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random.next() * items.length)]!;
}

const iso = (ms: number): string => new Date(ms).toISOString();

/** Names that no job can have. */
const BAD_NAMES = [
  ...[
    '',
    '/',
    'a/b',
    'a/b/c',
    '//',
    '.',
    '..',
    '-a',
    ' ',
    'a b',
    ESC,
    '\u202e',
    '\0',
    'é',
    '__proto__/x',
    'a'.repeat(129),
  ],
  ...[
    'n'.repeat(10_000),
    '\udcff',
    '\udcff\udcfe',
    'a\udc80b',
    '\udcc3\udcff',
    '\udcff'.repeat(200),
    '\u{1f600}',
  ],
];
const GOOD_NAMES = ['__proto__x', 'constructor', 'toString', 'hasOwnProperty', 'a', 'a.b', 'a'.repeat(128)];

const DUES = [
  '1970-01-01T00:00:00.000Z',
  '9999-12-31T23:59:59.999Z',
  '0000-01-01T00:00:00.000Z',
  '2026-01-01T00:00:00.000Z',
];
const BAD_DUES = [
  ...[
    '',
    'now',
    '2026-02-30T00:00:00.000Z',
    '2026-01-01T00:00:00Z',
    '2026-01-01',
    '+275760-09-13T00:00:00.000Z',
    '/',
  ],
  ...[
    '2026-01-01T24:00:00.000Z',
    '2026-01-01T00:00:00.000Z/x',
    '2026-01-01T00:00:00.000Z+',
    ESC,
    '\udcff',
    'd'.repeat(10_000),
  ],
];
const SUFFIXES = [
  'manual-1',
  ESC,
  '\udcff\udcfe',
  's'.repeat(200),
  's'.repeat(201),
  '/',
  '+',
  '\n',
  '__proto__',
  '\u{1f600}',
];

/** Run ids, and texts that only look like one. */
function runIds(random: Random, job: string): string {
  const kind = random.next();
  if (kind < 0.3) return `${job}/${pick(random, BAD_DUES)}`;
  if (kind < 0.4) return pick(random, [...BAD_NAMES, ...GOOD_NAMES]);
  if (kind < 0.5) return `${pick(random, BAD_NAMES)}/${pick(random, DUES)}`;
  const dueMs = Date.UTC(2026, 0, 1) + Math.floor(random.next() * 300) * DAY_MS;
  const due = kind < 0.7 ? pick(random, DUES) : duePart({ job, dueMs, suffix: null });
  return kind < 0.6 || kind > 0.8 ? `${job}/${due}` : `${job}/${due}+${pick(random, SUFFIXES)}`;
}

const ending = { exitCode: 0, signal: null, endedAt: iso(DAY_MS), durationMs: 5 };

/** Records that decode, with one absurd thing or another in them. */
const RECORDS = {
  leader: { nodeId: 'n', name: 'n', since: iso(0) },
  workers: {
    ...{ name: 'w', host: 'h', pid: 1, version: '0', state: 'active', capacity: 1e15, labels: { a: ESC } },
    ...{ startedAt: iso(0), clock: '9999-12-31T23:59:59.999Z', skewed: false },
  },
  cursor: { plannedThrough: { due: iso(0), job: null }, jobsRevision: 2 ** 53 - 1, at: iso(0) },
  firings: {
    origin: 'schedule',
    fingerprint: 'f',
    attempt: 1e5,
    crashes: 1e5,
    node: 'gone',
    slot: 0,
    notBefore: iso(0),
  },
  lock: { node: 'n', worker: 'n', attempt: 1, claimedAt: iso(0) },
  slots: { node: 'n' },
  counts: { job: 1, runs: 2 ** 53 - 1, at: iso(0) },
  limits: { size: 1e15 },
  slotsOfLimits: { node: 'n' },
  runs: {
    ...{
      outcome: 'failed',
      reason: ESC,
      attempts: 1,
      crashes: 0,
      worker: ESC,
      nodeId: 'n',
      fencingToken: '1',
    },
    ...{ ...ending, startedAt: '9999-12-31T23:59:59.999Z', latenessMs: -1e308, durationMs: 1e308 },
    ...{ stdout: { text: ESC, truncated: true, totalBytes: 1e308 }, stderr: null, manual: false },
    ...{
      missed: { from: iso(0), through: iso(0), count: 1, atLeast: true },
      late: { outcome: 'failed', ...ending },
    },
    recordedAt: '0000-01-01T00:00:00.000Z',
  },
  kill: { by: ESC, reason: ESC, at: iso(0) },
  drain: { by: ESC, reason: ESC, at: iso(0) },
  handover: { by: ESC, at: '9999-12-31T23:59:59.999Z', to: ESC },
} as const;

const JOB = {
  ...{ schedule: '@yearly', command: 'true', timezone: 'UTC', env: { A: 'b' }, cwd: '/', timeout: '1h' },
  ...{
    retries: { attempts: 2, delay: '1s' },
    overlap: 'skip',
    misfire: 'once',
    recovery: 'rerun',
    labels: { a: 'b' },
  },
  ...{ history: { limit: 1 }, description: 'd' },
};

export type HostilePrefix = keyof typeof RECORDS | 'jobs';
export const HOSTILE_PREFIXES: readonly HostilePrefix[] = [
  ...(['jobs', 'leader', 'workers', 'cursor', 'firings', 'lock', 'slots', 'runs', 'kill'] as const),
  ...(['counts', 'limits', 'slotsOfLimits', 'drain', 'handover'] as const),
];

export interface HostileOptions {
  readonly seed: number;
  readonly count: number;
  /** So many of them are as large as etcd takes them. */
  readonly huge: number;
}

/** `count` different puts under one prefix. Of the jobs none has a definition that is right. */
export function hostilePuts(keys: Keys, prefix: HostilePrefix, options: HostileOptions): HostilePut[] {
  const { count, huge } = options;
  const random = createRandom(`${options.seed} ${prefix}`);
  const values = hostileValues(random, prefix);
  const puts: HostilePut[] = [];
  const seen = new Set<string>();
  const isSingle = prefix === 'leader' || prefix === 'cursor' || prefix === 'handover';
  for (let index = 0; puts.length < count; index += 1) {
    const key = isSingle ? keys[prefix] : hostileKey(keys, prefix, random, index);
    // A key that was taken before would only be overwritten.
    if (!isSingle && seen.has(key)) continue;
    seen.add(key);
    const value = puts.length < huge ? hugeValue(index) : values.next().value;
    puts.push({ key, value: Buffer.from(value as Buffer) });
  }
  return puts;
}

function hugeValue(index: number): Buffer {
  const size = LARGEST_VALUE_BYTES - 24_000;
  if (index % 3 === 0) return Buffer.alloc(size, '[');
  return index % 3 === 1
    ? Buffer.alloc(size, 0xff)
    : Buffer.from(`{"schedule":"${'*'.repeat(size - 40)}","command":1}`);
}

function hostileKey(
  keys: Keys,
  prefix: Exclude<HostilePrefix, 'leader' | 'cursor' | 'handover'>,
  random: Random,
  index: number,
): string {
  const own = { jobs: keys.jobs, workers: keys.workers, firings: keys.firings, lock: keys.locks };
  const shared = {
    ...{ counts: keys.counts, limits: keys.limits, slotsOfLimits: keys.limitSlots, drain: keys.drains },
  };
  const base = { ...own, ...shared, slots: keys.slots, runs: keys.runs, kill: keys.kills }[prefix];
  if (['jobs', 'workers', 'counts', 'limits', 'drain'].includes(prefix))
    return base + ([...GOOD_NAMES, ...BAD_NAMES][index] ?? `bad-${index}`);
  if (prefix === 'slots' || prefix === 'slotsOfLimits')
    return `${base}${pick(random, [...GOOD_NAMES, ...BAD_NAMES])}/${pick(random, [...BAD_DUES, '0', '-1', '1e9'])}`;
  return base + runIds(random, pick(random, ['ghost', ...GOOD_NAMES]));
}

function* hostileValues(random: Random, prefix: HostilePrefix): Generator<string | Buffer, never> {
  yield* NONSENSE;
  if (prefix === 'jobs') {
    for (const schedule of SCHEDULES) yield JSON.stringify({ ...JOB, schedule });
    for (const field of Object.keys(JOB)) {
      for (const value of [-1, [], { constructor: 1 }, ESC]) {
        // Fields that may hold such a thing.
        if (['command', 'env', 'description', 'labels'].includes(field) && !Array.isArray(value)) continue;
        yield JSON.stringify({ ...JOB, [field]: value });
      }
    }
    for (;;)
      yield `schedule: "@daily"\ncommand: x\nfield-${Math.floor(random.next() * 1e9)}: ${JSON.stringify(pick(random, FIELD_VALUES))}\n`;
  }
  yield JSON.stringify(RECORDS[prefix]);
  for (const text of mutations(random, RECORDS[prefix])) yield text;
  throw new Error('the mutations never end');
}
