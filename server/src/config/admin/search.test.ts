import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAdminNode } from '../../testing/config-admin-node.ts';

const names = ({ pageItems }: { readonly pageItems: readonly { readonly dataId: string }[] }) =>
  pageItems.map(({ dataId }) => dataId);

test('an accurate search compares, a blurred one knows the star and nothing else', async () => {
  const { publish, found } = await startAdminNode();
  for (const dataId of ['app.yaml', 'app-yaml', 'other']) await publish({ dataId, content: 'x', appName: 'shop' });
  await publish({ dataId: 'app.yaml', content: 'y', tenant: 'dev', config_tags: 'a,b' });
  assert.deepEqual(names(await found({ search: 'accurate', dataId: 'app.yaml', group: 'g' })), ['app.yaml']);
  assert.deepEqual(names(await found({ search: 'accurate', dataId: 'app*' })), []);
  assert.deepEqual(names(await found({ dataId: 'app*' })), ['app.yaml', 'app-yaml']);
  assert.deepEqual(names(await found({ dataId: '*yaml', group: '*' })), ['app.yaml', 'app-yaml']);
  assert.deepEqual(names(await found({ dataId: 'app_yaml' })), []);
  assert.deepEqual(names(await found({ appName: 'shop', dataId: 'o*' })), ['other']);
  assert.deepEqual(names(await found({ tenant: 'dev', config_tags: 'b,a' })), ['app.yaml']);
  assert.equal((await found()).totalCount, 3);
});

test('a page shows its part and tells how many there are', async () => {
  const { ask, publish, found } = await startAdminNode();
  for (let n = 0; n < 7; n++) await publish({ dataId: `app${n}`, content: 'x' });
  const third = await found({ pageNo: '3', pageSize: '3' });
  assert.deepEqual([names(third), third.totalCount, third.pagesAvailable], [['app6'], 7, 3]);
  const beyond = await ask('GET', 'cs/configs', {
    ...{ search: 'blur', dataId: '', group: '', pageNo: '2147483647', pageSize: '3' },
  });
  assert.equal(beyond.text, '{"totalCount":7,"pageNumber":2147483647,"pagesAvailable":3,"pageItems":[]}');
});

test('what is found has its fields in order', async () => {
  const { ask, publish, found } = await startAdminNode();
  await publish({ dataId: 'app', content: 'a: 1', type: 'yaml' });
  const { id } = (await found()).pageItems[0]!;
  const query = { search: 'accurate', dataId: 'app', group: 'g', pageNo: '1', pageSize: '10' };
  const item = `{"id":"${id}","dataId":"app","group":"g","content":"a: 1","md5":null,"tenant":"","appName":"","type":"yaml"}`;
  const page = (one: string) => `{"totalCount":1,"pageNumber":1,"pagesAvailable":1,"pageItems":[${one}]}`;
  assert.equal((await ask('GET', 'cs/configs', query)).text, page(item));
  const blurred = (await ask('GET', 'cs/configs', { ...query, search: 'blur' })).text;
  assert.equal(blurred, page(item.replace('"yaml"', 'null')));
});

test('bad searches are refused and name what is wrong', async () => {
  const { ask } = await startAdminNode();
  const good = { search: 'blur', dataId: '', group: '', pageNo: '1', pageSize: '10' };
  for (const bad of [
    { pageNo: '0' },
    { pageNo: 'x' },
    { pageSize: '-1' },
    { pageSize: '2147483648' },
    { dataId: `${'a*'.repeat(200)}` },
    { tenant: 'a/b' },
    { appName: 'x'.repeat(300) },
    { config_tags: 'a,b,c,d,e,f' },
  ]) {
    const answer = await ask('GET', 'cs/configs', { ...good, ...bad });
    assert.equal(answer.status, 400, `${JSON.stringify(bad)}: ${answer.status} ${answer.text}`);
    assert.match(answer.text, /^caused: /);
    assert.doesNotMatch(answer.text, /\n\s+at /);
  }
  const { group: _, ...without } = good;
  assert.match((await ask('GET', 'cs/configs', without)).text, /parameter 'group'/);
  assert.equal((await ask('GET', 'cs/configs', good)).status, 200);
});

test('show=all has the whole row, or nothing at all; the catalog has it without the content', async () => {
  const { host, ask, publish } = await startAdminNode();
  await publish({ dataId: 'app', content: 'a', desc: 'what it is', config_tags: 'x,y', use: 'u', username: 'ann' });
  const key = { dataId: 'app', group: 'g' };
  const time = Math.floor(host.clock.now() / 100);
  const shown = JSON.parse((await ask('GET', 'cs/configs', { ...key, show: 'all' })).text);
  assert.deepEqual(Object.keys(shown).join(), SHOWN);
  const { createTime, modifyTime, md5, configTags, desc, createUser, createIp } = shown;
  assert.ok(Math.abs(createTime / 100 - time) < 10);
  assert.deepEqual([createTime, configTags, desc, createUser], [modifyTime, 'x,y', 'what it is', 'ann']);
  assert.deepEqual([md5, createIp], ['0cc175b9c0f1b6a831c399e269772661', '127.0.0.1']);
  const absent = await ask('GET', 'cs/configs', { ...key, show: 'all', tenant: 'dev' });
  assert.deepEqual([absent.status, absent.text], [200, '']);
  assert.equal((await ask('GET', 'cs/configs', { dataId: 'a/b', group: 'g', show: 'all' })).status, 400);

  const catalog = JSON.parse((await ask('GET', 'cs/configs/catalog', key)).text);
  assert.equal(Object.keys(catalog.data).join(), CATALOG);
  assert.deepEqual([catalog.code, catalog.message, catalog.data.desc], [200, null, 'what it is']);
  const none = await ask('GET', 'cs/configs/catalog', { dataId: 'no', group: 'g' });
  assert.equal(none.text, '{"code":200,"message":null,"data":null}');
});

const SHOWN =
  'id,dataId,group,content,md5,tenant,appName,type,createTime,modifyTime,createUser,createIp,desc,use,effect,schema,configTags';
const CATALOG = 'createTime,modifyTime,createUser,createIp,desc,use,effect,type,schema,configTags';

test('a removal by ids takes all of them, wakes who listens, and leaves no user in the history', async () => {
  const { ask, publish, found, read } = await startAdminNode();
  for (const dataId of ['a', 'b', 'c']) await publish({ dataId, content: 'x', username: 'ann' });
  const ids = (await found()).pageItems.filter(({ dataId }) => dataId !== 'b').map(({ id }) => id);
  const removed = await ask('DELETE', 'cs/configs', { delType: 'ids', ids: `${ids.join()},999999,` });
  assert.equal(removed.text, '{"code":200,"message":null,"data":true}');
  assert.deepEqual([await read('a'), await read('b'), await read('c')], [NOT_THERE, 'x', NOT_THERE]);
  const history = JSON.parse((await ask('GET', 'cs/history', { search: 'accurate', dataId: 'a', group: 'g' })).text);
  assert.deepEqual([history.pageItems[0].opType, history.pageItems[0].srcUser], ['D', null]);
  for (const bad of ['x', '1,-2', '1;2', Array.from({ length: 501 }, (_, n) => n + 1).join()]) {
    assert.equal((await ask('DELETE', 'cs/configs', { delType: 'ids', ids: bad })).status, 400, bad.slice(0, 20));
  }
  assert.equal((await ask('DELETE', 'cs/configs', { delType: 'ids' })).status, 400);
  assert.equal(await read('b'), 'x');
});

const NOT_THERE = 'config data not exist\n';
