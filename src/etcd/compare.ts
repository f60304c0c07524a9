/** How etcd judges a compare (checked against etcd 3.4.23). */
import type { Compare, KeyValue } from './store.js';

/** `kv` is null for a key that does not exist: then every compare of its value fails, `!=` and `=` '' included. */
export function holds(compare: Compare, kv: KeyValue | null): boolean {
  const { target, op, to } = compare;
  switch (target) {
    case 'create':
      return matches(op, (kv?.createRevision ?? 0) - Number(to));
    case 'mod':
      return matches(op, (kv?.modRevision ?? 0) - Number(to));
    case 'version':
      return matches(op, (kv?.version ?? 0) - Number(to));
    case 'lease': {
      const difference = BigInt(kv?.leaseId ?? 0) - BigInt(to);
      return matches(op, difference > 0n ? 1 : difference < 0n ? -1 : 0);
    }
    case 'value':
      return kv !== null && matches(op, Buffer.compare(kv.value, Buffer.from(String(to))));
  }
}

function matches(op: Compare['op'], sign: number): boolean {
  switch (op) {
    case '=':
      return sign === 0;
    case '!=':
      return sign !== 0;
    case '<':
      return sign < 0;
    case '>':
      return sign > 0;
  }
}
