/**
 * One chaos run:
 *
 *     etcd, workers, jobs start → faults for some minutes → everything is undone → calm, until all that was due has
 *     ended → workers stop in order → checks
 *
 * The checks compare what the commands noted themselves with etcron's records, after the last process has ended.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EtcdStore } from '../src/etcd/etcd-store.js';
import { Keys, parseRunId } from '../src/etcd/keys.js';
import { listRange } from '../src/etcd/listing.js';
import { decodeRecord } from '../src/etcd/record.js';
import { prefixRange, singleKey, type KeyRange, type KeyValue } from '../src/etcd/store.js';
import { put } from '../src/etcd/txn.js';
import { decodeRun, type RunRecord } from '../src/history/run-record.js';
import { createRandom } from '../src/random.js';
import { cursorRecordSchema } from '../src/view/cursor-record.js';
import { encodeLimit } from '../src/view/limit-record.js';
import { waitUntil } from '../test/support/wait.js';
import { checkAccounting, dueTimes } from './checks/accounting.js';
import type { Observations } from './checks/observations.js';
import { checkStarts } from './checks/starts.js';
import { installCommand } from './command.js';
import { ChaosEtcd } from './etcd-cluster.js';
import { etcdFaults } from './etcd-faults.js';
import { readEvidence } from './evidence.js';
import { movableClock } from './faketime.js';
import { Fleet } from './fleet.js';
import { CHAOS_JOBS, definitionOf, SHARED_LIMIT } from './jobs.js';
import { MACHINE_FAULTS } from './machine-faults.js';
import { Nemesis, type NotedFault } from './nemesis.js';
import { measure } from './recovery.js';
import { requestFaults } from './request-faults.js';
import type { ChaosReport } from './report.js';

export interface CampaignOptions {
  readonly minutes: number;
  readonly seed: string;
  readonly workers: number;
  /** Keeps the folder with evidence and logs when all is well, too. */
  readonly keep: boolean;
  readonly program: string;
  /** Ends the faults early. */
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

const MINUTE_MS = 60_000;
/** After the last fault: due times that must come and go as if nothing had been. */
const CALM_MS = 10_000;
/** The longest command takes a minute; with what a crash before it costs, twice that and more. */
const ENDED_WITHIN_MS = 5 * MINUTE_MS;
/** Their clocks can be moved. */
const MACHINES_WITH_MOVABLE_CLOCK = 2;

export async function runCampaign(options: CampaignOptions): Promise<ChaosReport> {
  const { seed, minutes, workers, program, signal, say } = options;
  const random = createRandom(`chaos ${seed}`);
  const folder = mkdtempSync(join(tmpdir(), 'etcron-chaos-'));
  mkdirSync(join(folder, 'locks'));
  const problems: string[] = [];
  const onProblem = (text: string): void => {
    problems.push(text);
    say(`PROBLEM ${text}`);
  };
  say(`seed ${seed}; evidence and logs in ${folder}`);
  const etcd = await ChaosEtcd.start({ network: { random: random.fork('peers') } });
  const members = etcd.endpoints.map((endpoint) => new URL(endpoint).host);
  const store = new EtcdStore({ endpoints: members });
  const keys = new Keys('/cron');
  const fleet = new Fleet({ store, keys, members, random: random.fork('links'), program, folder, onProblem });
  const list = async (range: KeyRange): Promise<KeyValue[]> => [
    ...(await listRange(store, range, { pageSize: 500 })).kvs.values(),
  ];
  try {
    for (let index = 0; index < workers; index += 1) {
      const hasClock = index >= workers - Math.min(MACHINES_WITH_MOVABLE_CLOCK, workers - 2);
      const machine = await fleet.add(
        hasClock ? await movableClock(folder, `w-${index + 1}`, { onProgress: say }) : null,
      );
      machine.start();
    }
    await waitUntil(
      async () => (await list(prefixRange(keys.workers))).length === workers && (await fleet.leader()),
      {
        what: 'all workers and a leader',
        timeoutMs: MINUTE_MS,
      },
    );
    const script = installCommand(folder);
    const limit = put(keys.limits + SHARED_LIMIT, encodeLimit({ size: 1 }));
    await store.txn({ compare: [], success: [limit] });
    for (const [name, job] of Object.entries(CHAOS_JOBS)) {
      await store.txn({ compare: [], success: [put(keys.job(name), definitionOf(job, script))] });
    }
    const fromMs = Date.now();

    const nemesis = new Nemesis({
      ...{ random: random.fork('nemesis'), leader: () => fleet.leader(), machines: () => fleet.machines },
      kinds: [
        ...MACHINE_FAULTS,
        ...requestFaults({ store, keys }, () => fleet.machines),
        fleet.guests,
        ...etcdFaults(etcd),
      ],
      onNote: (fault) => noteFault(folder, fault, say),
      onProblem,
    });
    const endMs = performance.now() + minutes * MINUTE_MS;
    await nemesis.run(() => signal.aborted || performance.now() > endMs);
    fleet.heal();
    const throughMs = Date.now() + CALM_MS;
    say('all faults are undone; waiting for what was due to end');
    await settle(throughMs).catch((error: unknown) => onProblem(String(error)));
    await fleet.stop();

    const seen: Observations = {
      ...{ jobs: CHAOS_JOBS, fromMs, throughMs },
      attempts: readEvidence(join(folder, 'evidence')),
      records: await readRecords(),
      firings: (await list(prefixRange(keys.firings))).map(({ key }) => key.slice(keys.firings.length)),
      ...{ forsaken: fleet.forsaken, withMovedClock: fleet.withMovedClock, killedAtMs: fleet.killedAtMs },
      robbedAtMs: fleet.robbedAtMs,
    };
    const due = Object.keys(CHAOS_JOBS).reduce((sum, job) => sum + dueTimes(seen, job).length, 0);
    const violations = [...checkStarts(seen), ...checkAccounting(seen)];
    const isWell = violations.length === 0 && problems.length === 0;
    await finish(isWell && !options.keep);
    return {
      ...{
        seed,
        minutes,
        workers,
        etcd: etcd.members[0]!.binary.version,
        faults: nemesis.faults,
        violations,
        problems,
      },
      figures: measure(seen, due),
      refusedStarts: fleet.refusedStarts,
      outcomes: outcomesOf(seen.records),
    };
  } catch (error) {
    await finish(false);
    throw error;
  }

  async function settle(throughMs: number): Promise<void> {
    await waitUntil(
      async () => {
        if (signal.aborted) return true;
        const [kv] = (await store.range(singleKey(keys.cursor))).kvs;
        const cursor = kv && decodeRecord(cursorRecordSchema, kv);
        if (!cursor?.ok || cursor.value.plannedThrough.due < throughMs) return false;
        const left = (await list(prefixRange(keys.firings))).map(({ key }) =>
          parseRunId(key.slice(keys.firings.length)),
        );
        return left.every((id) => id === null || id.dueMs > throughMs);
      },
      { what: 'everything that was due to end', timeoutMs: ENDED_WITHIN_MS },
    );
  }

  async function readRecords(): Promise<Map<string, RunRecord>> {
    const records = new Map<string, RunRecord>();
    for (const kv of await list(prefixRange(keys.runs))) {
      const decoded = decodeRun(kv);
      if (decoded.ok) records.set(kv.key.slice(keys.runs.length), decoded.value);
      else onProblem(`${kv.key}: ${decoded.problem}`);
    }
    return records;
  }

  async function finish(remove: boolean): Promise<void> {
    await fleet.destroy();
    await store.close();
    await etcd.stop();
    endProcessesIn(folder);
    if (remove) rmSync(folder, { recursive: true, force: true });
    else say(`evidence and logs are kept in ${folder}`);
  }
}

function noteFault(folder: string, fault: NotedFault, say: (line: string) => void): void {
  const { text, fromMs, throughMs } = fault;
  const at = new Date(throughMs ?? fromMs).toISOString().slice(11, 23);
  say(`${at} ${throughMs === null ? '▶' : '■'} ${text}`);
  if (throughMs !== null) void appendFile(join(folder, 'faults.jsonl'), `${JSON.stringify(fault)}\n`);
}

/** Commands of workers that went together with their watchdogs may live on. They all run in the folder. */
function endProcessesIn(folder: string): void {
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid) || !existsSync(`/proc/${pid}/cwd`)) continue;
    try {
      if (readlinkSync(`/proc/${pid}/cwd`) === folder) process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}

function outcomesOf(records: ReadonlyMap<string, RunRecord>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { outcome } of records.values()) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}
