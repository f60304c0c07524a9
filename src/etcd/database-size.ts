/**
 * Whether etcd's database comes near its quota. At the quota etcd refuses every write, so that nothing is planned, claimed or
 * recorded any more, until somebody makes room and disarms the alarm: that has to be told before.
 */
import type { EndpointStatus } from './store.js';

/** etcd's own default (`--quota-backend-bytes` 0): https://etcd.io/docs/v3.5/op-guide/maintenance/#space-quota */
export const DEFAULT_QUOTA_BYTES = 2 * 2 ** 30;
/** From this share of the quota on it is told. */
export const WARN_FROM_SHARE = 0.8;

export interface DatabaseProblem {
  readonly isFull: boolean;
  /** One sentence: what, and what to do. */
  readonly message: string;
}

/** Of the member whose database is the fullest; null while all have room. */
export function databaseProblem(members: readonly EndpointStatus[]): DatabaseProblem | null {
  if (members.some(({ isFull }) => isFull)) {
    return {
      isFull: true,
      message:
        "etcd's database reached its quota, and etcd refuses all writes: compact and defragment it (or raise --quota-backend-bytes), then disarm the alarm with `etcdctl alarm disarm`",
    };
  }
  const [fullest] = [...members].sort((a, b) => shareOf(b) - shareOf(a));
  if (fullest === undefined || shareOf(fullest) < WARN_FROM_SHARE) return null;
  const { endpoint, dbInUseBytes, quotaBytes } = fullest;
  // Half of the quota is no state in which to wait for the rest.
  const remedy =
    dbInUseBytes < quotaBytes / 2
      ? 'defragment it with `etcdctl defrag`, member by member'
      : 'keep less history, compact more often, or raise --quota-backend-bytes';
  return {
    isFull: false,
    message: `etcd's database on ${endpoint} fills ${sizeText(fullest)}, ${mebibytes(dbInUseBytes)} in use: ${remedy}, before etcd refuses all writes`,
  };
}

/** `1.7 GiB, 85 % of the quota` in short. */
export function sizeText(member: EndpointStatus): string {
  const { dbSizeBytes, quotaBytes } = member;
  return `${mebibytes(dbSizeBytes)}, ${Math.floor(shareOf(member) * 100)} % of ${mebibytes(quotaBytes)}`;
}

function shareOf({ dbSizeBytes, quotaBytes }: EndpointStatus): number {
  return dbSizeBytes / quotaBytes;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
