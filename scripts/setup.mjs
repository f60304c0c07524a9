/**
 * Everything that a fresh clone needs before etcron can run: a recent Node, the dependencies, the compiled code. Each
 * step looks first whether there is something to do, so that a second run is immediate and needs no network.
 *
 * Plain JavaScript without dependencies: it runs before they are there. `node scripts/setup.mjs` does it all.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeExecutable } from './make-executable.mjs';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(root, '.cache');
/** The same as `engines` in package.json. */
const MINIMUM_NODE = [20, 19];

/** A problem that the reader can solve; shown without a stack trace. */
export class SetupError extends Error {}

export function setup() {
  checkNode(process.versions.node);
  installDependencies();
  compile({
    name: 'etcron',
    project: 'tsconfig.build.json',
    sources: ['src'],
    inputs: ['tsconfig.json', 'tsconfig.build.json', 'package-lock.json'],
    outDir: join(root, 'dist'),
    outputOf: (source) => relative('src', source),
  });
  makeExecutable();
  buildPage();
}

/** The page that workers serve, by Vite, into dist/web. */
function buildPage() {
  const stampFile = join(cache, 'web.stamp');
  const stamp = hashOf([...filesBelow('web'), 'package-lock.json']);
  if (existsSync(join(root, 'dist', 'web', 'index.html')) && readText(stampFile) === stamp) return;
  say('Building the page …');
  rmSync(stampFile, { force: true });
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js');
  run(process.execPath, [vite, 'build', 'web', '--logLevel', 'warn'], () => {
    throw new SetupError('The page could not be built (see above).');
  });
  mkdirSync(cache, { recursive: true });
  writeFileSync(stampFile, stamp);
}

/** Compiles bench/ and chaos/ with the sources that they import; returns the folder that holds both. */
export function setupTools() {
  const outDir = join(cache, 'tools');
  compile({
    name: 'the benchmarks and the chaos run',
    project: 'tsconfig.tools.json',
    sources: ['bench', 'chaos', 'src', 'test/support', 'test/screenshots'],
    inputs: ['tsconfig.json', 'tsconfig.tools.json', 'package-lock.json'],
    outDir,
    outputOf: (source) => source,
  });
  // Sources that read the project's package.json find it two folders up, like in dist/.
  writeFileSync(join(outDir, 'package.json'), readFileSync(join(root, 'package.json')));
  return outDir;
}

export function checkNode(version) {
  const [major, minor] = version.split('.').map(Number);
  if (major > MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor >= MINIMUM_NODE[1])) return;
  throw new SetupError(
    `etcron needs Node ${MINIMUM_NODE.join('.')} or newer; this is ${version}. Get it from https://nodejs.org/.`,
  );
}

function installDependencies() {
  if (dependenciesAreCurrent()) return;
  say('Installing the dependencies …');
  // Development dependencies hold the compiler, so they are needed under NODE_ENV=production too.
  run(
    npm(),
    ['ci', '--include=dev', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'],
    () => {
      throw new SetupError(
        'npm could not install the dependencies (see above). The first run needs the npm registry.',
      );
    },
  );
}

/**
 * Whether npm's own record of what lies in node_modules agrees with the lockfile. Optional packages may be absent: they
 * are for other platforms.
 */
function dependenciesAreCurrent() {
  const wanted = readLockfile('package-lock.json');
  const present = readLockfile('node_modules/.package-lock.json');
  if (!present) return false;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue;
    const found = present[path];
    if (found ? found.version !== entry.version : !entry.optional && !entry.devOptional && !entry.peer)
      return false;
  }
  return Object.keys(present).every((path) => path in wanted);
}

function readLockfile(path) {
  try {
    return JSON.parse(readFileSync(join(root, path), 'utf8')).packages;
  } catch {
    return undefined;
  }
}

function compile({ name, project, sources, inputs, outDir, outputOf }) {
  const files = sources.flatMap((folder) => filesBelow(folder));
  const stampFile = join(cache, `${project}.stamp`);
  const buildInfo = join(cache, `${project}.tsbuildinfo`);
  const stamp = hashOf([...files, ...inputs]);
  const missing = files
    .filter((file) => file.endsWith('.ts') && !file.startsWith('test'))
    .some((file) => !existsSync(join(outDir, outputOf(file).replace(/\.ts$/, '.js'))));
  if (!missing && readText(stampFile) === stamp) return;

  say(`Compiling ${name} …`);
  mkdirSync(cache, { recursive: true });
  // The compiler writes only what changed since its last run, and would not miss files that somebody deleted.
  if (missing) rmSync(buildInfo, { force: true });
  rmSync(stampFile, { force: true });
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  run(process.execPath, [tsc, '-p', project, '--incremental', '--tsBuildInfoFile', buildInfo], () => {
    throw new SetupError(`${name} could not be compiled (see above).`);
  });
  removeOrphans(outDir, new Set(files.map((file) => outputOf(file).replace(/\.ts$/, ''))));
  writeFileSync(stampFile, stamp);
}

/** Deletes what was compiled from sources that are gone. */
function removeOrphans(outDir, compiled) {
  for (const file of filesBelow(relative(root, outDir))) {
    const output = relative(outDir, join(root, file));
    if (output.startsWith('web/')) continue;
    const source = /^(.*)\.(js|js\.map|d\.ts)$/.exec(output)?.[1];
    if (source !== undefined && !compiled.has(source)) rmSync(join(outDir, output));
  }
}

function hashOf(files) {
  const hash = createHash('sha256');
  for (const file of files) {
    const content = readFileSync(join(root, file));
    hash.update(`${file}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

/** Paths relative to the project, sorted. */
function filesBelow(folder) {
  const path = join(root, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}

function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** npm's own program when npm runs this script, so that no other version on the PATH comes in. */
function npm() {
  return process.env.npm_execpath?.endsWith('npm-cli.js') ? process.env.npm_execpath : 'npm';
}

function run(command, args, onFailure) {
  const viaNode = command.endsWith('.js');
  const result = spawnSync(viaNode ? process.execPath : command, viaNode ? [command, ...args] : args, {
    cwd: root,
    // Progress goes to stderr: stdout belongs to what runs afterwards.
    stdio: ['ignore', 2, 2],
  });
  if (result.signal) process.kill(process.pid, result.signal);
  if (result.error || result.status !== 0) onFailure();
}

function say(line) {
  process.stderr.write(`${line}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    setup();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    process.exitCode = 1;
  }
}
