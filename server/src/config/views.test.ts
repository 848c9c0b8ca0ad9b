import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentMd5 } from '@nacos-kube/core/wire/config.ts';
import { SWITCH_DATA_ID } from '@nacos-kube/core/wire/config-meta.ts';
import { createMemoryDatabase } from '../store/memory.ts';
import { createFakeHost } from './fake-host.ts';
import { shown, startNode, twoNodes } from './node-for-tests.ts';
import { FULL_DUMP_PERIOD_MS } from './service.ts';

const NEVER_MS = 1e12;
const from = (ip: string) => ({ 'test-client-ip': ip });

test('a beta is for exactly its addresses, on every node, with the type of the formal config', async () => {
  const { a, b, host } = await twoNodes();
  await a.publish('d', 'formal', { type: 'yaml' });
  assert.deepEqual(shown(await a.publishBeta('d', 'beta', '10.0.0.1,10.0.0.2, 10.0.0.3')), [200, 'true']);
  const own = await a.get('d', {}, from('10.0.0.2'));
  assert.deepEqual(shown(own), [200, 'beta'], 'F11: served before the answer');
  await host.advance(100);
  const answer = await b.get('d', {}, from('10.0.0.1'));
  assert.deepEqual(shown(answer), [200, 'beta']);
  const { isbeta, 'content-md5': md5, 'config-type': type } = answer.headers ?? {};
  assert.deepEqual([isbeta, md5, type], ['true', contentMd5('beta'), 'yaml']);
  for (const ip of ['10.0.0.3', '10.0.0.11', '10.0.0']) {
    const formal = await b.get('d', {}, from(ip));
    assert.deepEqual(shown(formal), [200, 'formal']);
    assert.equal(formal.headers?.['isbeta'], undefined);
  }
});

test('a tag by parameter has no other content in its place, one by header gives way to the formal one', async () => {
  const { a, b, host } = await twoNodes();
  await a.publish('d', 'formal');
  await a.publish('d', 'gray', { tag: 'gray' });
  await host.advance(100);
  for (const node of [a, b]) {
    const asked = await node.get('d', { tag: 'gray' });
    assert.deepEqual([...shown(asked), asked.headers?.['vipserver-tag']], [200, 'gray', undefined]);
    assert.deepEqual(shown(await node.get('d', { tag: 'blue' })), [404, 'config data not exist\n']);
    const sent = await node.get('d', {}, { 'vipserver-tag': 'gray' });
    assert.deepEqual([...shown(sent), sent.headers?.['vipserver-tag']], [200, 'gray', 'gray']);
    const other = await node.get('d', {}, { 'vipserver-tag': 'blue' });
    assert.deepEqual([...shown(other), other.headers?.['vipserver-tag']], [200, 'formal', undefined]);
    const both = await node.get('d', { tag: 'blue' }, { 'vipserver-tag': 'gray' });
    assert.equal(both.status, 404, 'the parameter stands before the header');
  }
});

test('a beta comes before a tag, and a variant needs no formal config beside it', async () => {
  const { a } = await twoNodes();
  await a.publish('d', 'gray', { tag: 'gray' });
  assert.equal((await a.get('d')).status, 404);
  assert.deepEqual(shown(await a.get('d', {}, { 'vipserver-tag': 'gray' })), [200, 'gray']);
  await a.publishBeta('d', 'beta', '10.0.0.1');
  assert.deepEqual(shown(await a.get('d', { tag: 'gray' }, from('10.0.0.1'))), [200, 'beta']);
  assert.deepEqual(shown(await a.get('d', {}, { ...from('10.0.0.1'), 'vipserver-tag': 'gray' })), [200, 'beta']);
  const { headers } = await a.get('d', {}, from('10.0.0.1'));
  assert.equal(headers?.['config-type'], 'text');
});

test('a poll is compared with what its client is to see', async () => {
  const { a, host } = await twoNodes();
  await a.publish('d', 'formal');
  await a.publish('d', 'gray', { tag: 'gray' });
  await a.publishBeta('d', 'beta', '10.0.0.1');
  const formal = a.listen([['d', contentMd5('formal')]]);
  const beta = a.listen([['d', contentMd5('beta')]], from('10.0.0.1'));
  const betaWithFormal = a.listen([['d', contentMd5('formal')]], from('10.0.0.1'));
  const gray = a.listen([['d', contentMd5('gray')]], { 'vipserver-tag': 'gray' });
  const grayWithFormal = a.listen([['d', contentMd5('formal')]], { 'vipserver-tag': 'gray' });
  await host.advance(1_000);
  const told = [200, 'd%02g%01\n'];
  const all = [formal, beta, betaWithFormal, gray, grayWithFormal].map((poll) => poll.shown());
  assert.deepEqual(all, [undefined, undefined, told, undefined, told]);
  assert.deepEqual(
    [...a.service.access.listeners('d+g')],
    [
      ['10.0.0.9', contentMd5('gray')],
      ['10.0.0.1', contentMd5('beta')],
    ],
  );
  assert.deepEqual([...a.service.access.listenersOfIp('10.0.0.1')], [['d+g', contentMd5('beta')]]);
});

test('a beta wakes its addresses and nobody else, those it is taken from too', async () => {
  const { a, b, host } = await twoNodes();
  await a.publish('d', 'formal');
  await host.advance(100);
  const listen = (ip: string, content: string) => b.listen([['d', contentMd5(content)]], from(ip));
  const told = [200, 'd%02g%01\n'];
  let [one, two] = [listen('10.0.0.1', 'formal'), listen('10.0.0.2', 'formal')];
  await host.advance(0);
  await a.publishBeta('d', 'beta', '10.0.0.1');
  await host.advance(100);
  assert.deepEqual([one.shown(), two.shown()], [told, undefined]);
  one = listen('10.0.0.1', 'beta');
  await host.advance(0);
  await a.publishBeta('d', 'beta', '10.0.0.2');
  await host.advance(100);
  assert.deepEqual([one.shown(), two.shown()], [told, told]);
  [one, two] = [listen('10.0.0.1', 'formal'), listen('10.0.0.2', 'beta')];
  await host.advance(0);
  await a.call('DELETE', '/v1/cs/configs', { dataId: 'd', group: 'g', beta: 'true' });
  await host.advance(100);
  assert.deepEqual([one.shown(), two.shown()], [undefined, told]);
  assert.deepEqual(shown(await b.get('d', {}, from('10.0.0.2'))), [200, 'formal']);
});

test('a tag wakes whoever holds the key, on every node, when it changes and when it goes', async () => {
  const { a, b, host } = await twoNodes();
  await a.publish('d', 'formal');
  const told = [200, 'd%02g%01\n'];
  for (const change of [
    () => a.publish('d', 'gray', { tag: 'gray' }),
    () => a.publish('d', 'gray 2', { tag: 'gray' }),
    () => a.remove('d', { tag: 'gray' }),
  ]) {
    await host.advance(100);
    const polls = [a, b].map((node) => node.listen([['d', contentMd5('formal')]]));
    await host.advance(0);
    await change();
    await host.advance(100);
    for (const poll of polls) assert.deepEqual(poll.shown(), told);
  }
  assert.equal((await b.get('d', { tag: 'gray' })).status, 404);
  assert.deepEqual(shown(await b.get('d')), [200, 'formal']);
  assert.deepEqual(shown(await b.remove('d', { tag: 'gray' })), [200, 'true']);
});

test('removing the formal config leaves its beta and its tags', async () => {
  const { a, b, host } = await twoNodes();
  await a.publish('d', 'formal');
  await a.publish('d', 'gray', { tag: 'gray' });
  await a.publishBeta('d', 'beta', '10.0.0.1');
  await a.remove('d');
  await host.advance(100);
  for (const node of [a, b]) {
    assert.equal((await node.get('d')).status, 404);
    assert.deepEqual(shown(await node.get('d', { tag: 'gray' })), [200, 'gray']);
    assert.deepEqual(shown(await node.get('d', {}, from('10.0.0.1'))), [200, 'beta']);
  }
});

test('a beta is shown and stopped as the console expects', async () => {
  const { a, database } = await twoNodes();
  const beta = { dataId: 'd', group: 'g', beta: 'true' };
  const none = '{"code":200,"message":"stop beta ok","data":null}';
  assert.deepEqual(shown(await a.call('GET', '/v1/cs/configs', beta)), [200, none]);
  await a.publishBeta('d', 'text', '10.0.0.1,10.0.0.2');
  const facts = { id: '0', dataId: 'd', group: 'g', content: 'text', md5: null, tenant: '', appName: '', type: null };
  assert.deepEqual(JSON.parse(shown(await a.call('GET', '/v1/cs/configs', beta))[1]), {
    ...{ code: 200, message: 'stop beta ok' },
    data: { ...facts, betaIps: '10.0.0.1,10.0.0.2' },
  });
  const stopped = '{"code":200,"message":"stop beta ok","data":true}';
  assert.deepEqual(shown(await a.call('DELETE', '/v1/cs/configs', beta)), [200, stopped]);
  assert.deepEqual(shown(await a.call('DELETE', '/v1/cs/configs', beta)), [200, stopped]);
  assert.equal((await a.get('d', {}, from('10.0.0.1'))).status, 404);
  database.faults.down = 'unavailable';
  const failed = (data: string) => `{"code":500,"message":"remove beta data error","data":${data}}`;
  assert.deepEqual(shown(await a.call('GET', '/v1/cs/configs', beta)), [200, failed('null')]);
  assert.deepEqual(shown(await a.call('DELETE', '/v1/cs/configs', beta)), [200, failed('false')]);
});

test('F12: beta and tags are served from the last dump too, and what is damaged of them is not', async () => {
  const database = createMemoryDatabase();
  const host = createFakeHost();
  const first = await startNode(host, database);
  await first.publish('d', 'formal');
  await first.publish('d', 'gray', { tag: 'gray' });
  await first.publish('d', 'blue', { tag: 'blue' });
  await first.publishBeta('d', 'beta', '10.0.0.1');
  await host.advance(1_000);
  await first.stop();
  assert.equal(first.dumpFiles().length, 4);
  const blue = first.dumpFiles().find((path) => new TextDecoder().decode(host.files.get(path)).endsWith('blue'))!;
  host.files.get(blue)![60]! ^= 1;
  database.faults.down = 'unavailable';
  const node = await startNode(host, database);
  assert.deepEqual(shown(await node.get('d', {}, from('10.0.0.1'))), [200, 'beta']);
  assert.deepEqual(shown(await node.get('d', { tag: 'gray' })), [200, 'gray']);
  assert.equal((await node.get('d', { tag: 'blue' })).status, 503, 'it may exist: no 404');
  database.faults.down = undefined;
  await host.advance(8_000);
  assert.deepEqual(shown(await node.get('d', { tag: 'blue' })), [200, 'blue']);
  await node.remove('d', { tag: 'gray' });
  await node.call('DELETE', '/v1/cs/configs', { dataId: 'd', group: 'g', beta: 'true' });
  await host.advance(1_000);
  assert.equal(node.dumpFiles().length, 2);
});

test('variants that memory has no room for are read from the dump, and from the store when that is damaged', async () => {
  const { a, host } = await twoNodes({}, true, { contentCacheBytesMax: 3 });
  await a.publishBeta('d', 'beta', '10.0.0.1');
  await a.publish('d', 'gray', { tag: 'gray' });
  await host.advance(1_000);
  assert.deepEqual(shown(await a.get('d', {}, from('10.0.0.1'))), [200, 'beta']);
  assert.deepEqual(shown(await a.get('d', { tag: 'gray' })), [200, 'gray']);
  assert.equal(a.service.metrics()['readsFromDump'], 2);
  for (const path of a.dumpFiles()) a.host.files.get(path)!.fill(0, 40);
  assert.deepEqual(shown(await a.get('d', {}, from('10.0.0.1'))), [200, 'beta']);
  assert.equal(a.service.metrics()['readsFromStore'], 1);
});

test('variants changed behind the feed are found by the regular full read', async () => {
  const { a, b, host } = await twoNodes({ periodMs: NEVER_MS }, false);
  for (let i = 0; i < 250; i += 1) await a.publish(`d${i}`, 'gray', { tag: 'gray' });
  await a.publishBeta('d1', 'beta', '10.0.0.1');
  await host.advance(10_000);
  assert.equal(b.service.metrics()['variants'], 0);
  await host.advance(FULL_DUMP_PERIOD_MS);
  assert.equal(b.service.metrics()['variants'], 251);
  assert.deepEqual(shown(await b.get('d1', {}, from('10.0.0.1'))), [200, 'beta']);
  await a.remove('d7', { tag: 'gray' });
  await host.advance(FULL_DUMP_PERIOD_MS);
  // It began as the time was over, and takes its steps.
  await host.advance(10_000);
  assert.equal((await b.get('d7', { tag: 'gray' })).status, 404);
  assert.equal(b.service.metrics()['variants'], 250);
});

test('fixed polling holds to its time whatever changes, and compares only then', async () => {
  const { a, host } = await twoNodes();
  const meta = { dataId: SWITCH_DATA_ID, group: 'DEFAULT_GROUP' };
  const content = '# polling\nisFixedPolling=true\nfixedPollingInertval=15000\n';
  await a.call('POST', '/v1/cs/configs', { ...meta, content });
  await a.publish('d', 'one');
  const late = a.listen([['d', 'old']], { 'long-pulling-timeout-no-hangup': 'true' });
  const same = a.listen([['d', contentMd5('one')]]);
  const becomesSame = a.listen([['d', contentMd5('two')]]);
  await host.advance(5_000);
  assert.deepEqual(new Map(a.service.access.listeners('d+g')), new Map([['10.0.0.9', contentMd5('two')]]));
  await a.publish('d', 'two');
  await host.advance(9_000);
  assert.deepEqual([late.shown(), same.shown(), becomesSame.shown()], [undefined, undefined, undefined]);
  await host.advance(1_200);
  const told = [200, 'd%02g%01\n'];
  assert.deepEqual([late.shown(), same.shown(), becomesSame.shown()], [told, told, [200, '']]);
  await a.call('DELETE', '/v1/cs/configs', meta);
  const again = a.listen([['d', 'old']]);
  await host.advance(0);
  assert.deepEqual(again.shown(), told);
});
