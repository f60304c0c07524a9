import { FIELD_NAMES, type JobDefinition } from './schema.js';

/**
 * The JSON that etcron writes to etcd: what the definition says and nothing more, fields in the order of the schema,
 * names of maps sorted. The same definition always gives the same text, which makes `apply` idempotent.
 */
export function serializeDefinition(definition: JobDefinition): string {
  return JSON.stringify(canonicalDefinition(definition));
}

/** A copy with everything in its canonical order. */
export function canonicalDefinition(definition: JobDefinition): JobDefinition {
  const fields: Record<string, unknown> = {};
  for (const name of FIELD_NAMES['']) {
    const value = definition[name as keyof JobDefinition];
    if (value !== undefined) fields[name] = inOrder(name, value);
  }
  return fields as JobDefinition;
}

function inOrder(field: string, value: unknown): unknown {
  return mapNames(
    value,
    Object.hasOwn(FIELD_NAMES, field) ? FIELD_NAMES[field as keyof typeof FIELD_NAMES] : null,
  );
}

/** Names in the order of `known`, or sorted; those of maps within are sorted. */
function mapNames(value: unknown, known: readonly string[] | null = null): unknown {
  if (Array.isArray(value)) return value.map((item) => mapNames(item));
  if (typeof value !== 'object' || value === null) return value;
  const map = value as Readonly<Record<string, unknown>>;
  const names = Object.keys(map);
  const order = known === null ? names.sort() : known.filter((name) => names.includes(name));
  return Object.fromEntries(order.map((name) => [name, mapNames(map[name])]));
}
