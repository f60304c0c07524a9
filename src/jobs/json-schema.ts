/**
 * The JSON Schema of a file of jobs, for editors. It is made from the schema that etcron itself uses, and accepts all that
 * etcron accepts; what only a program can judge (whether a schedule is one, whether a zone exists) `etcron validate` finds.
 */
import { z } from 'zod';
import { MAX_ENV_NAMES, MAX_LABEL_LENGTH, MAX_LABELS, MAX_SECRETS } from './limits.js';
import { isTextPath } from './parse-job.js';
import { FIELD_NAMES, jobDefaultsSchema } from './schema.js';

type JsonSchema = { [keyword: string]: unknown; properties?: Record<string, JsonSchema> };

/** Draft 7 is what the YAML plugins of editors know best. */
const TARGET = 'draft-7';

const NAME = '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$';

/** What the names of variables and labels look like, which the schema checks in code. */
const NAMES_OF: Readonly<Record<string, JsonSchema>> = {
  env: {
    maxProperties: MAX_ENV_NAMES,
    propertyNames: { pattern: '^(?!ETCRON_)[A-Za-z_][A-Za-z0-9_]*$' },
  },
  secrets: {
    maxProperties: MAX_SECRETS,
    propertyNames: { pattern: '^(?!ETCRON_)[A-Za-z_][A-Za-z0-9_]*$' },
  },
  labels: {
    maxProperties: MAX_LABELS,
    propertyNames: { pattern: '^[A-Za-z0-9][A-Za-z0-9._/-]*$', maxLength: MAX_LABEL_LENGTH },
  },
};

/** Without one of each group no job can be; a file may say it once under `defaults:`. */
const REQUIRED = [['schedule'], ['command', 'http', 'handler']];

/**
 * `meanings`: by the path of a field (`retries.delay`), what an editor shows about it, in Markdown. A field without one
 * throws.
 */
export function jobsFileJsonSchema(meanings: ReadonlyMap<string, string>): JsonSchema {
  const { $schema, ...fields } = z.toJSONSchema(jobDefaultsSchema, {
    target: TARGET,
    io: 'input',
  }) as JsonSchema;
  describe(fields, meanings);
  const fieldsOfJob = { $ref: '#/definitions/fields' };
  return {
    $schema,
    title: 'etcron jobs',
    type: 'object',
    properties: {
      defaults: {
        description: 'Stands under each job of this document; any field of a job.',
        anyOf: [fieldsOfJob, { type: 'null' }],
      },
      jobs: {
        description: 'The jobs by name: letters, digits, ".", "_" and "-", at most 128.',
        type: 'object',
        propertyNames: { pattern: NAME },
        additionalProperties: { anyOf: [fieldsOfJob, { type: 'null' }] },
      },
    },
    required: ['jobs'],
    additionalProperties: false,
    allOf: REQUIRED.map(requiredUnlessDefault),
    definitions: { fields },
  };
}

/** The meanings of the fields as the table of the job reference gives them. */
export function meaningsOf(reference: string): Map<string, string> {
  const rows = reference.matchAll(/^\| `([\w.]+)` *\| .*? +\| (.*?) +\| (.*?) *\|$/gm);
  return new Map(
    [...rows].map(([, field = '', byDefault = '', meaning = '']) => {
      const text = meaning.replace(/\[([^\]]*)\]\(#[^)]*\)/g, '$1');
      return [field, byDefault === 'required' ? `${text}.` : `${text}. Default: ${byDefault}.`];
    }),
  );
}

function requiredUnlessDefault(group: readonly string[]): JsonSchema {
  const anyOf = group.map((field) => ({ required: [field] }));
  const isDefault = {
    required: ['defaults'],
    properties: { defaults: { type: 'object', anyOf } },
  };
  const inEachJob = { type: 'object', anyOf };
  return { if: { not: isDefault }, then: { properties: { jobs: { additionalProperties: inEachJob } } } };
}

function describe(fields: JsonSchema, meanings: ReadonlyMap<string, string>): void {
  for (const [name, field] of Object.entries(fields.properties ?? {})) {
    const known = name in FIELD_NAMES ? FIELD_NAMES[name as keyof typeof FIELD_NAMES] : [];
    // A map stands beside a word in `misfire`.
    const map = [field, ...((field.anyOf ?? []) as JsonSchema[])].find(({ properties }) => properties);
    for (const inner of known) addMeaning(map!.properties!, inner, `${name}.${inner}`, meanings);
    if (isTextPath([name])) acceptScalars(field);
    for (const inner of known) if (isTextPath([name, inner])) acceptScalars(map!.properties![inner]!);
    Object.assign(field, NAMES_OF[name]);
    addMeaning(fields.properties!, name, name, meanings);
  }
}

/** Also: a field without a value counts as not written. */
function addMeaning(
  properties: Record<string, JsonSchema>,
  name: string,
  path: string,
  meanings: ReadonlyMap<string, string>,
): void {
  const description = meanings.get(path);
  if (description === undefined) throw new Error(`the field ${path} has no meaning`);
  const anyOf = [properties[name], { type: 'null' }];
  const isRequired = REQUIRED.some((group) => group.includes(path));
  properties[name] = isRequired ? { description, ...properties[name] } : { description, anyOf };
}

/** Where a number or a boolean counts as the text that was written. */
function acceptScalars(schema: JsonSchema): void {
  if (schema.type === 'string') schema.type = ['string', 'number', 'boolean'];
  const inner = [schema.items, schema.additionalProperties, ...((schema.anyOf ?? []) as unknown[])];
  for (const part of inner) if (typeof part === 'object' && part !== null) acceptScalars(part as JsonSchema);
}
