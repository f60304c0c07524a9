/** What happened, for a person who looks for the reason of a violation: only what bears on its subject. */
import type { Violation } from './checks/violation.js';
import { jobOf } from './checks/history.js';
import type { World } from './world.js';

interface Entry {
  readonly atMs: number;
  readonly who: string;
  readonly text: string;
}

/** So much before and after the violation is shown. */
const BEFORE_MS = 20_000;
const AFTER_MS = 5_000;

/** Lines such as `+ 12.345 s  n2  attempt 1 of steady-1/… starts`. */
export function timelineOf(world: World, violation: Violation): string[] {
  const { subject, atMs } = violation;
  const isSubject = (runId: string): boolean =>
    subject === null ? false : runId === subject || jobOf(runId) === subject;
  const entries = [
    ...world.faults.map(({ atMs: at, text }) => ({ atMs: at, who: '', text })),
    ...processes(world, isSubject),
    ...writes(world, isSubject),
  ];
  entries.sort((a, b) => a.atMs - b.atMs);
  const times = entries.filter(({ who }) => who !== '').map((one) => one.atMs);
  const around = subject === null ? [atMs ?? 0] : [...times, atMs ?? times[0] ?? 0];
  const fromMs = Math.min(...around) - BEFORE_MS;
  const throughMs = Math.max(...around) + AFTER_MS;
  return entries
    .filter((one) => one.atMs >= fromMs && one.atMs <= throughMs)
    .map(({ atMs: at, who, text }) => {
      const seconds = ((at - world.startMs) / 1000).toFixed(3).padStart(8);
      return `+${seconds} s  ${who.padEnd(14)} ${who === '' ? `⚡ ${text}` : text}`;
    });
}

function processes(world: World, isSubject: (runId: string) => boolean): Entry[] {
  return world.processes
    .filter(({ runId }) => isSubject(runId))
    .flatMap((one) => {
      const name = `attempt ${one.attempt} of ${one.runId}`;
      const offMs = one.startedAtNodeMs - one.startedAtMs;
      const started = `${name} starts: ${one.command} (its clock is ${offMs} ms off)`;
      return [
        { atMs: one.startedAtMs, who: one.worker, text: started },
        ...(one.endedAtMs === null
          ? []
          : [{ atMs: one.endedAtMs, who: one.worker, text: `${name} ends: ${one.how}` }]),
      ];
    });
}

function writes({ etcd, keys }: World, isSubject: (runId: string) => boolean): Entry[] {
  const named = [keys.firings, keys.locks, keys.runs, keys.kills];
  return etcd.changes.flatMap(({ atMs, client, revision, events }) =>
    events.flatMap((event) => {
      const key = event.type === 'put' ? event.kv.key : event.key;
      const prefix = named.find((one) => key.startsWith(one));
      const isRelevant = prefix === undefined ? key === keys.leader : isSubject(key.slice(prefix.length));
      if (!isRelevant) return [];
      const text = event.type === 'put' ? `puts ${key} ${summary(event.kv.value)}` : `deletes ${key}`;
      return [{ atMs, who: client, text: `${text} @${revision}` }];
    }),
  );
}

function summary(value: Buffer): string {
  const text = value.toString();
  try {
    const parsed = JSON.parse(text) as Record<string, unknown>;
    const { fingerprint: _, stdout: __, stderr: ___, ...rest } = parsed;
    return JSON.stringify(Object.fromEntries(Object.entries(rest).filter(([, one]) => one !== null)));
  } catch {
    return JSON.stringify(text);
  }
}
