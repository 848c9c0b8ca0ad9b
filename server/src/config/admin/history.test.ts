import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAdminNode } from '../../testing/config-admin-node.ts';

const KEY = { dataId: 'app', group: 'g' };

async function nodeWithPast() {
  const node = await startAdminNode();
  for (const content of ['one', 'two', 'three']) await node.publish({ dataId: 'app', content });
  await node.ask('DELETE', 'cs/configs', KEY);
  const list = async (more: Readonly<Record<string, string>> = {}) =>
    JSON.parse((await node.ask('GET', 'cs/history', { search: 'accurate', ...KEY, ...more })).text);
  return { ...node, list };
}

test('past writes are listed, the newest first, without what was written', async () => {
  const { list } = await nodeWithPast();
  const all = await list();
  assert.deepEqual(
    all.pageItems.map(({ opType }: { opType: string }) => opType),
    ['D', 'U', 'U', 'I'],
  );
  const [newest] = all.pageItems;
  assert.equal(
    Object.keys(newest).join(),
    'id,lastId,dataId,group,tenant,appName,md5,content,srcIp,srcUser,opType,createdTime,lastModifiedTime',
  );
  assert.deepEqual([typeof newest.id, newest.lastId, newest.md5, newest.content], ['string', -1, null, null]);
  assert.match(newest.createdTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$/);
  const second = await list({ pageNo: '2', pageSize: '3' });
  assert.deepEqual([second.totalCount, second.pagesAvailable, second.pageItems.length], [4, 2, 1]);
  assert.deepEqual((await list({ dataId: 'other' })).pageItems, []);
});

test('one past write has what was there before it', async () => {
  const { ask, list } = await nodeWithPast();
  const [removal, update] = (await list()).pageItems;
  const one = async (nid: string, more = {}) => ask('GET', 'cs/history', { nid, ...KEY, ...more });
  assert.equal(JSON.parse((await one(removal.id)).text).content, 'three');
  assert.equal(JSON.parse((await one(update.id)).text).content, 'two');
});

test('nobody reads the past of one configuration under the name of another', async () => {
  const { ask, list } = await nodeWithPast();
  const nid: string = (await list()).pageItems[0].id;
  for (const other of [{ dataId: 'b' }, { group: 'h' }, { tenant: 'dev' }]) {
    const answer = await ask('GET', 'cs/history', { nid, ...KEY, ...other });
    assert.deepEqual([answer.status, answer.text], [403, 'Please check dataId and group.']);
  }
  assert.equal((await ask('GET', 'cs/history', { nid, dataId: 'app' })).status, 400);
});

test('the previous write is found by the id of the configuration', async () => {
  const { ask, publish, found } = await startAdminNode();
  await publish({ dataId: 'app', content: 'one' });
  const { id } = (await found()).pageItems[0]!;
  assert.equal((await ask('GET', 'cs/history/previous', { id, ...KEY })).status, 404, 'the first write has no past');
  await publish({ dataId: 'app', content: 'two' });
  assert.equal(JSON.parse((await ask('GET', 'cs/history/previous', { id, ...KEY })).text).content, 'one');
  assert.equal((await ask('GET', 'cs/history/previous', { id, ...KEY, group: 'h' })).status, 403);
});

test('numbers that are none, or of nothing, are told so', async () => {
  const { ask } = await nodeWithPast();
  const get = async (query: Readonly<Record<string, string>>) => (await ask('GET', 'cs/history', query)).status;
  assert.equal(await get({ nid: '987654321', ...KEY }), 404);
  assert.equal(await get({ nid: 'x', ...KEY }), 400);
  assert.equal(await get({ nid: '9'.repeat(30), ...KEY }), 400);
  assert.equal(await get({ ...KEY }), 400);
  assert.equal(await get({ search: 'accurate', ...KEY, pageNo: '0' }), 400);
  assert.equal(await get({ search: 'accurate', ...KEY, pageSize: 'many' }), 400);
  assert.equal(await get({ search: 'accurate', dataId: 'app' }), 400);
});
