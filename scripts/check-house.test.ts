import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { checkFile, LINES_MAX } from './house/rules.ts';

const DEPENDENCIES = new Map([
  ['', ['fast-check']],
  ['core', []],
  ['server', ['@nacos-kube/core', 'mysql2']],
  ['operator', ['@kubernetes/client-node']],
]);

function breaches(path: string, text: string): string[] {
  return checkFile({ path, text }, DEPENDENCIES).map(({ line, rule, message }) => `${line} ${rule}: ${message}`);
}

/** A rule by what breaks it and what does not, side by side. */
function shows(rule: string, broken: readonly [string, string][], fine: readonly [string, string][]): void {
  for (const [path, text] of broken) {
    const found = breaches(path, text);
    assert.ok(found.length > 0 && found.every((line) => line.includes(` ${rule}: `)), `${path}: ${text}\n${found}`);
  }
  for (const [path, text] of fine) assert.deepEqual(breaches(path, text), [], `${path}: ${text}`);
}

test('packages import what lies below them and what they declare', () => {
  shows(
    'imports',
    [
      ['core/src/a.ts', "import { x } from '@nacos-kube/client/x.ts';"],
      ['core/src/a.ts', "import { x } from '@nacos-kube/core/x.ts';"],
      ['core/src/a.ts', "import x from 'mysql2';"],
      ['server/src/a.ts', "export * from '@nacos-kube/operator/x.ts';"],
      ['server/src/a.ts', "const x = await import('@nacos-kube/sidecar/x.ts');"],
      ['client/src/a.ts', "import '@nacos-kube/server/x.ts';"],
      ['server/src/a.ts', "import { x } from '../../core/src/x.ts';"],
      ['server/src/naming/a.ts', "import type { x } from '../../../operator/src/x.ts';"],
      ['server/src/a.ts', "import x from 'mysql2-other/promise';"],
      ['server/src/a.ts', "import x from 'fast-check';"],
      ['server/src/a.test.ts', "import x from '../../operator/src/x.ts';"],
    ],
    [
      ['server/src/a.ts', "import { x } from '@nacos-kube/core/x.ts';"],
      ['server/src/a.ts', "import { x } from 'mysql2/promise';"],
      ['operator/src/a.ts', "import { x } from '@kubernetes/client-node';"],
      ['sidecar/src/a.ts', "import { x } from '@nacos-kube/client/x.ts';"],
      ['server/src/console/a.ts', "import { x } from '../server.ts';"],
      ['server/src/a.test.ts', "import fc from 'fast-check';"],
      ['server/src/store/a.test.ts', "import { x } from '../../../e2e/engines/mariadb.ts';"],
      ['e2e/a.ts', "import { x } from '@nacos-kube/server/x.ts';"],
      ['server/src/a.ts', "const text = \"import x from 'left-pad'\"; // import y from 'left-pad'"],
    ],
  );
});

test('areas of the server know only what is below them', () => {
  shows(
    'areas',
    [
      ['server/src/naming/a.ts', "import { x } from '../distro/x.ts';"],
      ['server/src/naming/a.ts', "import type { x } from '../push/x.ts';"],
      ['server/src/naming/a.ts', "import { x } from '../config/x.ts';"],
      ['server/src/naming/a.ts', "import { x } from '../server.ts';"],
      ['server/src/config/a.ts', "import { x } from '../naming/x.ts';"],
      ['server/src/store/a.ts', "import { x } from '../config/x.ts';"],
    ],
    [
      ['server/src/naming/a.ts', "import { x } from '../store/x.ts';"],
      ['server/src/naming/deep/a.ts', "import { x } from '../x.ts';"],
      ['server/src/distro/a.ts', "import { x } from '../naming/x.ts';"],
      ['server/src/server.ts', "import { x } from './distro/x.ts';\nimport { y } from './naming/y.ts';"],
      ['server/src/naming/a.test.ts', "import { x } from '../distro/x.ts';"],
    ],
  );
});

test('programs do not import what is made for tests', () => {
  shows(
    'tests',
    [
      ['server/src/a.ts', "import { World } from '@nacos-kube/core/sim/world.ts';"],
      ['server/src/a.ts', "import { x } from '@nacos-kube/core/testing/fake-host.ts';"],
      ['server/src/config/a.ts', "import { x } from './fake-host.ts';"],
    ],
    [
      ['server/src/a.test.ts', "import { World } from '@nacos-kube/core/sim/world.ts';"],
      ['server/src/simulation/a.ts', "import { World } from '@nacos-kube/core/sim/world.ts';"],
    ],
  );
});

test('the machine is reached by the host alone', () => {
  shows(
    'host',
    [
      ...['http', 'https', 'net', 'dgram', 'fs', 'fs/promises', 'child_process', 'dns', 'worker_threads', 'timers'].map(
        (module): [string, string] => ['server/src/a.ts', `import { x } from 'node:${module}';`],
      ),
      ['operator/src/a.ts', "const fs = await import('node:fs');"],
      ['server/src/a.ts', "import { randomUUID } from 'node:crypto';"],
      ['server/src/a.ts', "import { hash, randomBytes as bytes } from 'node:crypto';"],
      ['server/src/a.ts', "import { gunzip } from 'node:zlib';"],
      ['server/src/a.ts', 'const x = Math.random();'],
      ['server/src/a.ts', 'const x = Math\n  .random();'],
      ['server/src/a.ts', 'const x = `${Math.random()}`;'],
      ['server/src/a.ts', 'AbortSignal.timeout(5);'],
      ['server/src/a.ts', 'globalThis.setTimeout(f, 5);'],
      ['server/src/a.ts', '// biome-ignore lint/style/noRestrictedGlobals: just here\nDate.now();'],
      ['core/src/sim/world.ts', "import { x } from 'node:fs';"],
      ['server/src/naming/a.ts', "import { DatabaseSync } from 'node:sqlite';"],
    ],
    [
      ['core/src/host/node/a.ts', "import { x } from 'node:http';\nMath.random();"],
      ['server/src/a.test.ts', "import { x } from 'node:fs';"],
      ['server/src/main.ts', "import { x } from 'node:fs/promises';"],
      ['server/src/settings/a.ts', "import { hostname } from 'node:os';"],
      ['server/src/store/sqlite-worker.ts', "import { parentPort } from 'node:worker_threads';"],
      ['server/src/store/a.ts', "import { DatabaseSync } from 'node:sqlite';"],
      ['server/src/a.ts', "import { createHash, hash, type randomUUID } from 'node:crypto';"],
      ['server/src/a.ts', "import { gunzipSync } from 'node:zlib';"],
      ['server/src/a.ts', "import type { Socket } from 'node:net';"],
      ['server/src/a.ts', "// Math.random()\nconst x = 'Math.random()'; const y = /Math.random/;"],
      ['e2e/a.ts', "import { x } from 'node:fs';\nMath.random();"],
    ],
  );
});

test('files that only decide neither wait nor hold a port', () => {
  shows(
    'pure',
    [
      ['operator/src/plan/a.ts', 'export async function plan() {}'],
      ['server/src/naming/registry.ts', 'function f(): Promise<void> {}'],
      ['server/src/members/machine.ts', "import type { Clock } from '@nacos-kube/core/host/host.ts';"],
    ],
    [
      ['operator/src/plan/a.ts', "// we await nothing\nimport type { Log } from '@nacos-kube/core/host/host.ts';"],
      ['operator/src/plan/a.test.ts', 'await plan();'],
      ['server/src/naming/service.ts', 'export async function list() {}'],
    ],
  );
});

test('what is left to do names its issue', () => {
  shows(
    'todo',
    [
      ['server/src/a.ts', '// TODO: later'],
      ['e2e/a.ts', '/* a\n * TODO later */'],
      ['bin/a.ts', '// FIXME(#1): now'],
    ],
    [
      ['server/src/a.ts', '// TODO(#12): later'],
      ['server/src/a.ts', "const text = 'TODO: later';"],
    ],
  );
});

test('files stay small, but for tests, tables of the wire and what is generated', () => {
  const long = 'x;\n'.repeat(LINES_MAX + 1);
  shows(
    'size',
    [['server/src/a.ts', long]],
    [
      ['server/src/a.ts', 'x;\n'.repeat(LINES_MAX)],
      ['server/src/a.test.ts', long],
      ['core/src/wire/a.ts', long],
      ['operator/src/generated/a.ts', long],
    ],
  );
});

test('a breach is told with its line', () => {
  assert.deepEqual(breaches('server/src/a.ts', "/* one\n two */\n\nconst a = 'x'; Math.random();"), [
    '4 host: Math.random is chance: take host.random',
  ]);
});

test('the globals of the machine are refused by the linter, which knows a name from its shadow', () => {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const directory = mkdtempSync(join(tmpdir(), 'nacos-kube-house-'));
  after(() => rmSync(directory, { recursive: true }));
  cpSync(join(root, 'biome.json'), join(directory, 'biome.json'));
  const globals = 'Date setTimeout setInterval setImmediate performance fetch WebSocket crypto process'.split(' ');
  const uses = globals.map((name) => `console.log(${name});\n`).join('');
  const files: Record<string, string> = {
    'server/src/naming/x.ts': uses,
    'server/src/naming/x.test.ts': uses,
    'core/src/host/x.ts': uses,
    'operator/src/shadow.ts': 'export const f = (process: { pid: number }) => process.pid;\n',
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  const options = { cwd: directory, encoding: 'utf8' } as const;
  const { stdout, stderr } = spawnSync(join(root, 'node_modules/.bin/biome'), ['lint', '--colors=off'], options);
  const refused = [...(stdout + stderr).matchAll(/^(\S+):(\d+):\d+ lint\/style\/noRestrictedGlobals/gm)];
  assert.deepEqual(
    refused.map(([, path, line]) => `${path}:${line}`).sort(),
    globals.map((_, i) => `server/src/naming/x.ts:${i + 1}`),
  );
});
