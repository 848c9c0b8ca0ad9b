import { dirname, join } from 'node:path/posix';
import { type Import, importsOf, lineAt, type Scanned, scan } from './scan.ts';

export interface SourceFile {
  /** From the root, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** Declared dependencies by package directory, e.g. `server`. */
export type Dependencies = ReadonlyMap<string, readonly string[]>;

export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly rule: string;
  readonly message: string;
}

export const LINES_MAX = 450;

/** Which packages of ours each one may import; what is not named here may import all. */
const PACKAGES: ReadonlyMap<string, readonly string[]> = new Map([
  ['core', []],
  ['client', ['core']],
  ['server', ['core']],
  ['sidecar', ['core', 'client']],
  ['operator', ['core', 'client']],
]);

/** Areas of the server that work on data know only what is below them; `server.ts` connects the rest by change feeds. */
const SERVER_AREAS: ReadonlyMap<string, readonly string[]> = new Map([
  ['store', []],
  ['naming', ['store']],
  ['config', ['store']],
  ['push', []],
  ['distro', ['naming', 'http']],
]);

/** They reach the clock, the network, the disk or another process; the host is where code gets those from. */
const MACHINE_MODULES: ReadonlySet<string> = new Set(
  (
    'child_process cluster dgram dns dns/promises fs fs/promises http http2 https inspector net os perf_hooks process ' +
    'readline readline/promises repl timers timers/promises tls v8 vm wasi worker_threads'
  ).split(' '),
);

const FILES: readonly ((file: Scan) => Finding[])[] = [
  packageImports,
  serverAreas,
  testCode,
  machineModules,
  machineCalls,
  pureMachines,
  todos,
  suppressions,
  fileSize,
];

interface Scan {
  readonly path: string;
  readonly text: string;
  readonly scanned: Scanned;
  readonly imports: readonly Import[];
  readonly dependencies: Dependencies;
}

export function checkFile(file: SourceFile, dependencies: Dependencies): readonly Finding[] {
  const scanned = scan(file.text);
  const whole = { ...file, scanned, imports: importsOf(scanned), dependencies };
  return FILES.flatMap((rule) => rule(whole)).sort((one, other) => one.line - other.line);
}

function isTest(path: string): boolean {
  return path.endsWith('.test.ts');
}

/** Tests and what only tests use. */
function isTestCode(path: string): boolean {
  return isTest(path) || /-for-tests\.ts$|\/fake-[^/]*\.ts$|\/testing\/|\/contract(-[a-z]+)?\.ts$/.test(path);
}

/** Where the machine itself may be named: the real host, the ends of a program, and threads beside the loop. */
function mayNameMachine(path: string): boolean {
  return (
    !/^\w+\/src\//.test(path) ||
    path.startsWith('core/src/host/') ||
    path === 'core/src/sim/turn.ts' ||
    /\/main\.ts$|\/settings\/|-worker\.ts$/.test(path) ||
    isTestCode(path)
  );
}

function packageImports(file: Scan): Finding[] {
  const own = packageOf(file.path);
  const allowed = own === undefined ? undefined : PACKAGES.get(own);
  if (own === undefined || allowed === undefined) return [];
  const declaredBy = (directory: string) => file.dependencies.get(directory) ?? [];
  return file.imports.flatMap((found) => {
    const at = finder(file, 'imports', found.offset);
    if (found.from.startsWith('.')) {
      const target = join(dirname(file.path), found.from);
      if (packageOf(target) === own) return [];
      // The programs that tests need, such as a database, live with the end-to-end tests.
      if (isTest(file.path) && /^(e2e|scripts)\//.test(target)) return [];
      return at(`a relative path must not leave ${own}; import ${target} by its package's name, if ${own} may`);
    }
    if (found.from.startsWith('node:')) return [];
    const ours = /^@nacos-kube\/([^/]+)/.exec(found.from)?.[1];
    if (ours !== undefined) {
      if (allowed.includes(ours)) return [];
      const may = allowed.length === 0 ? 'none of the others' : allowed.join(' and ');
      return at(ours === own ? `inside ${own} use relative paths` : `${own} imports ${may}, never ${ours}`);
    }
    if (isTest(file.path) && declaredBy('').includes(packageName(found.from))) return [];
    if (declaredBy(own).includes(packageName(found.from))) return [];
    return at(`${packageName(found.from)} is not among the dependencies of ${own}/package.json`);
  });
}

function serverAreas(file: Scan): Finding[] {
  const area = areaOf(file.path);
  const allowed = area === undefined ? undefined : SERVER_AREAS.get(area);
  if (area === undefined || allowed === undefined || isTest(file.path)) return [];
  return file.imports.flatMap((found) => {
    const target = found.from.startsWith('.') ? areaOf(join(dirname(file.path), found.from)) : undefined;
    if (target === undefined || target === area || allowed.includes(target)) return [];
    const may = allowed.length === 0 ? 'no other area' : allowed.join(' and ');
    return finder(
      file,
      'areas',
      found.offset,
    )(`${area} knows ${may}, not ${target}: calls go down, knowledge goes up by a change feed that server.ts connects`);
  });
}

function testCode(file: Scan): Finding[] {
  if (isTestCode(file.path) || packageOf(file.path) === undefined || /\/(simulation|sim)\//.test(file.path)) return [];
  return file.imports.flatMap((found) => {
    const target = found.from.startsWith('.') ? join(dirname(file.path), found.from) : found.from;
    if (!isTestCode(target) && !/^@nacos-kube\/core\/sim\/|\/src\/(sim|simulation)\//.test(target)) return [];
    return finder(file, 'tests', found.offset)(`${found.from} is made for tests; programs do not import it`);
  });
}

function machineModules(file: Scan): Finding[] {
  if (!/^\w+\/src\//.test(file.path)) return [];
  return file.imports.flatMap((found) => {
    const module = found.from.replace(/^node:/, '');
    const at = finder(file, 'host', found.offset);
    if (module === 'sqlite' && found.from.startsWith('node:')) {
      const isAllowed = file.path.startsWith('server/src/store/') || file.path === 'core/src/host/node/file-lock.ts';
      return isAllowed ? [] : at('node:sqlite belongs to server/src/store alone');
    }
    if (mayNameMachine(file.path) || found.isTypeOnly) return [];
    if (MACHINE_MODULES.has(module)) return at(`node:${module} is the machine: take it from the host`);
    if (module === 'crypto') {
      const drawn = namesOf(found.clause).find((name) => /^(random|generate|getRandomValues$|webcrypto$)/.test(name));
      return drawn === undefined ? [] : at(`${drawn} is chance: take host.random`);
    }
    if (module === 'zlib' && namesOf(found.clause).some((name) => !/(Sync|^crc32|^constants)$/.test(name))) {
      return at('only the Sync calls of node:zlib: what runs in threads of its own breaks a replay');
    }
    return [];
  });
}

/** What an import takes, under the names of the module; types aside. */
function namesOf(clause: string): readonly string[] {
  const parts = clause.replace(/^\{|\}$/g, '').split(',');
  return parts.flatMap((part) => (/^\s*type\s/.test(part) ? [] : (/[\w$*]+/.exec(part)?.[0] ?? [])));
}

/** Globals are Biome's (`noRestrictedGlobals`), which knows what a name stands for; these are members of harmless ones. */
function machineCalls(file: Scan): Finding[] {
  if (mayNameMachine(file.path)) return [];
  const calls: readonly [RegExp, string][] = [
    [/\bMath\s*\.\s*random\b/g, 'Math.random is chance: take host.random'],
    [/\bAbortSignal\s*\.\s*timeout\b/g, 'AbortSignal.timeout is a timer: take host.clock.after'],
    [/\bglobalThis\b/g, 'globalThis leads around the host'],
    [/\bAtomics\s*\.\s*wait\w*/g, 'Atomics.wait blocks the loop'],
    [/\bTemporal\s*\.\s*Now\b/g, 'Temporal.Now is the clock: take host.clock'],
  ];
  return calls.flatMap(([pattern, message]) => {
    return [...file.scanned.code.matchAll(pattern)].flatMap((match) => finder(file, 'host', match.index)(message));
  });
}

/** State machines decide; they neither wait nor act. */
function pureMachines(file: Scan): Finding[] {
  const isPure =
    /^\w+\/src\//.test(file.path) &&
    (file.path.startsWith('operator/src/plan/') || /\/(machine|registry)\.ts$/.test(file.path)) &&
    !isTest(file.path) &&
    !file.path.startsWith('core/src/sim/');
  if (!isPure) return [];
  const waits = [...file.scanned.code.matchAll(/(?<![.\w$])(?:async|await|Promise)\b/g)].flatMap((match) => {
    return finder(
      file,
      'pure',
      match.index,
    )(`${match[0]} in a file that only decides: return what to do, a driver does it`);
  });
  const acts = file.imports.flatMap((found) => {
    const port = /\/host\/host\.ts$/.test(found.from)
      ? /\b(Host|Clock|Network|Disk)\b/.exec(found.clause)?.[1]
      : undefined;
    return port === undefined
      ? []
      : finder(file, 'pure', found.offset)(`${port} in a file that only decides: take the time as a parameter`);
  });
  return [...waits, ...acts];
}

function todos(file: Scan): Finding[] {
  return file.scanned.comments.flatMap((comment) => {
    return [...comment.text.matchAll(/\b(TODO(?!\(#\d+\))|FIXME|XXX)\b/g)].flatMap((match) => {
      const what =
        match[1] === 'TODO' ? 'a TODO names its issue: TODO(#12): ...' : `${match[1]} is written TODO(#12): ...`;
      return finder(file, 'todo', comment.offset + match.index)(what);
    });
  });
}

/** A rule is changed where it stands, with its reason, not switched off where it hurts. */
function suppressions(file: Scan): Finding[] {
  return file.scanned.comments.flatMap((comment) => {
    const isHouseRule = /biome-ignore\S*\s+lint\/style\/noRestrictedGlobals/.test(comment.text);
    return isHouseRule ? finder(file, 'host', comment.offset)('the host rule has no exceptions in passing') : [];
  });
}

function fileSize(file: Scan): Finding[] {
  const isFree = !/^\w+\/src\//.test(file.path) || isTestCode(file.path) || /\/(wire|generated)\//.test(file.path);
  const lines = file.text.split('\n').length - 1;
  if (isFree || lines <= LINES_MAX) return [];
  const message = `${lines} lines; at most ${LINES_MAX}: look for the second idea inside`;
  return [{ path: file.path, line: lines, rule: 'size', message }];
}

function finder(file: Scan, rule: string, offset: number): (message: string) => Finding[] {
  return (message) => [{ path: file.path, line: lineAt(file.text, offset), rule, message }];
}

function packageOf(path: string): string | undefined {
  return /^(\w+)\/src\//.exec(path)?.[1];
}

/** The folder or the file right below `server/src`. */
function areaOf(path: string): string | undefined {
  return /^server\/src\/([\w-]+)/.exec(path)?.[1];
}

function packageName(specifier: string): string {
  const parts = specifier.split('/');
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
}
