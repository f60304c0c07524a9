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

function inOrder(field: string, value: NonNullable<JobDefinition[keyof JobDefinition]>): unknown {
  if (typeof value !== 'object' || Array.isArray(value)) return value;
  const names = Object.keys(value);
  const known = FIELD_NAMES[field as keyof typeof FIELD_NAMES] as readonly string[] | undefined;
  const order = known === undefined ? names.sort() : known.filter((name) => names.includes(name));
  return Object.fromEntries(order.map((name) => [name, (value as Record<string, unknown>)[name]]));
}
