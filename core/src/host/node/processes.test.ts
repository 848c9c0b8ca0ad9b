import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { nodeProcesses } from './processes.ts';

const node = process.execPath;
const here = new URL('./processes.ts', import.meta.url).href;
/** Programs may end on their own one day, so that a test that fails leaves nothing behind. */
const LINGER = 'setTimeout(() => {}, 60_000);';
const code = (source: string) => ['--input-type=module-typescript', '--eval', source];

test('lines of both outputs, the environment and the exit code arrive', async () => {
  const lines: string[] = [];
  const child = await nodeProcesses.spawn(
    node,
    code(
      'console.log("one\\ntwo " + process.env.GIVEN + process.env.HOME); console.error("three"); process.exitCode = 3',
    ),
    { env: { GIVEN: 'yes', HOME: undefined }, onOutput: (line, from) => void lines.push(`${from} ${line}`) },
  );
  assert.deepEqual(await child.exited, { code: 3, signal: null });
  assert.deepEqual(lines.sort(), ['stderr three', 'stdout one', 'stdout two yesundefined']);
});

test('a signal ends a child and shows in its exit', async () => {
  const child = await nodeProcesses.spawn(node, code(LINGER), {});
  child.kill('SIGKILL');
  assert.deepEqual(await child.exited, { code: null, signal: 'SIGKILL' });
  child.kill('SIGKILL');
});

test('a program that is not there is told by name', async () => {
  await assert.rejects(nodeProcesses.spawn('/no/such/program', [], {}), {
    name: 'ProcessError',
    message: /cannot start \/no\/such\/program/,
  });
});

test('a child ends when its parent is killed without a chance to clean up', async () => {
  const connected = Promise.withResolvers<Socket>();
  const server = createServer((socket) => connected.resolve(socket.resume()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const childCode = `
    import { connect } from 'node:net';
    import { whenParentIsGone } from '${here}';
    whenParentIsGone(() => process.exit(0));
    connect(${port}, '127.0.0.1');
    ${LINGER}`;
  const parentCode = `
    import { nodeProcesses } from '${here}';
    await nodeProcesses.spawn(process.execPath, ${JSON.stringify(code(childCode))}, {});
    ${LINGER}`;
  const parent = await nodeProcesses.spawn(node, code(parentCode), {});
  const child = await connected.promise;
  const childEnded = new Promise((resolve) => child.once('close', resolve));
  parent.kill('SIGKILL');
  await parent.exited;
  await childEnded;
  server.close();
});
