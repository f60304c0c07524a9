import { isMap } from './validate.js';

/** A word where a map may stand is short for a map with this field. */
const SHORT_FOR: Readonly<Record<string, string>> = { misfire: 'policy', overlap: 'policy', http: 'url' };

/** A job does one of these; one that it names takes the place of another in the defaults. */
const TASKS = ['command', 'http', 'handler'] as const;

/**
 * What a job says over what `defaults:` say. A field of the job replaces the default of the same name; fields that are
 * maps (`env`, `target`, `retries`, `misfire` and others) are merged name by name. `misfire: all` is short for
 * `misfire: { policy: all }`. A field without a value drops the default. Both sides may still be invalid.
 */
export function mergeDefaults(defaults: unknown, job: unknown): unknown {
  // A name with nothing below it is a job that says nothing, not a mistake: defaults may say enough.
  if (job === null) return isMap(defaults) ? defaults : {};
  if (!isMap(defaults)) return job;
  if (!isMap(job)) return job;
  const merged: Record<string, unknown> = { ...defaults };
  if (TASKS.some((task) => (job[task] ?? null) !== null))
    for (const task of TASKS) if (!(task in job)) delete merged[task];
  for (const [name, value] of Object.entries(job)) {
    const inherited = Object.hasOwn(defaults, name) ? defaults[name] : undefined;
    merged[name] = mergeField(inherited, value, SHORT_FOR[name]);
  }
  return merged;
}

function mergeField(inherited: unknown, value: unknown, shortFor: string | undefined): unknown {
  const [below, above] =
    isMap(inherited) === isMap(value)
      ? [inherited, value]
      : [asMap(inherited, shortFor), asMap(value, shortFor)];
  return isMap(below) && isMap(above) ? { ...below, ...above } : value;
}

function asMap(value: unknown, shortFor: string | undefined): unknown {
  return typeof value === 'string' && shortFor !== undefined ? { [shortFor]: value } : value;
}
