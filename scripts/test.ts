import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

/**
 * `npm test`: the checks, then all tests but the end-to-end ones. `npm test -- server/src/naming` runs the tests of
 * that folder only, without the checks; `npm test -- --test-name-pattern=beat` passes flags on to Node's runner.
 */
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TESTS = '{bin,scripts,core,client,server,sidecar,operator,bench}/**/*.test.ts';
/** One that hangs must fail, not stop the whole. */
const TEST_TIMEOUT_MS = 120_000;

const given = process.argv.slice(2);
const flags = given.filter((argument) => argument.startsWith('-'));
const folders = given.filter((argument) => !argument.startsWith('-')).map((folder) => folder.replace(/^\.\/|\/$/g, ''));

if (folders.length === 0) {
  run('types', 'node_modules/.bin/tsc', ['--noEmit']);
  run('style', 'node_modules/.bin/biome', ['check', '--error-on-warnings']);
  run('rules of the house', process.execPath, ['scripts/check-house.ts']);
}

const files = globSync(TESTS, { cwd: ROOT, exclude: ['**/node_modules/**'] })
  .filter((file) => folders.length === 0 || folders.some((folder) => file === folder || file.startsWith(`${folder}/`)))
  .sort();
if (files.length === 0) fail(`no tests in ${folders.join(', ')}`);
run(`tests, ${files.length} files`, process.execPath, [
  '--test',
  `--test-timeout=${TEST_TIMEOUT_MS}`,
  `--test-concurrency=${availableParallelism()}`,
  ...flags,
  ...files,
]);

function run(what: string, program: string, args: readonly string[]): void {
  console.log(`== ${what}`);
  const startedMs = performance.now();
  const { status, signal, error } = spawnSync(program, args, { cwd: ROOT, stdio: 'inherit' });
  if (error !== undefined) fail(`${program} cannot be started: ${error.message}`);
  if (status !== 0) fail(`${what}: ${signal ?? 'failed'}`);
  // The last words of a run are those of the test runner.
  if (program !== process.execPath || args[0] !== '--test') {
    console.log(`   done in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  }
}

function fail(message: string): never {
  console.error(`\nnpm test: ${message}`);
  process.exit(1);
}
