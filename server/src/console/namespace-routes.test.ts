import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startNode } from '../testing/operated-node.ts';

const PATH = '/v1/console/namespaces';
const publicRow = (configCount: number) => ({
  ...{ namespace: '', namespaceShowName: 'public', quota: 200, configCount, type: 0 },
});

test('a namespace is made, shown, renamed and removed; what is in it stays', async () => {
  const { ask, get } = await startNode();
  const rows = async () => JSON.parse(await get(PATH)).data;
  const made = await ask('POST', PATH, { form: 'customNamespaceId=dev&namespaceName=Dev&namespaceDesc=to+try' });
  assert.deepEqual([made.status, made.text], [200, 'true']);
  const dev = { namespace: 'dev', namespaceShowName: 'Dev', quota: 200, configCount: 0, type: 2 };
  assert.deepEqual(JSON.parse(await get(PATH)), { code: 200, message: null, data: [publicRow(0), dev] });
  await ask('POST', '/v1/cs/configs', { form: 'dataId=a&group=g&tenant=dev&content=x' });
  await ask('POST', '/v1/cs/configs', { form: 'dataId=a&group=g&content=x' });
  assert.deepEqual(await rows(), [publicRow(1), { ...dev, configCount: 1 }]);
  assert.deepEqual(JSON.parse(await get(`${PATH}?show=all&namespaceId=dev`)), {
    ...{ ...dev, configCount: 1, namespaceDesc: 'to try' },
  });
  const renamed = await ask('PUT', PATH, { form: 'namespace=dev&namespaceShowName=Development' });
  assert.equal(renamed.text, 'true');
  const { namespaceShowName, namespaceDesc } = JSON.parse(await get(`${PATH}?show=all&namespaceId=dev`));
  assert.deepEqual([namespaceShowName, namespaceDesc], ['Development', '']);
  assert.equal((await ask('DELETE', `${PATH}?namespaceId=dev`)).text, 'true');
  assert.deepEqual(await rows(), [publicRow(1)]);
  assert.equal(await get('/v1/cs/configs?dataId=a&group=g&tenant=dev'), 'x');
});

test('the public one has a text of its own when it is looked at', async () => {
  const { get } = await startNode();
  const shown = JSON.parse(await get(`${PATH}?show=all&namespaceId=`));
  assert.deepEqual(shown, { ...publicRow(0), namespaceShowName: 'Public', namespaceDesc: 'Public Namespace' });
});

test('an empty id is made up', async () => {
  const { ask, get } = await startNode();
  assert.equal((await ask('POST', PATH, { form: 'customNamespaceId=&namespaceName=Any' })).text, 'true');
  const [, made] = JSON.parse(await get(PATH)).data;
  assert.match(made.namespace, /^uuid-\d+$/);
});

test('an id that is none, or is taken, makes nothing', async () => {
  const { ask, get } = await startNode();
  await ask('POST', PATH, { form: 'customNamespaceId=dev&namespaceName=Dev' });
  for (const id of ['dev', 'public', 'a b', 'a/b', 'a%23b', '..', '%00', 'ü', 'x'.repeat(129)]) {
    const answer = await ask('POST', PATH, { form: `customNamespaceId=${id}&namespaceName=Other` });
    assert.deepEqual([answer.status, answer.text], [200, 'false'], id);
  }
  assert.equal(JSON.parse(await get(PATH)).data.length, 2);
  assert.equal(JSON.parse(await get(`${PATH}?show=all&namespaceId=dev`)).namespaceShowName, 'Dev');
});

test('whether an id is taken can be asked', async () => {
  const { ask, get } = await startNode();
  await ask('POST', PATH, { form: 'customNamespaceId=dev&namespaceName=Dev' });
  const isTaken = (id: string) => get(`${PATH}?checkNamespaceIdExist=true&customNamespaceId=${id}`);
  assert.deepEqual(await Promise.all(['dev', 'other', '', 'public'].map(isTaken)), ['true', 'false', 'false', 'true']);
});

test('texts that are missing, too long or not to be shown are refused', async () => {
  const { ask, get } = await startNode();
  for (const [method, form] of [
    ['POST', 'namespaceName=Dev'],
    ['POST', 'customNamespaceId=dev'],
    ['POST', 'customNamespaceId=dev&namespaceName='],
    ['POST', `customNamespaceId=dev&namespaceName=${'x'.repeat(129)}`],
    ['POST', `customNamespaceId=dev&namespaceName=Dev&namespaceDesc=${'x'.repeat(257)}`],
    ['POST', 'customNamespaceId=dev&namespaceName=a%00b'],
    ['POST', 'customNamespaceId=dev&namespaceName=a%E2%80%AEb'],
    ['PUT', 'namespaceShowName=Dev'],
    ['PUT', 'namespace=dev'],
    ['DELETE', ''],
  ] as const) {
    assert.equal((await ask(method, PATH, { form })).status, 400, `${method} ${form.slice(0, 60)}`);
  }
  assert.equal(JSON.parse(await get(PATH)).data.length, 1);
});

test('one that was never made is not found, and renaming or removing it does nothing', async () => {
  const { ask, get } = await startNode();
  assert.equal((await ask('GET', `${PATH}?show=all&namespaceId=none`)).status, 404);
  assert.equal((await ask('PUT', PATH, { form: 'namespace=none&namespaceShowName=None' })).text, 'true');
  assert.equal((await ask('PUT', PATH, { form: 'namespace=&namespaceShowName=None' })).text, 'true');
  for (const id of ['none', '', 'public', '..']) {
    assert.equal((await ask('DELETE', `${PATH}?namespaceId=${id}`)).text, 'true');
  }
  assert.deepEqual(JSON.parse(await get(PATH)).data, [publicRow(0)]);
});

test('without the store they are listed all the same, and none can be made', async () => {
  const { database, ask, get } = await startNode();
  await ask('POST', PATH, { form: 'customNamespaceId=dev&namespaceName=Dev' });
  database.faults.down = 'unavailable';
  assert.equal(JSON.parse(await get(PATH)).data.length, 2);
  assert.equal((await ask('POST', PATH, { form: 'customNamespaceId=two&namespaceName=Two' })).status, 503);
});

test('a node that never read the store does not say that there are no namespaces', async () => {
  const { database, ask, stop } = await startNode();
  await ask('POST', PATH, { form: 'customNamespaceId=dev&namespaceName=Dev' });
  await stop();
  database.faults.down = 'unavailable';
  const second = await startNode({}, database);
  for (const query of ['', '?show=all&namespaceId=dev', '?checkNamespaceIdExist=true&customNamespaceId=dev']) {
    assert.equal((await second.ask('GET', PATH + query)).status, 503, query);
  }
  database.faults.down = undefined;
  await second.host.advance(5_000);
  assert.equal(JSON.parse(await second.get(PATH)).data.length, 2);
});
