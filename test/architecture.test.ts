/** The rules about which code may know which, and that the catalogue of errors and the code agree. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { ERROR_CATALOGUE } from '../src/errors.js';

/** Each folder imports only from the ones before it, from itself, and from the files directly in src/. */
const FOLDERS = [
  'telemetry',
  'schedule',
  'jobs',
  'etcd',
  'apply',
  'history',
  'election',
  'view',
  'plan',
  'run',
  'claim',
  'node',
  'library',
  'operations',
  'api',
  'dashboard',
  'cli',
  'testing',
];
/** Root files that put the public package together; nothing imports them. */
const ENTRY_FILES = ['index.ts'];

const src = fileURLToPath(new URL('../src', import.meta.url));

interface Source {
  /** Relative to src/. */
  file: string;
  text: string;
  imports: Import[];
}

interface Import {
  /** As it is written, in imports, re-exports and dynamic imports. */
  specifier: string;
  /** Vanishes when it is compiled. */
  typeOnly: boolean;
}

const sources: Source[] = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
  .map((file) => {
    const text = readFileSync(join(src, file), 'utf8');
    return { file, text, imports: importsOf(text) };
  });

function importsOf(text: string): Import[] {
  const imports: Import[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const typeOnly = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
      imports.push({ specifier: node.moduleSpecifier.text, typeOnly });
    } else if (
      ts.isExportDeclaration(node) &&
      node.moduleSpecifier &&
      ts.isStringLiteral(node.moduleSpecifier)
    ) {
      imports.push({ specifier: node.moduleSpecifier.text, typeOnly: node.isTypeOnly });
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      if (argument && ts.isStringLiteral(argument))
        imports.push({ specifier: argument.text, typeOnly: false });
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      const { literal } = node.argument;
      if (ts.isStringLiteral(literal)) imports.push({ specifier: literal.text, typeOnly: true });
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('source.ts', text, ts.ScriptTarget.Latest));
  return imports;
}

/** The imported file relative to src/, or null for a package. */
function target(source: Source, specifier: string): string | null {
  if (!specifier.startsWith('.')) return null;
  return relative(src, join(src, dirname(source.file), specifier)).replace(/\.js$/, '.ts');
}

function folderOf(file: string): string | null {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : null;
}

/** Why this import breaks the order, or null. */
function violation(from: string, to: string): string | null {
  const [source, imported] = [folderOf(from), folderOf(to)];
  if (to.startsWith('..')) return `${from} imports ${to}, outside src/`;
  if (ENTRY_FILES.includes(to)) return `${from} imports the entry file ${to}`;
  if (imported === null || source === imported || ENTRY_FILES.includes(from)) return null;
  if (source === null) return `${from}, a root file, imports from ${imported}/`;
  return FOLDERS.indexOf(imported) < FOLDERS.indexOf(source)
    ? null
    : `${from} imports from ${imported}/ (${to})`;
}

describe('imports', () => {
  test('the scan sees the code', () => {
    expect(sources.length).toBeGreaterThan(20);
    expect(
      importsOf(`import type { A } from './a.js'; import { type B, c } from './b.js'; export * from './c.js';
        const d = await import('./d.js'); type E = import('./e.js').E; import 'f';`),
    ).toEqual([
      { specifier: './a.js', typeOnly: true },
      { specifier: './b.js', typeOnly: false },
      { specifier: './c.js', typeOnly: false },
      { specifier: './d.js', typeOnly: false },
      { specifier: './e.js', typeOnly: true },
      { specifier: 'f', typeOnly: false },
    ]);
  });

  test('every folder of src/ has its place in the order', () => {
    const present = new Set(sources.map(({ file }) => folderOf(file)).filter((folder) => folder !== null));
    expect([...present].filter((folder) => !FOLDERS.includes(folder))).toEqual([]);
  });

  test('folders import only from earlier ones', () => {
    const violations = sources.flatMap((source) =>
      source.imports.map(({ specifier }) => {
        const to = target(source, specifier);
        return to === null ? null : violation(source.file, to);
      }),
    );
    expect(violations.filter((line) => line !== null)).toEqual([]);
  });

  test('the order is judged as it is written', () => {
    expect(violation('plan/planner.ts', 'etcd/keys.ts')).toBeNull();
    expect(violation('plan/planner.ts', 'errors.ts')).toBeNull();
    expect(violation('etcd/keys.ts', 'plan/planner.ts')).toContain('imports from plan/');
    expect(violation('errors.ts', 'etcd/keys.ts')).toContain('a root file');
  });

  test('no files need each other in a circle when they are loaded', () => {
    const imports = new Map(
      sources.map((source) => [
        source.file,
        source.imports
          .filter(({ typeOnly }) => !typeOnly)
          .map(({ specifier }) => target(source, specifier))
          .filter((to) => to !== null),
      ]),
    );
    expect(findCycle(imports)).toBeNull();
    expect(
      findCycle(
        new Map([
          ['a', ['b']],
          ['b', ['c']],
          ['c', ['a']],
        ]),
      ),
    ).toEqual(['a', 'b', 'c', 'a']);
  });

  test('only src/etcd knows the etcd client', () => {
    const knowing = sources
      .filter(({ imports }) => imports.some(({ specifier }) => /^(etcd3|@grpc)(\/|$)/.test(specifier)))
      .map(({ file }) => folderOf(file));
    expect([...new Set(knowing)]).toEqual(['etcd']);
  });

  test('every package that is imported is a dependency, so that an installed etcron finds it', () => {
    const manifest = JSON.parse(readFileSync(join(src, '../package.json'), 'utf8')) as {
      dependencies: object;
    };
    const packages = sources
      .flatMap(({ imports }) => imports.map(({ specifier }) => specifier))
      .filter((specifier) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
      .map((specifier) => /^(@[^/]+\/)?[^/]+/.exec(specifier)![0]);
    expect([...new Set(packages)].filter((name) => !(name in manifest.dependencies))).toEqual([]);
  });
});

/** The first circle that a depth-first search meets, as a path that ends where it begins. */
function findCycle(imports: ReadonlyMap<string, readonly string[]>): string[] | null {
  const done = new Set<string>();
  const visit = (file: string, path: string[]): string[] | null => {
    const start = path.indexOf(file);
    if (start >= 0) return [...path.slice(start), file];
    if (done.has(file)) return null;
    for (const next of imports.get(file) ?? []) {
      const cycle = visit(next, [...path, file]);
      if (cycle) return cycle;
    }
    done.add(file);
    return null;
  };
  for (const file of imports.keys()) {
    const cycle = visit(file, []);
    if (cycle) return cycle;
  }
  return null;
}

describe('the catalogue of errors', () => {
  const catalogued = Object.keys(ERROR_CATALOGUE);

  test('it lists every code that the code makes errors with', () => {
    const used = sources.flatMap(({ text }) =>
      [...text.matchAll(/(?:new (?:Etcron|Store)Error\(\s*|\bcode: )['"](ETCRON_[A-Z_]+)['"]/g)].map(
        (found) => found[1]!,
      ),
    );
    expect(used.length).toBeGreaterThan(5);
    expect([...new Set(used)].filter((code) => !catalogued.includes(code))).toEqual([]);
  });

  test('it lists no code that nothing uses', () => {
    const elsewhere = sources.filter(({ file }) => file !== 'errors.ts').map(({ text }) => text);
    const unused = catalogued.filter(
      (code) => !elsewhere.some((text) => new RegExp(`['"]${code}['"]`).test(text)),
    );
    expect(unused).toEqual([]);
  });
});
