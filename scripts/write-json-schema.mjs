/** Writes dist/jobs.schema.json after a build; the texts that editors show are those of docs/job-reference.md. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const { jobsFileJsonSchema, meaningsOf } = await import(
  pathToFileURL(join(dist, 'jobs', 'json-schema.js')).href
);
const reference = readFileSync(join(root, 'docs', 'job-reference.md'), 'utf8');
const schema = jobsFileJsonSchema(meaningsOf(reference));
writeFileSync(join(dist, 'jobs.schema.json'), `${JSON.stringify(schema, null, 2)}\n`);
