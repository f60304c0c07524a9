/**
 * The keys of the in-memory etcd with all their versions since the last compaction. One revision is written at a time;
 * what is written is visible at once, as it is to the later operations of a transaction in etcd.
 */
import type { KeyValue } from '../etcd/store.js';

interface KeyHistory {
  readonly key: string;
  /** Oldest first; `kv` null is a deletion. */
  versions: { readonly revision: number; readonly kv: KeyValue | null }[];
}

/** The order of the keys' UTF-8 bytes, which differs from that of UTF-16 units above U+D7FF. */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return byteRank(x) - byteRank(y);
  }
  return a.length - b.length;
}

/** Surrogates stand for characters above all others. */
function byteRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

export class KeySpace {
  private readonly sorted: KeyHistory[] = [];
  private readonly byKey = new Map<string, KeyHistory>();

  get(key: string): KeyValue | null {
    return this.byKey.get(key)?.versions.at(-1)?.kv ?? null;
  }

  /**
   * The keys from `key` up to `end` (exclusive) as they were at `revision` (default: now), ascending. As in etcd no
   * `end` is the one key, and the end "\0" stands for everything from `key` on.
   */
  range(key: string, end: string | undefined, revision: number = Infinity): KeyValue[] {
    if (end === undefined || end === '') {
      const kv = versionAt(this.byKey.get(key), revision);
      return kv === null ? [] : [kv];
    }
    const found: KeyValue[] = [];
    for (let i = this.position(key); i < this.sorted.length; i++) {
      const history = this.sorted[i]!;
      if (end !== '\0' && compareKeys(history.key, end) >= 0) break;
      const kv = versionAt(history, revision);
      if (kv !== null) found.push(kv);
    }
    return found;
  }

  put(key: string, value: Buffer, leaseId: string | null, revision: number): KeyValue {
    const before = this.get(key);
    const kv: KeyValue = {
      key,
      value,
      createRevision: before?.createRevision ?? revision,
      modRevision: revision,
      version: (before?.version ?? 0) + 1,
      leaseId,
    };
    this.history(key).versions.push({ revision, kv });
    return kv;
  }

  /** The key must exist. */
  delete(key: string, revision: number): void {
    this.history(key).versions.push({ revision, kv: null });
  }

  /** Forgets all versions that cannot be seen at `revision` or later. */
  compact(revision: number): void {
    let kept = 0;
    for (const history of this.sorted) {
      const { versions } = history;
      let first = versions.length - 1;
      while (first > 0 && versions[first]!.revision > revision) first--;
      history.versions = versions.slice(first);
      const oldest = history.versions[0]!;
      if (history.versions.length === 1 && oldest.kv === null && oldest.revision <= revision) {
        this.byKey.delete(history.key);
      } else {
        this.sorted[kept++] = history;
      }
    }
    this.sorted.length = kept;
  }

  private history(key: string): KeyHistory {
    let history = this.byKey.get(key);
    if (history === undefined) {
      history = { key, versions: [] };
      this.byKey.set(key, history);
      this.sorted.splice(this.position(key), 0, history);
    }
    return history;
  }

  /** Where the first key >= `key` stands. */
  private position(key: string): number {
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(this.sorted[middle]!.key, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function versionAt(history: KeyHistory | undefined, revision: number): KeyValue | null {
  if (history === undefined) return null;
  for (let i = history.versions.length - 1; i >= 0; i--) {
    const version = history.versions[i]!;
    if (version.revision <= revision) return version.kv;
  }
  return null;
}
