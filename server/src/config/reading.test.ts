import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentMd5 } from '@nacos-kube/core/wire/config.ts';
import { capacityRecord } from '../store/bounds.ts';
import { FOLLOW_PERIOD_MS } from '../store/follow.ts';
import { CAPACITY_DEFAULTS } from './capacity.ts';
import { shown, twoNodes } from './node-for-tests.ts';

test('a publish is served by its node before it is answered, with the md5 of its bytes', async () => {
  const { a } = await twoNodes();
  const content = '\ufeffa: 1\r\n 配置 ';
  assert.deepEqual(shown(await a.publish('d', content, { type: 'yaml' })), [200, 'true']);
  const answer = await a.get('d');
  assert.deepEqual(shown(answer), [200, content]);
  assert.equal(answer.headers?.['content-md5'], contentMd5(content));
  assert.equal(answer.headers?.['config-type'], 'yaml');
});

test('bad parameters change nothing and name their fault', async () => {
  const { a } = await twoNodes();
  assert.deepEqual(shown(await a.publish('a/b', 'x')), [400, 'caused: invalid dataId : a/b;']);
  assert.deepEqual(shown(await a.publish('d', ' ')), [400, 'caused: content is blank :  ;']);
  assert.deepEqual(shown(await a.publish('d', 'x', { tag: 'a/b' })), [400, 'caused: invalid tag : a/b;']);
  const missing = "caused: Required request parameter 'group' for method parameter type String is not present;";
  assert.deepEqual(shown(await a.call('GET', '/v1/cs/configs', { dataId: 'd' })), [400, missing]);
  assert.deepEqual(shown(await a.call('POST', '/v1/cs/configs/listener', {}, { 'long-pulling-timeout': '30000' })), [
    400,
    'caused: invalid probeModify;',
  ]);
  assert.equal(a.service.metrics()['configs'], 0);
});

test('publishes hint the peers, many at once share a hint', async () => {
  const { a, host } = await twoNodes();
  for (let i = 0; i < 100; i += 1) await a.publish('d', `text ${i}`);
  await host.advance(100);
  assert.deepEqual(a.hints, [1, 100]);
  await a.remove('d');
  await host.advance(100);
  assert.deepEqual(a.hints, [1, 100, 101]);
});

test('what others write while a publish is under way is never hidden by it', async () => {
  const { a, b, host } = await twoNodes();
  await a.publish('d', 'zero');
  await host.advance(100);
  // The answer to node A is late: node B's newer text arrives by the feed before it.
  a.slowWrites = 300;
  const slow = a.publish('d', 'one');
  await host.advance(0);
  const seen: string[] = [];
  await b.publish('d', 'two');
  await host.advance(200);
  seen.push(String(shown(await a.get('d'))[1]));
  await host.advance(200);
  assert.equal((await slow).status, 200);
  seen.push(String(shown(await a.get('d'))[1]));
  assert.deepEqual(seen, ['two', 'two']);
});

test('a publish that expects another md5 than the stored one changes nothing', async () => {
  const { a } = await twoNodes();
  const conflict = [409, 'caused: Cas publish fail, server md5 may have changed.;'];
  assert.deepEqual(shown(await a.publish('d', 'one', { casMd5: contentMd5('zero') })), conflict);
  await a.publish('d', 'one');
  assert.deepEqual(shown(await a.publish('d', 'two', { casMd5: contentMd5('one') })), [200, 'true']);
  assert.deepEqual(shown(await a.publish('d', 'three', { casMd5: contentMd5('one') })), conflict);
  assert.deepEqual(shown(await a.get('d')), [200, 'two']);
});

test('a data id that fits a pattern of aggregates takes no publish, until the patterns go', async () => {
  const { a } = await twoNodes();
  const meta = { dataId: 'com.alibaba.nacos.metadata.aggrIDs', group: 'DEFAULT_GROUP' };
  await a.call('POST', '/v1/cs/configs', { ...meta, content: 'agg.*\r\nx?\n' });
  for (const dataId of ['agg.1', 'agg.', 'xy']) {
    assert.deepEqual(shown(await a.publish(dataId, 'c')), [403, `caused: dataId:${dataId} is aggr;`]);
    assert.equal((await a.publish(dataId, 'c', { tag: 't' })).status, 403);
  }
  assert.equal((await a.publish('agg', 'c')).status, 200);
  await a.call('POST', '/v1/cs/configs', { ...meta, tenant: 'other', content: '*' });
  assert.equal((await a.publish('free', 'c')).status, 200, 'a namespace must not stop the others');
  await a.call('DELETE', '/v1/cs/configs', meta);
  assert.equal((await a.publish('agg.1', 'c')).status, 200);
});

test('quotas and sizes are held to when that is switched on, for formal configs', async () => {
  const capacity = { ...CAPACITY_DEFAULTS, isEnforced: true, groupQuota: 2, namespaceQuota: 1, maxSize: 10 };
  const { a } = await twoNodes({}, true, { capacity });
  const over = [429, '429'];
  await a.publish('one', 'c');
  await a.publish('two', 'c');
  assert.deepEqual(shown(await a.publish('three', 'c')), over);
  assert.deepEqual(shown(await a.publish('three', 'c', { tag: 't' })), [200, 'true']);
  assert.deepEqual(shown(await a.publish('one', 'changed')), [200, 'true'], 'what is there already may change');
  assert.deepEqual(shown(await a.publish('one', '12345678901')), over);
  assert.deepEqual(shown(await a.publish('three', 'c', { tenant: 'n' })), [200, 'true']);
  assert.deepEqual(shown(await a.publish('four', 'c', { tenant: 'n' })), over);
  await a.remove('two');
  assert.deepEqual(shown(await a.publish('three', 'c')), [200, 'true']);
});

test('limits of a group win over the settings, and come by the feed', async () => {
  const { a, b, host } = await twoNodes({}, true, { capacity: { ...CAPACITY_DEFAULTS, isEnforced: true } });
  const limits = { quota: 1, maxSize: 0, maxAggrCount: 0, maxAggrSize: 0 };
  await a.store.putRecord(capacityRecord({ kind: 'group', name: 'g' }, limits));
  await host.advance(FOLLOW_PERIOD_MS);
  const scope = { kind: 'group', name: 'g' } as const;
  assert.deepEqual(b.service.access.capacity.limits(scope), {
    ...limits,
    maxSize: 102_400,
    maxAggrCount: 10_000,
    maxAggrSize: 1_024,
  });
  await b.publish('one', 'c');
  assert.equal(b.service.access.capacity.usage(scope), 1);
  assert.equal((await b.publish('two', 'c')).status, 429);
});

test('many are removed by their ids, and listeners of each are woken', async () => {
  const { a, host } = await twoNodes();
  for (const dataId of ['d', 'e', 'f']) await a.publish(dataId, 'one');
  const polls = ['d', 'f'].map((dataId) => a.listen([[dataId, contentMd5('one')]]));
  await host.advance(0);
  const ids = await Promise.all(
    ['d', 'e'].map(async (dataId) => (await a.store.getConfig({ dataId, group: 'g', namespaceId: '' }))!.id),
  );
  assert.equal(await a.service.access.publisher.removeMany([...ids, '424242'], { ip: '10.0.0.1', user: null }), 2);
  assert.equal((await a.get('d')).status, 404);
  await host.advance(0);
  assert.deepEqual(
    polls.map((poll) => poll.shown()),
    [[200, 'd%02g%01\n'], undefined],
  );
  assert.deepEqual(shown(await a.get('f')), [200, 'one']);
});
