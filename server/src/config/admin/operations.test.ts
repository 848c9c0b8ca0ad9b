import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPipeline } from '@nacos-kube/core/http/pipeline.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { createMemoryDatabase } from '../../store/memory.ts';
import { startAdminNode } from '../../testing/config-admin-node.ts';
import { HINT_PAUSE_MS, operationRoutes, READ_ALL_PAUSE_MS } from './operations.ts';
import type { AdminPorts } from './ports.ts';

const answer = ({ text }: { readonly text: string }) => JSON.parse(text);

test('capacity: what the settings say, until a limit is set', async () => {
  const { ask, publish } = await startAdminNode();
  await publish({ dataId: 'a', content: 'x' });
  const of = async (query: Readonly<Record<string, string>>) => (await ask('GET', 'cs/capacity', query)).text;
  assert.equal(
    await of({ group: 'g' }),
    '{"code":200,"message":null,"data":{"id":null,"quota":200,"usage":1,"maxSize":102400,"maxAggrCount":10000,' +
      '"maxAggrSize":1024,"gmtCreate":null,"gmtModified":null,"group":"g"}}',
  );
  const set = (form: string) => ask('POST', 'cs/capacity', {}, { form });
  const done = await set('group=g&quota=7&maxSize=10');
  assert.deepEqual(answer(done), {
    ...{ code: 200, data: true },
    message: 'successfully updated the capacity information configuration of group to g',
  });
  await set('group=g&maxAggrCount=3');
  const { quota, maxSize, maxAggrCount, maxAggrSize } = answer({ text: await of({ group: 'g' }) }).data;
  assert.deepEqual([quota, maxSize, maxAggrCount, maxAggrSize], [7, 10, 3, 1024]);
  await set('group=g&quota=0');
  assert.equal(answer({ text: await of({ group: 'g' }) }).data.quota, 200);
  assert.equal(answer({ text: await of({ group: '' }) }).data.quota, 100_000, 'the whole cluster');
  await set('tenant=dev&quota=5');
  assert.equal(answer({ text: await of({ tenant: 'dev' }) }).data.quota, 5);
});

test('capacity of nobody, or set to nothing, is refused with the text of the reference', async () => {
  const { ask } = await startAdminNode();
  const nobody = 'The parameter group and tenant cannot be empty at the same time';
  const get = async (query: Readonly<Record<string, string>>) => {
    const { status, text } = await ask('GET', 'cs/capacity', query);
    return [status, answer({ text })];
  };
  assert.deepEqual(await get({}), [400, { code: 400, message: nobody, data: null }]);
  assert.deepEqual(await get({ tenant: ' ' }), [
    400,
    { code: 400, message: 'tenant cannot be an empty string', data: null },
  ]);
  const set = async (form: string) => (await ask('POST', 'cs/capacity', {}, { form })).status;
  for (const bad of [
    'quota=1',
    'group=&tenant=&quota=1',
    'group=g&tenant=&quota=1',
    'group=g',
    'group=g&quota=',
    'group=g&quota=-1',
    'group=g&quota=x',
    'group=g&quota=2147483648',
    `group=${'x'.repeat(129)}&quota=1`,
  ]) {
    assert.equal(await set(bad), 400, bad);
  }
  const refused = await ask('POST', 'cs/capacity', {}, { form: 'group=g' });
  assert.equal(
    answer(refused).message,
    'The parameters quota, maxSize, maxAggrCount, maxAggrSize cannot be empty at the same time',
  );
});

test('health tells whether the store answers', async () => {
  const database = createMemoryDatabase();
  const { host, ask } = await startAdminNode({}, database);
  assert.equal((await ask('GET', 'cs/health')).text, 'UP');
  database.faults.down = 'unavailable';
  await host.advance(30_000);
  assert.equal((await ask('GET', 'cs/health')).text, 'DOWN:master db (memory) down. ');
});

test('without the store operators get a 503, never a stack', async () => {
  const database = createMemoryDatabase();
  const { ask } = await startAdminNode({}, database);
  database.faults.down = 'unavailable';
  const key = { dataId: 'a', group: 'g' };
  for (const [method, path, query] of [
    ['GET', 'cs/configs', { search: 'blur', ...key, pageNo: '1', pageSize: '10' }],
    ['GET', 'cs/configs', { show: 'all', ...key }],
    ['GET', 'cs/configs', { export: 'true', ids: '' }],
    ['GET', 'cs/configs/catalog', key],
    ['DELETE', 'cs/configs', { delType: 'ids', ids: '1' }],
    ['GET', 'cs/history', { nid: '1', ...key }],
    ['GET', 'cs/history', { search: 'accurate', ...key }],
    ['GET', 'cs/history/previous', { id: '1', ...key }],
    ['POST', 'cs/capacity', { group: 'g', quota: '1' }],
  ] as const) {
    const { status, text } = await ask(method, path, query);
    assert.deepEqual([status, text.includes('    at ')], [503, false], `${method} ${path} ${text}`);
  }
});

/** Operations of a node that notes what it is told to do. */
function operations() {
  const host = new FakeHost();
  const done: string[] = [];
  const ports = {
    ...{ host, hinted: () => done.push('hinted'), readAllAgain: () => done.push('read all') },
    storeTrouble: () => undefined,
  } as unknown as AdminPorts;
  const handler = createPipeline({
    ...{ contextPath: '', routes: operationRoutes(ports), log: host.log },
    ...{ authorize: () => {}, clientIp: () => '', answerFailure: () => undefined },
  });
  host.network.handlers.set(1, handler);
  return { host, done, ask: (target: string, method = 'GET') => host.network.ask(1, target, method) };
}

test('a hint of a change has the store asked, and many hints ask it five times a second at most', async () => {
  const { host, done, ask } = operations();
  const hint = () => ask('/v1/cs/communication/dataChange?dataId=a&group=g');
  for (let n = 0; n < 50; n++) assert.equal((await hint()).body, 'true');
  assert.deepEqual(done, ['hinted']);
  await host.advance(HINT_PAUSE_MS);
  assert.deepEqual(done, ['hinted', 'hinted']);
  await host.advance(10_000);
  assert.equal(done.length, 2);
  await hint();
  assert.equal(done.length, 3);
  assert.equal((await ask('/v1/cs/communication/dataChange?dataId=a')).status, 400);
});

test('however often it is asked for, everything is read again twice a minute at most', async () => {
  const { host, done, ask } = operations();
  for (let n = 0; n < 50; n++) assert.equal((await ask('/v1/cs/ops/localCache', 'POST')).body, '200');
  assert.deepEqual(done, ['read all']);
  await host.advance(READ_ALL_PAUSE_MS);
  assert.deepEqual(done, ['read all', 'read all']);
});

test('a hint brings nothing of its own', async () => {
  const { ask } = await startAdminNode();
  const key = { dataId: 'a', group: 'g' };
  assert.equal((await ask('GET', 'cs/communication/dataChange', key)).text, 'true');
  assert.equal((await ask('GET', 'cs/configs', key)).status, 404);
});

test('the local cache is read again from the store', async () => {
  const { host, ask, publish } = await startAdminNode();
  await publish({ dataId: 'a', content: 'x' });
  const reads = () => host.log.lines.filter((line) => line.includes('all configs were read')).length;
  const before = reads();
  const answered = await ask('POST', 'cs/ops/localCache');
  assert.deepEqual([answered.status, answered.text], [200, '200']);
  await host.advance(1_000);
  assert.equal(reads(), before + 1);
});
