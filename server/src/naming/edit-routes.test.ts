import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_SWITCHES } from '@nacos-kube/core/model/switches.ts';
import { BATCH_AT_ONCE_MAX } from './instance-edits.ts';
import { startNode } from './node-for-tests.ts';
import type { Operation } from './operation.ts';

const encode = (value: unknown) => encodeURIComponent(JSON.stringify(value));
const at = (ip: string, more = '') => `serviceName=demo&ip=${ip}&port=80${more}`;
type Node = Awaited<ReturnType<typeof startNode>>;
const shown = async ({ get }: Node, ip: string) => {
  const { instanceId: _id, ...rest } = (await get('/instance/list', 'serviceName=demo')).hosts.find(
    (one: { ip: string }) => one.ip === ip,
  );
  return rest;
};
const setChecker = (node: Node, type: string) =>
  node.ask(
    'PUT',
    '/cluster',
    `serviceName=demo&clusterName=DEFAULT&checkPort=80&useInstancePort4Check=true&healthChecker=${encode({ type })}`,
  );

test('a patch changes what is given and nothing else, of both kinds', async () => {
  for (const kind of ['', '&ephemeral=false']) {
    const node = await startNode();
    await node.ask('POST', '/instance', at('10.0.0.1', `&weight=2&metadata=a=1,b=2${kind}`));
    const before = await shown(node, '10.0.0.1');
    assert.equal(await node.ask('PATCH', '/instance', at('10.0.0.1', '&weight=5')), '200 ok');
    assert.deepEqual(await shown(node, '10.0.0.1'), { ...before, weight: 5 });
    await node.ask('PATCH', '/instance', at('10.0.0.1', '&metadata=c=3&weight='));
    assert.deepEqual(await shown(node, '10.0.0.1'), { ...before, weight: 5, metadata: { c: '3' } });
    await node.ask('PATCH', '/instance', at('10.0.0.1', '&enabled=false&app=x'));
    assert.deepEqual((await node.get('/instance/list', 'serviceName=demo')).hosts, [], 'disabled ones are not shown');
    assert.deepEqual(node.registry.view('public##DEFAULT_GROUP@@demo')?.instances[0]?.app, 'x');
  }
});

test('the health that a patch says holds at once, of both kinds', async () => {
  for (const kind of ['', '&ephemeral=false']) {
    const node = await startNode();
    for (const n of [1, 2]) await node.ask('POST', '/instance', at(`10.0.0.${n}`, kind));
    node.changes.length = 0;
    assert.equal(await node.ask('PATCH', '/instance', at('10.0.0.1', '&healthy=false')), '200 ok');
    assert.equal((await shown(node, '10.0.0.1')).healthy, false, kind);
    assert.ok(
      node.changes.some(({ visible }) => visible),
      'subscribers hear of it',
    );
    await node.ask('PATCH', '/instance', at('10.0.0.1', '&healthy=true'));
    assert.equal((await shown(node, '10.0.0.1')).healthy, true, kind);
  }
});

test('a patch is a sign of life', async () => {
  const node = await startNode();
  await node.ask('POST', '/instance', at('10.0.0.1'));
  await node.host.advance(14_000);
  await node.ask('PATCH', '/instance', at('10.0.0.1', '&weight=1'));
  assert.deepEqual(node.registry.takeOverdue(node.host.clock.monotonic() + 14_000), []);
  assert.equal(node.registry.takeOverdue(node.host.clock.monotonic() + 15_000).length, 1);
});

test('a patch of what is not there is refused, wherever it is looked for', async () => {
  const own = await startNode();
  assert.equal(await own.ask('PATCH', '/instance', at('10.0.0.1', '&weight=1')), '400 instance not found');
  const asked: Operation[] = [];
  const elsewhere = await startNode({
    ownership: {
      isOwn: () => false,
      async forward(_service, operation) {
        asked.push(operation);
        return { outcome: 'unknown' };
      },
    },
  });
  assert.equal(await elsewhere.ask('PATCH', '/instance', at('10.0.0.1', '&weight=7')), '400 instance not found');
  assert.deepEqual(asked, [
    {
      kind: 'change',
      service: { namespaceId: 'public', name: 'DEFAULT_GROUP@@demo' },
      key: '10.0.0.1:80:DEFAULT',
      changes: { weight: 7 },
      isSignOfLife: true,
    },
  ]);
});

test('metadata is put in and taken out of named instances, and the answer says of which', async () => {
  const node = await startNode();
  await node.ask('POST', '/instance', at('10.0.0.1', '&metadata=a=1'));
  await node.ask('POST', '/instance', at('10.0.0.2', '&metadata=a=1&ephemeral=false&clusterName=c'));
  const instances = encode([
    { ip: '10.0.0.1', port: 80 },
    { ip: '10.0.0.2', port: 80, clusterName: 'c', ephemeral: false },
    { ip: '10.0.0.3', port: 80 },
  ]);
  const batch = (method: string, query: string) =>
    node.ask(method, '/instance/metadata/batch', `serviceName=demo&${query}`);
  const both = '200 {"updated":["10.0.0.1:80:unknown:DEFAULT:ephemeral","10.0.0.2:80:unknown:c:persist"]}';
  assert.equal(await batch('PUT', `metadata=b=2,a=3&instances=${instances}`), both);
  for (const n of [1, 2]) assert.deepEqual((await shown(node, `10.0.0.${n}`)).metadata, { a: '3', b: '2' });
  assert.equal(await batch('DELETE', `metadata=a=x,z=y&instances=${instances}`), both);
  for (const n of [1, 2]) assert.deepEqual((await shown(node, `10.0.0.${n}`)).metadata, { b: '2' });
  const one = '200 {"updated":["10.0.0.2:80:unknown:c:persist"]}';
  assert.equal(await batch('PUT', 'metadata=d=4&consistencyType=persist&instances=x'), one);
  assert.match(await batch('PUT', 'metadata=d=4&consistencyType=ephemeral'), /DEFAULT:ephemeral"\]\}$/);
});

test('what a batch cannot do it leaves out of its answer', async () => {
  const node = await startNode();
  await node.ask('POST', '/instance', at('10.0.0.1', '&metadata=a=1'));
  await node.ask('POST', '/instance', at('10.0.0.2', '&ephemeral=false'));
  const nobody = '200 {"updated":[]}';
  const batch = (query: string) => node.ask('PUT', '/instance/metadata/batch', query);
  for (const query of [
    'serviceName=nobody&metadata=a=2&consistencyType=ephemeral',
    'serviceName=demo&metadata=a=2',
    'serviceName=demo&metadata=a=2&consistencyType=other',
    `serviceName=demo&metadata=a=2&instances=${'['.repeat(100_000)}`,
    `serviceName=demo&metadata=a=2&instances=${encode([{ ip: '10.0.0.1' }])}`,
    `serviceName=demo&metadata=a=2&instances=${encode(Array.from({ length: 1_001 }, () => ({ ip: '10.0.0.1', port: 80 })))}`,
    `serviceName=demo&metadata=a=2&instances=${encode([{ ip: '10.0.0.1', port: 80, ephemeral: false }])}`,
  ]) {
    assert.equal(await batch(query), nobody, query.slice(0, 90));
  }
  node.store.faults.down = 'unavailable';
  assert.equal(await batch('serviceName=demo&metadata=a=2&consistencyType=persist'), nobody);
  node.store.faults.down = undefined;
  const large = `metadata=${encode({ x: 'x'.repeat(40_000) })}&serviceName=demo&consistencyType=ephemeral`;
  assert.notEqual(await batch(large), nobody);
  assert.equal(await batch(large.replace('%7B%22x%22', '%7B%22y%22')), nobody, 'together they are too large');
  assert.deepEqual(Object.keys((await shown(node, '10.0.0.1')).metadata), ['a', 'x']);
  assert.equal(await batch('serviceName=demo'), "400 Param 'metadata' is required.");
  assert.match(await batch('serviceName=demo&metadata=a=b=c'), /^400 metadata format incorrect/);
});

test('health is told by hand only where nothing probes', async () => {
  const node = await startNode();
  const say = (query: string, path = '/health/instance') => node.ask('PUT', path, query);
  assert.equal(await say(at('10.0.0.1', '&healthy=false')), '404 service DEFAULT_GROUP@@demo is not found!');
  for (const [n, kind] of ['', '&ephemeral=false', ''].entries())
    await node.ask('POST', '/instance', at(`10.0.0.${n}`, kind));
  const still = '400 health check is still working, service: DEFAULT_GROUP@@demo';
  assert.equal(await say(at('10.0.0.1', '&healthy=false')), still);
  assert.equal(await setChecker(node, 'NONE'), '200 ok');
  assert.equal(await say(at('10.0.0.1', '&healthy=false&clusterName=c')), '404 cluster c is not found!');
  for (const ip of ['10.0.0.0', '10.0.0.1']) {
    node.changes.length = 0;
    assert.equal(await say(at(ip, '&valid=false'), '/health'), '200 ok');
    assert.equal((await shown(node, ip)).healthy, false, ip);
    assert.deepEqual(
      node.changes.map(({ visible }) => visible),
      [true],
    );
    assert.equal(await say(at(ip, '&healthy=true')), '200 ok');
    assert.equal((await shown(node, ip)).healthy, true, ip);
  }
  assert.equal(await say(at('10.0.0.9', '&healthy=true')), '200 ok', 'of an address that is not there');
  assert.equal(await say(at('10.0.0.1')), "400 Param 'healthy' is required.");
  assert.equal(await setChecker(node, 'TCP'), '200 ok');
  assert.equal(await say(at('10.0.0.1', '&healthy=false')), still);
});

test('statuses are those of all instances of a service', async () => {
  const { ask } = await startNode();
  await ask('POST', '/instance', at('10.0.0.1'));
  await ask('POST', '/instance', at('10.0.0.2', '&ephemeral=false&healthy=false&clusterName=c'));
  const all = '200 {"ips":["10.0.0.1:80_true","10.0.0.2:80_false"]}';
  assert.equal(await ask('GET', '/instance/statuses', `key=${encodeURIComponent('public##DEFAULT_GROUP@@demo')}`), all);
  assert.equal(await ask('GET', '/instance/statuses', 'key=DEFAULT_GROUP@@demo'), all);
  const missing = '404 service: DEFAULT_GROUP@@demo not found.';
  assert.equal(
    await ask('GET', '/instance/statuses', `key=${encodeURIComponent('dev##DEFAULT_GROUP@@demo')}`),
    missing,
  );
  assert.equal(await ask('GET', '/instance/statuses'), "400 Parameter 'key' is missing");
});

test('the server says that it is well, and which checkers there are', async () => {
  const { ask } = await startNode();
  await ask('POST', '/service', 'serviceName=demo');
  assert.equal(
    await ask('GET', '/health/server'),
    '200 {"msg":"Hello! I am Nacos-Naming and healthy! total services: raft 1, local port:8848"}',
  );
  assert.equal(
    await ask('GET', '/health/checkers'),
    '200 {"TCP":{},"HTTP":{"path":"","headers":"","expectedResponseCode":200},"MYSQL":{},"NONE":{}}',
  );
});

test('the kind of an instance that names none is what the switch says', async () => {
  const switches = { current: { ...NO_SWITCHES.current, defaultInstanceEphemeral: false } };
  const node = await startNode({ switches });
  await node.ask('POST', '/instance', at('10.0.0.1'));
  await node.ask('PUT', '/instance', at('10.0.0.2'));
  await node.ask('POST', '/instance', at('10.0.0.3', '&ephemeral=true'));
  for (const n of [1, 2, 3]) assert.equal((await shown(node, `10.0.0.${n}`)).ephemeral, n === 3);
  await node.ask('DELETE', '/instance', at('10.0.0.1'));
  assert.deepEqual((await node.get('/instance/list', 'serviceName=demo')).hosts.length, 2);
});

test('each broken parameter of a patch is refused, and changes nothing', async () => {
  const node = await startNode();
  await node.ask('POST', '/instance', at('10.0.0.1'));
  const before = await shown(node, '10.0.0.1');
  for (const query of [
    'serviceName=demo&ip=10.0.0.1',
    'serviceName=demo&port=80',
    'ip=10.0.0.1&port=80',
    at('10.0.0.1', '&weight=NaN'),
    at('10.0.0.1', '&weight=10001'),
    at('10.0.0.1', '&metadata=a=b=c'),
    at('10.0.0.1', '&cluster=a_b'),
    at('10.0.0.1', `&app=${'x'.repeat(256)}`),
    'serviceName=demo&ip=10.0.0.1&port=80abc',
  ]) {
    assert.match(await node.ask('PATCH', '/instance', query), /^400 /, query.slice(0, 80));
  }
  assert.deepEqual(await shown(node, '10.0.0.1'), before);
});

test('an address that no store takes keeps no other of the batch from its change', async () => {
  const { ask } = await startNode();
  await ask('POST', '/instance', 'serviceName=demo&ip=10.0.0.1&port=80&ephemeral=false');
  const one = (ip: string) => ({ ip, port: 80, ephemeral: false });
  const instances = [...Array.from({ length: BATCH_AT_ONCE_MAX }, () => one('x'.repeat(2_000))), one('10.0.0.1')];
  const query = `serviceName=demo&metadata=a=1&instances=${encodeURIComponent(JSON.stringify(instances))}`;
  assert.equal(
    await ask('PUT', '/instance/metadata/batch', query),
    '200 {"updated":["10.0.0.1:80:unknown:DEFAULT:persist"]}',
  );
});

test('a batch that the store does not take is given up at the first failures, and told of once', async () => {
  const { host, ask, store } = await startNode();
  for (let n = 0; n < 3 * BATCH_AT_ONCE_MAX; n++) {
    await ask('POST', '/instance', `serviceName=demo&ip=10.0.0.${n}&port=80&ephemeral=false`);
  }
  let reads = 0;
  const getRecord = store.getRecord.bind(store);
  store.getRecord = (kind, key) => {
    reads++;
    return getRecord(kind, key);
  };
  store.faults.down = 'unavailable';
  const answer = await ask('PUT', '/instance/metadata/batch', 'serviceName=demo&metadata=a=1&consistencyType=persist');
  assert.equal(answer, '200 {"updated":[]}');
  assert.equal(reads, BATCH_AT_ONCE_MAX);
  assert.equal(host.log.lines.filter((line) => line.includes('could not be changed')).length, 1);
});
