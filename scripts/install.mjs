// Runs before `npm start` and `npm test`, on whatever Node the machine has (18 or newer): plain JavaScript, no packages.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const STAMP = join(ROOT, 'node_modules', '.nacos-kube-installed');
const NODE = join(ROOT, 'node_modules', '.bin', 'node');
const NPM_MAJOR_MIN = 9;
/** For which a package of Node 26 exists. */
const PLATFORMS = ['linux-x64', 'linux-arm64', 'darwin-arm64'];

try {
  main();
} catch (error) {
  console.error(`\ninstall: ${error.message}`);
  process.exitCode = 1;
}

function main() {
  const lockText = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
  const wanted = `${createHash('sha256').update(lockText).digest('hex')} ${platform()}\n`;
  if (readIfThere(STAMP) === wanted && existsSync(NODE)) return;
  if (!existsSync(NODE) || !isInstalled(JSON.parse(lockText))) {
    checkMachine();
    console.log('install: node_modules does not fit package-lock.json; running `npm ci` (once; 400 MB on disk)');
    const npm = npmCommand();
    // Nothing we use needs an install script, so none is let run.
    const { status, error } = spawnSync(npm.program, [...npm.args, 'ci', '--ignore-scripts', '--loglevel=error'], {
      cwd: ROOT,
      stdio: 'inherit',
    });
    if (error !== undefined) throw new Error(`npm cannot be started: ${error.message}`);
    if (status !== 0) throw new Error('`npm ci` failed, see above; is the package registry reachable?');
  }
  checkNode();
  writeFileSync(STAMP, wanted);
}

/** Compares with what npm itself noted down: an installation made by hand is as good as ours. */
function isInstalled(lock) {
  const text = readIfThere(join(ROOT, 'node_modules', '.package-lock.json'));
  if (text === undefined) return false;
  const installed = JSON.parse(text).packages;
  return Object.entries(lock.packages).every(([path, { version, optional, link }]) => {
    if (!path.includes('node_modules/') || link === true) return true;
    const there = installed[path];
    return there === undefined ? optional === true : there.version === version;
  });
}

function checkMachine() {
  if (!PLATFORMS.includes(platform())) {
    throw new Error(
      `there is no package of Node 26 for ${platform()}. nacos-kube runs on ${PLATFORMS.join(', ')}; ` +
        'elsewhere use the container image, or on Windows WSL',
    );
  }
  const { program, args } = npmCommand();
  const { stdout, error } = spawnSync(program, [...args, '--version'], { encoding: 'utf8' });
  if (error !== undefined) throw new Error('npm was not found (Debian: apt-get install npm)');
  if (Number.parseInt(stdout, 10) < NPM_MAJOR_MIN) {
    throw new Error(`npm ${stdout.trim()} is too old for our lockfile: ${NPM_MAJOR_MIN} or newer is needed`);
  }
}

/** The package may be there and yet not run, e.g. on a system with another C library. */
function checkNode() {
  if (!existsSync(NODE))
    throw new Error(
      `Node 26 for ${platform()} was not installed: it is an optional dependency; is npm set to omit those?`,
    );
  const { status, stderr, error } = spawnSync(NODE, ['--version'], { encoding: 'utf8' });
  if (status !== 0) {
    const reason = error?.message ?? stderr.trim();
    throw new Error(
      `Node 26 does not run on this machine: ${reason}\nit needs glibc 2.28 or newer (not musl) on Linux`,
    );
  }
}

/** The npm that started us, if one did, run by the Node it came with and not by the one in node_modules. */
function npmCommand() {
  const { npm_execpath: script, npm_node_execpath: node } = process.env;
  if (script === undefined || !/\.c?js$/.test(script)) return { program: 'npm', args: [] };
  return { program: node ?? process.execPath, args: [script] };
}

function platform() {
  return `${process.platform}-${process.arch}`;
}

function readIfThere(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}
