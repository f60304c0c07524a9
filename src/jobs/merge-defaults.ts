import { isMap } from './validate.js';

/**
 * What a job says over what `defaults:` say. A field of the job replaces the default of the same name; fields that are
 * maps (`env`, `labels`, `retries`, `misfire`, `history`) are merged name by name. `misfire: all` is short for
 * `misfire: { policy: all }`. A field without a value drops the default. Both sides may still be invalid.
 */
export function mergeDefaults(defaults: unknown, job: unknown): unknown {
  // A name with nothing below it is a job that says nothing, not a mistake: defaults may say enough.
  if (job === null) return isMap(defaults) ? defaults : {};
  if (!isMap(defaults)) return job;
  if (!isMap(job)) return job;
  const merged: Record<string, unknown> = { ...defaults };
  for (const [name, value] of Object.entries(job)) {
    const inherited = Object.hasOwn(defaults, name) ? defaults[name] : undefined;
    merged[name] = name === 'misfire' ? mergeMisfire(inherited, value) : mergeField(inherited, value);
  }
  return merged;
}

function mergeField(inherited: unknown, value: unknown): unknown {
  return isMap(inherited) && isMap(value) ? { ...inherited, ...value } : value;
}

function mergeMisfire(inherited: unknown, value: unknown): unknown {
  if (isMap(inherited) === isMap(value)) return mergeField(inherited, value);
  return mergeField(asMap(inherited), asMap(value));
}

function asMap(misfire: unknown): unknown {
  return typeof misfire === 'string' ? { policy: misfire } : misfire;
}
