/** Administers etcd through its JSON gateway, which needs no client: each call to one member, with a deadline. */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../src/errors.js';

const PAUSE_MS = 200;

export interface MemberEntry {
  ID: string;
  /** Absent until the member has started for the first time. */
  name?: string;
  peerURLs: string[];
}

export interface StatusAnswer {
  header: { member_id: string; revision: string };
  dbSize: string;
  dbSizeInUse: string;
  /** Absent where it knows of none. */
  leader?: string;
  raftTerm: string;
  raftIndex: string;
  raftAppliedIndex: string;
}

export interface Alarm {
  memberID: string;
  alarm: string;
}

export class EtcdAdmin {
  constructor(
    readonly endpoint: string,
    private readonly timeoutMs = 5_000,
  ) {}

  status(): Promise<StatusAnswer> {
    return this.call('maintenance/status', {});
  }

  async members(): Promise<MemberEntry[]> {
    return (await this.call<{ members: MemberEntry[] }>('cluster/member/list', {})).members;
  }

  addMember(peerUrl: string): Promise<unknown> {
    return this.call('cluster/member/add', { peerURLs: [peerUrl] });
  }

  removeMember(ID: string): Promise<unknown> {
    return this.call('cluster/member/remove', { ID });
  }

  moveLeader(targetID: string): Promise<unknown> {
    return this.call('maintenance/transfer-leadership', { targetID });
  }

  async alarms(): Promise<Alarm[]> {
    return (await this.call<{ alarms?: Alarm[] }>('maintenance/alarm', { action: 'GET' })).alarms ?? [];
  }

  disarm(alarm: Alarm): Promise<unknown> {
    return this.call('maintenance/alarm', { action: 'DEACTIVATE', ...alarm });
  }

  /** Blocks the member while it lasts. */
  defragment(timeoutMs: number): Promise<unknown> {
    return this.call('maintenance/defragment', {}, timeoutMs);
  }

  /** Resolves when this member has deleted the old revisions. */
  compact(revision: string): Promise<unknown> {
    return this.call('kv/compaction', { revision, physical: true });
  }

  put(key: string, value: Buffer | string): Promise<unknown> {
    return this.call('kv/put', { key: base64(key), value: base64(value) });
  }

  /** A read that a quorum confirms; resolves with the store's revision. */
  async revision(): Promise<string> {
    const answer = await this.call<{ header: { revision: string } }>('kv/range', { key: base64('\0') });
    return answer.header.revision;
  }

  deletePrefix(prefix: string): Promise<unknown> {
    const end = Buffer.from(prefix);
    end[end.length - 1]! += 1;
    return this.call('kv/deleterange', { key: base64(prefix), range_end: base64(end) });
  }

  private async call<T>(path: string, body: object, timeoutMs = this.timeoutMs): Promise<T> {
    const response = await fetch(`${this.endpoint}/v3/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const answer = (await response.json()) as T & { error?: string };
    if (!response.ok) throw new Error(answer.error ?? `HTTP ${response.status}`);
    return answer;
  }
}

function base64(value: Buffer | string): string {
  return Buffer.from(value).toString('base64');
}

/**
 * Repeats `attempt` until it resolves, and resolves with that. After `deadlineMs` it begins no further attempt and rejects
 * with the last error, which it explains with `what`.
 */
export async function withinDeadline<T>(
  what: string,
  deadlineMs: number,
  attempt: (index: number) => Promise<T>,
): Promise<T> {
  const giveUpAt = performance.now() + deadlineMs;
  for (let index = 0; ; index += 1) {
    try {
      return await attempt(index);
    } catch (error) {
      if (performance.now() >= giveUpAt) {
        const reason = `${messageOf(error)}${error instanceof Error && error.cause ? ` (${messageOf(error.cause)})` : ''}`;
        throw new Error(`etcd: could not ${what} within ${deadlineMs / 1000} s: ${reason}`, { cause: error });
      }
    }
    await sleep(PAUSE_MS);
  }
}
