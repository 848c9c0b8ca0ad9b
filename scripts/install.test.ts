import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const LOCK = { packages: { '': {}, 'node_modules/a': { version: '1.0.0' } } };
/** What `npm ci` leaves: npm's own note of what is installed, and Node. */
const INSTALL = `mkdir -p node_modules/.bin
  cp package-lock.json node_modules/.package-lock.json
  printf '#!/bin/sh\\necho v26\\n' > node_modules/.bin/node; chmod +x node_modules/.bin/node`;

/** A project of its own, whose npm is a shell script that notes its calls. */
function project(npm: string) {
  const root = mkdtempSync(join(tmpdir(), 'nacos-kube-install-'));
  after(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, 'scripts'));
  mkdirSync(join(root, 'tools'));
  cpSync(fileURLToPath(new URL('install.mjs', import.meta.url)), join(root, 'scripts/install.mjs'));
  const writeLock = (lock: unknown) => writeFileSync(join(root, 'package-lock.json'), JSON.stringify(lock));
  writeLock(LOCK);
  const script = `#!/bin/sh\nif [ "$1" = --version ]; then echo 11.0.0; exit; fi\necho "called npm $*"\n${npm}\n`;
  writeFileSync(join(root, 'tools/npm'), script);
  chmodSync(join(root, 'tools/npm'), 0o755);
  const install = (path = `${join(root, 'tools')}:${process.env['PATH']}`) => {
    const env = { PATH: path };
    const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/install.mjs'], {
      cwd: root,
      env,
      encoding: 'utf8',
    });
    return { status, said: stdout + stderr };
  };
  return { root, writeLock, install };
}

test('what is missing is installed once, without scripts of packages, and again when the lockfile changes', () => {
  const { root, writeLock, install } = project(INSTALL);
  const first = install();
  assert.equal(first.status, 0, first.said);
  assert.match(first.said, /does not fit package-lock\.json[\s\S]*called npm ci --ignore-scripts/);
  assert.deepEqual(install(), { status: 0, said: '' });
  writeLock({ packages: { ...LOCK.packages, 'node_modules/a': { version: '2.0.0' } } });
  assert.match(install().said, /called npm ci/);
  rmSync(join(root, 'node_modules/.bin/node'));
  assert.match(install().said, /called npm ci/);
});

test('an installation made by hand that fits is left as it is', () => {
  const { root, install } = project('exit 1');
  spawnSync('sh', ['-c', INSTALL], { cwd: root });
  assert.deepEqual(install(), { status: 0, said: '' });
  assert.ok(existsSync(join(root, 'node_modules')));
});

test('what keeps it from installing is told in words', () => {
  const failing = project('exit 1').install();
  assert.equal(failing.status, 1);
  assert.match(failing.said, /`npm ci` failed/);
  assert.match(project('').install('/nonexistent').said, /npm was not found/);
  assert.match(project('').install().said, /Node 26 for \S+ was not installed/);
  const broken = project(`${INSTALL}\nprintf '#!/bin/sh\\necho no glibc >&2; exit 1\\n' > node_modules/.bin/node`);
  assert.match(broken.install().said, /Node 26 does not run on this machine: no glibc/);
});
