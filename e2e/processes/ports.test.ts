import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { freePorts } from './ports.ts';

const COUNT = 300;

test('no port is given out twice, to one process or to two', async () => {
  const file = JSON.stringify(join(import.meta.dirname, 'ports.ts'));
  const script = `const { freePorts } = await import(${file});
    console.log(JSON.stringify(await freePorts(${COUNT})));
    process.stdin.resume();`;
  const other = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  const [own, more] = await Promise.all([freePorts(COUNT), freePorts(COUNT)]);
  other.child.stdin!.end();
  const all = [...own, ...more, ...(JSON.parse((await other).stdout) as number[])];
  const withNeighbours = all.flatMap((port) => [port - 1000, port, port + 1000]);
  assert.equal(new Set(withNeighbours).size, COUNT * 9);
});
