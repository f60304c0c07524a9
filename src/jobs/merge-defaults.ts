import { FIELDS_OF, TASKS } from './check-fields.js';
import { isMap } from './validate.js';

/** A word where a map may stand is short for a map with this field. */
const SHORT_FOR: Readonly<Record<string, string>> = { misfire: 'policy', overlap: 'policy', http: 'url' };

type Values = Readonly<Record<string, unknown>>;

/**
 * What a job says over what `defaults:` say. A field of the job replaces the default of the same name; fields that are
 * maps (`env`, `target`, `retries`, `misfire` and others) are merged name by name. `misfire: all` is short for
 * `misfire: { policy: all }`. A field without a value drops the default. Of the defaults, what belongs to another kind of
 * task than the job's counts as not written. Both sides may still be invalid.
 */
export function mergeDefaults(defaults: unknown, job: unknown): unknown {
  // A name with nothing below it is a job that says nothing, not a mistake: defaults may say enough.
  if (job === null) return isMap(defaults) ? defaults : {};
  if (!isMap(defaults)) return job;
  if (!isMap(job)) return job;
  const fitting = defaultsFor(job, defaults);
  const merged: Record<string, unknown> = { ...fitting };
  for (const [name, value] of Object.entries(job)) {
    const inherited = Object.hasOwn(fitting, name) ? fitting[name] : undefined;
    merged[name] = mergeField(inherited, value, SHORT_FOR[name]);
  }
  return merged;
}

/** A task that the job names takes the place of another in the defaults, and of the fields that go with that. */
function defaultsFor(job: Values, defaults: Values): Values {
  const taskOf = (values: Values) => TASKS.find((task) => (values[task] ?? null) !== null);
  const task = taskOf(job) ?? taskOf(defaults);
  if (task === undefined) return defaults;
  const fitting: Record<string, unknown> = { ...defaults };
  for (const other of TASKS.filter((one) => one !== task)) {
    for (const field of [other, ...FIELDS_OF[other]]) delete fitting[field];
  }
  if (task === 'handler') delete fitting.secrets;
  if (task !== 'command' && isMap(fitting.retries)) {
    const { exitCodes: _, ...retries } = fitting.retries;
    fitting.retries = retries;
  }
  return fitting;
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
