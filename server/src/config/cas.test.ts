import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentMd5 } from '@nacos-kube/core/wire/config.ts';
import { createMemoryDatabase } from '../store/memory.ts';
import { createFakeHost } from './fake-host.ts';
import { shown, startNode, type TestNode } from './node-for-tests.ts';

/** Nodes that hear nothing of each other. */
const DEAF = { withHints: false, follow: { periodMs: 1e12 } };

test('who is refused for an md5 that the node served finds the fresh one there, and the next try succeeds', async () => {
  const { writer, behind } = await nodeBehind();
  await writer.publish('d', 'two');
  assert.deepEqual(shown(await behind.get('d')), [200, 'one'], 'it has not heard of it yet');
  const poll = behind.listen([['d', contentMd5('one')]]);
  assert.equal((await behind.publish('d', 'three', { casMd5: contentMd5('one') })).status, 409);
  assert.deepEqual(shown(await behind.get('d')), [200, 'two']);
  await behind.host.advance(0);
  assert.deepEqual(poll.shown(), [200, 'd%02g%01\n']);
  assert.deepEqual(shown(await behind.publish('d', 'three', { casMd5: contentMd5('two') })), [200, 'true']);
});

test('who is refused for what is gone meanwhile finds that it is gone', async () => {
  const { writer, behind } = await nodeBehind();
  await writer.remove('d');
  assert.equal((await behind.publish('d', 'three', { casMd5: contentMd5('one') })).status, 409);
  assert.equal((await behind.get('d')).status, 404);
});

test('a refusal stays one when the store is lost behind it', async () => {
  const { writer, behind, database } = await nodeBehind();
  await writer.publish('d', 'two');
  behind.onRead = () => {
    database.faults.down = 'unavailable';
  };
  assert.equal((await behind.publish('d', 'three', { casMd5: contentMd5('one') })).status, 409);
  assert.deepEqual(shown(await behind.get('d')), [200, 'one']);
});

async function nodeBehind(): Promise<{
  readonly writer: TestNode;
  readonly behind: TestNode;
  readonly database: ReturnType<typeof createMemoryDatabase>;
}> {
  const database = createMemoryDatabase();
  const host = createFakeHost('node-1');
  const writer = await startNode(host, database, DEAF);
  await writer.publish('d', 'one');
  const behind = await startNode(createFakeHost('node-2', host), database, DEAF);
  return { writer, behind, database };
}
