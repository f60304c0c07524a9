/** Checks what would be published: `node .ci/check-package.mjs <output of npm pack --dry-run --json>`. */
import { readFileSync } from 'node:fs';

const [packed] = Object.values(JSON.parse(readFileSync(process.argv[2], 'utf8')));
const files = packed.files.map((file) => file.path);

const wanted = [
  /^dist\/cli\/main\.js$/,
  /^dist\/jobs\.schema\.json$/,
  /^dist\/index\.d\.ts$/,
  /^dist\/testing\/index\.d\.ts$/,
  /^dist\/web\/index\.html$/,
  /^dist\/web\/assets\/.+\.js$/,
  /^dist\/web\/assets\/.+\.css$/,
  /^deploy\/prometheus\/etcron\.rules\.yaml$/,
  /^deploy\/systemd\/.+\.service$/,
  /^docs\/.+\.md$/,
  /^jobs\.example\.yaml$/,
  /^LICENSE$/,
  /^README\.md$/,
  /^package\.json$/,
];
const unwanted =
  /^(test|bench|examples|scripts|src|\.ci|\.cache)\/|\.test\.|\.tsbuildinfo$|^dist\/(test|bench)\//;

const problems = [
  ...wanted
    .filter((pattern) => !files.some((file) => pattern.test(file)))
    .map((pattern) => `missing: ${pattern.source}`),
  ...files.filter((file) => unwanted.test(file)).map((file) => `does not belong in it: ${file}`),
];

const { exports } = JSON.parse(readFileSync('package.json', 'utf8'));
for (const target of Object.values(exports).flatMap((entry) =>
  typeof entry === 'string' ? entry : Object.values(entry),
)) {
  if (!files.includes(target.replace(/^\.\//, ''))) problems.push(`exported, but missing: ${target}`);
}
if (files.includes('dist/jobs.schema.json')) {
  const { $schema, definitions } = JSON.parse(readFileSync('dist/jobs.schema.json', 'utf8'));
  if (!$schema || !definitions?.fields?.properties?.schedule) {
    problems.push('dist/jobs.schema.json is no schema of jobs');
  }
}

console.log(`${packed.name}-${packed.version}: ${files.length} files, ${packed.unpackedSize} bytes`);
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
