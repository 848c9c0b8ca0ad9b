import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startNode } from './node-for-tests.ts';

const encode = (value: unknown) => encodeURIComponent(JSON.stringify(value));
const at = (ip: string, more = '') => `serviceName=demo&ip=${ip}&port=80${more}`;
const LABELS = { type: 'label', expression: 'CONSUMER.label.zone = PROVIDER.label.zone' };

test('a service is made, asked for, changed and deleted', async () => {
  const { ask } = await startNode();
  assert.equal(await ask('GET', '/service', 'serviceName=demo'), '404 service DEFAULT_GROUP@@demo is not found!');
  const said = `serviceName=demo&protectThreshold=0.8&metadata=a=1,b=2&selector=${encode(LABELS)}`;
  assert.equal(await ask('POST', '/service', said), '200 ok');
  assert.equal(
    await ask('GET', '/service', 'serviceName=demo'),
    '200 {"name":"demo","namespaceId":"public","protectThreshold":0.8,"metadata":{"a":"1","b":"2"},' +
      '"selector":{"type":"label","expression":"CONSUMER.label.zone = PROVIDER.label.zone","labels":["zone"]},' +
      '"groupName":"DEFAULT_GROUP","clusters":[]}',
  );
  assert.equal(await ask('PUT', '/service', 'serviceName=demo&protectThreshold=x'), '200 ok');
  assert.equal(
    await ask('GET', '/service', 'serviceName=demo'),
    '200 {"name":"demo","namespaceId":"public","protectThreshold":0.0,"metadata":{},"selector":{"type":"none"},' +
      '"groupName":"DEFAULT_GROUP","clusters":[]}',
  );
  assert.equal(await ask('DELETE', '/service', 'serviceName=demo'), '200 ok');
  assert.equal(
    await ask('DELETE', '/service', 'serviceName=demo'),
    '400 specified service not exist, serviceName : DEFAULT_GROUP@@demo',
  );
  assert.equal(
    await ask('PUT', '/service', 'serviceName=demo&protectThreshold=0'),
    '400 service DEFAULT_GROUP@@demo not found!',
  );
});

test('a service that exists by its instances alone is made no more, but may be changed', async () => {
  const { ask, get } = await startNode();
  await ask('POST', '/instance', at('10.0.0.1'));
  const exists = '400 specified service already exists, serviceName : DEFAULT_GROUP@@demo';
  assert.equal(await ask('POST', '/service', 'serviceName=demo'), exists);
  assert.equal(await ask('PUT', '/service', 'serviceName=demo&protectThreshold=0.5&metadata=a=1'), '200 ok');
  assert.equal(await ask('POST', '/service', 'serviceName=demo'), exists);
  const { hosts, metadata } = await get('/instance/list', 'serviceName=demo');
  assert.deepEqual([hosts.length, metadata], [1, { a: '1' }]);
});

test('a deletion takes the instances along, those that beat and those that are stored', async () => {
  const { ask, get, store, registry, changes } = await startNode();
  await ask('POST', '/service', 'serviceName=demo');
  await ask('POST', '/instance', at('10.0.0.1'));
  await ask('POST', '/instance', at('10.0.0.2', '&ephemeral=false'));
  assert.equal((await get('/instance/list', 'serviceName=demo')).hosts.length, 2);
  assert.equal(await ask('DELETE', '/service', 'serviceName=demo'), '200 ok');
  assert.deepEqual((await get('/instance/list', 'serviceName=demo')).hosts, []);
  assert.deepEqual((await store.scanRecords('instance', 10)).items, []);
  assert.deepEqual((await store.scanRecords('service', 10)).items, []);
  assert.deepEqual(
    [...registry.allDatums()].map(({ kind }) => kind),
    ['left'],
    'its peers must hear of it',
  );
  assert.equal(changes.filter(({ visible }) => visible).length, 4);
});

test('an owner elsewhere is asked to take the instances away', async () => {
  const asked: string[] = [];
  const { ask } = await startNode({
    ownership: {
      isOwn: () => false,
      async forward(service, { kind }) {
        asked.push(`${kind} ${service}`);
        return { outcome: 'done', beatIntervalMs: 5_000 };
      },
    },
  });
  await ask('POST', '/service', 'serviceName=demo');
  assert.equal(await ask('DELETE', '/service', 'serviceName=demo'), '200 ok');
  assert.deepEqual(asked, ['clear public##DEFAULT_GROUP@@demo']);
});

test('what was set survives a restart, and reaches every node', async () => {
  const first = await startNode();
  await first.ask('POST', '/service', 'serviceName=demo&groupName=g&namespaceId=dev&protectThreshold=0.5&metadata=a=1');
  await first.ask(
    'PUT',
    '/cluster',
    `serviceName=g@@demo&namespaceId=dev&clusterName=c&checkPort=81&useInstancePort4Check=false&healthChecker=${encode({ type: 'HTTP', path: '/up' })}`,
  );
  const second = await startNode({ database: first.database });
  const where = 'serviceName=g@@demo&namespaceId=dev';
  assert.equal(await second.ask('GET', '/service', where), await first.ask('GET', '/service', where));
  await first.ask('DELETE', '/service', where);
  await second.naming.feedReader.apply([
    { revision: 9, what: { kind: 'service', key: 'dev##g@@demo' }, removed: true },
  ]);
  assert.match(await second.ask('GET', '/service', where), /^404/);
});

test('a cluster is made and replaced as a whole, of a service that is there', async () => {
  const { ask, get, changes } = await startNode();
  const cluster = (more: string, checker: unknown) =>
    ask('PUT', '/cluster', `serviceName=demo&clusterName=c&healthChecker=${encode(checker)}${more}`);
  const missing = await cluster('&checkPort=80&useInstancePort4Check=true', { type: 'TCP' });
  assert.equal(missing, '400 service not found:DEFAULT_GROUP@@demo');
  await ask('POST', '/instance', at('10.0.0.1'));
  changes.length = 0;
  assert.equal(
    await cluster('&checkPort=81&useInstancePort4Check=no&metadata=a=1', { type: 'HTTP', path: '/up' }),
    '200 ok',
  );
  const clusters = async () => (await get('/service', 'serviceName=demo')).clusters;
  assert.deepEqual(await clusters(), [
    {
      name: 'c',
      healthChecker: { type: 'HTTP', path: '/up', headers: '', expectedResponseCode: 200 },
      metadata: { a: '1' },
    },
    { name: 'DEFAULT', healthChecker: { type: 'TCP' }, metadata: {} },
  ]);
  assert.deepEqual(
    changes.map(({ visible, origin }) => [visible, origin]),
    [[false, 'store']],
    'nobody is pushed to',
  );
  await cluster('&checkPort=81&useInstancePort4Check=no', { type: 'SOMETHING' });
  assert.deepEqual((await clusters())[0], { name: 'c', healthChecker: { type: 'NONE' }, metadata: {} });
  await ask('PUT', '/service', 'serviceName=demo&protectThreshold=0.5');
  assert.equal((await clusters()).length, 2, 'an update of the service keeps its clusters');
});

test('each broken parameter of a service or a cluster is refused, and changes nothing', async () => {
  const { ask, get, store } = await startNode();
  const cluster = {
    serviceName: 'demo',
    clusterName: 'c',
    checkPort: '80',
    useInstancePort4Check: 'true',
    healthChecker: '{"type":"TCP"}',
  };
  const cases: readonly (readonly [string, string, string, RegExp])[] = [
    ['POST', '/service', '', /^400 Parameter 'serviceName' is missing$/],
    ['POST', '/service', 'serviceName=a%20b', /^400 dom name can only have these characters/],
    ['POST', '/service', 'serviceName=@@b', /^400 .*groupName can't be empty/],
    ['POST', '/service', 'serviceName=demo&protectThreshold=x', /^400 For input string: "x"$/],
    ['POST', '/service', 'serviceName=demo&protectThreshold=NaN', /^400 /],
    ['POST', '/service', 'serviceName=demo&metadata=a=b=c', /^400 metadata format incorrect:a=b=c$/],
    [
      'POST',
      '/service',
      `serviceName=demo&selector=${encode({ type: 'unknown' })}`,
      /^400 not match any type of selector!$/,
    ],
    [
      'POST',
      '/service',
      `serviceName=demo&selector=${encode({ type: 'label', expression: 'x' })}`,
      /^400 parse expression failed!$/,
    ],
    ['POST', '/service', 'serviceName=demo&namespaceId=a%23b', /^400 .*namespaceId/],
    ['POST', '/service', `serviceName=${'x'.repeat(513)}`, /^400 .*longer/],
    ['PUT', '/service', 'serviceName=demo', /^400 Param 'protectThreshold' is required\.$/],
    ['DELETE', '/service', '', /^400 Parameter 'serviceName' is missing$/],
    ['GET', '/service', '', /^400 Parameter 'serviceName' is missing$/],
    ['PUT', '/service/checksum', '', /^400 Param 'serviceName' is required\.$/],
    ['GET', '/service/subscribers', '', /^400 Param 'serviceName' is required\.$/],
    ['GET', '/service/names', `expr=${'x'.repeat(257)}`, /^400 .*longer/],
    ...Object.keys(cluster).map((name) => {
      const query = new URLSearchParams(Object.entries(cluster).filter(([other]) => other !== name)).toString();
      return ['PUT', '/cluster', query, new RegExp(`^400 Param '${name}' is required\\.$`)] as const;
    }),
    ...(
      [
        ['checkPort', '-1'],
        ['checkPort', '65536'],
        ['checkPort', '0x50'],
        ['clusterName', 'a_b'],
        ['healthChecker', '[]'],
        ['healthChecker', 'x'],
        ['healthChecker', '{"type":"HTTP","path":1}'],
        ['healthChecker', '{"type":"HTTP","expectedResponseCode":"200"}'],
        ['healthChecker', '{"type":"HTTP","headers":"a:b\\r\\nHost: c"}'],
        ['healthChecker', `{"type":"MYSQL","cmd":"${'x'.repeat(5_000)}"}`],
      ] as const
    ).map(
      ([name, value]) =>
        ['PUT', '/cluster', new URLSearchParams({ ...cluster, [name]: value }).toString(), /^400 /] as const,
    ),
  ];
  for (const [method, path, query, wanted] of cases) {
    assert.match(await ask(method, path, query), wanted, `${method} ${path} ${query}`);
  }
  assert.deepEqual((await store.scanRecords('service', 10)).items, []);
  assert.deepEqual((await get('/service/list', 'pageNo=1&pageSize=9')).doms, []);
});

test('a store that fails makes a change fail, and nothing is shown of it', async () => {
  const { ask, store, get } = await startNode();
  store.faults.down = 'unavailable';
  assert.equal(await ask('POST', '/service', 'serviceName=demo'), '503 unavailable');
  store.faults.down = undefined;
  assert.deepEqual((await get('/service/list', 'pageNo=1&pageSize=9')).doms, []);
});

test('a deletion that the store does not take leaves those that beat in the lists (F6)', async () => {
  const { ask, get, store, changes } = await startNode();
  await ask('POST', '/service', 'serviceName=demo');
  await ask('POST', '/instance', at('10.0.0.1'));
  await ask('POST', '/instance', at('10.0.0.2', '&ephemeral=false'));
  changes.length = 0;
  for (const down of ['unavailable', 'read-only'] as const) {
    store.faults.down = down;
    assert.equal(await ask('DELETE', '/service', 'serviceName=demo'), `503 ${down}`);
    assert.equal((await get('/instance/list', 'serviceName=demo')).hosts.length, 2);
    await ask('DELETE', '/instance', at('10.0.0.2', '&ephemeral=false'));
  }
  assert.deepEqual(changes, []);
  store.faults.down = undefined;
  await ask('DELETE', '/instance', at('10.0.0.2', '&ephemeral=false'));
  store.faults.down = 'unavailable';
  assert.equal(await ask('DELETE', '/service', 'serviceName=demo'), '503 unavailable', 'with none that is stored, too');
  assert.equal((await get('/instance/list', 'serviceName=demo')).hosts.length, 1);
});

test('services are listed by group, in pages of their sorted names', async () => {
  const { ask, get } = await startNode();
  for (const name of ['b', 'a', 'B', 'c']) await ask('POST', '/instance', `serviceName=${name}&ip=10.0.0.1&port=80`);
  await ask('POST', '/instance', 'serviceName=x&groupName=g&ip=10.0.0.1&port=80&metadata=env=prod');
  await ask('POST', '/instance', 'serviceName=y&namespaceId=other&ip=10.0.0.1&port=80');
  await ask('POST', '/service', 'serviceName=z&groupName=g&metadata=env=prod');
  const list = async (query: string) => {
    const { doms, count } = await get('/service/list', query);
    return `${doms} of ${count}`;
  };
  assert.equal(await list('pageNo=1&pageSize=10'), 'B,a,b,c of 4');
  assert.equal(await list('pageNo=2&pageSize=3'), 'c of 4');
  assert.equal(await list('pageNo=3&pageSize=3'), ' of 4');
  assert.equal(await list('pageNo=0&pageSize=2'), 'B,a of 4');
  assert.equal(await list('pageNo=x&pageSize=y'), ' of 4');
  assert.equal(await list('pageNo=1&pageSize=2147483647&groupName=g'), 'x,z of 2');
  assert.equal(await list('pageNo=1&pageSize=2&groupName=*'), 'DEFAULT_GROUP@@B,DEFAULT_GROUP@@a of 6');
  assert.equal(await list('pageNo=1&pageSize=9&namespaceId=other'), 'y of 1');
  const selector = (of: string) =>
    `&groupName=*&selector=${encode({ type: 'label', expression: `${of}.metadata.env = 'prod'` })}`;
  assert.equal(await list(`pageNo=1&pageSize=9${selector('INSTANCE')}`), 'g@@x of 1');
  assert.equal(await list(`pageNo=1&pageSize=9${selector('SERVICE')}`), 'g@@z of 1');
  assert.equal(await ask('GET', '/service/list', 'pageNo=1'), "400 Param 'pageSize' is required.");
});

test('names are given by namespace, and the count is that of the namespaces', async () => {
  const { ask } = await startNode({ ownership: { isOwn: (service) => !service.endsWith('other') } });
  for (const service of ['demo', 'g@@demo', 'test']) await ask('POST', '/service', `serviceName=${service}`);
  await ask('POST', '/service', 'serviceName=other&namespaceId=dev');
  assert.equal(
    await ask('GET', '/service/names'),
    '200 {"services":{"public":["demo","test"],"dev":["other"]},"count":2}',
  );
  assert.equal(await ask('GET', '/service/names', 'namespaceId=dev'), '200 {"services":{"dev":["other"]},"count":1}');
  assert.equal(await ask('GET', '/service/names', 'namespaceId=none'), '200 {"services":{"none":[]},"count":1}');
  assert.equal(
    await ask('GET', '/service/names', 'namespaceId=public&expr=g@@d'),
    '200 {"services":{"public":["demo"]},"count":1}',
  );
  assert.equal(
    await ask('GET', '/service/names', 'expr=(a%2B)%2B$'),
    '200 {"services":{"public":[],"dev":[]},"count":2}',
  );
  assert.equal(
    await ask('GET', '/service/names', 'namespaceId=dev&responsibleOnly=true'),
    '200 {"services":{"dev":[]},"count":1}',
  );
});

test('subscribers come in pages', async () => {
  const one = (ip: string) => ({
    addrStr: `${ip}:5000`,
    agent: 'Nacos-Java-Client:v1.4.2',
    app: 'unknown',
    ip,
    namespaceId: 'public',
    serviceName: 'DEFAULT_GROUP@@demo',
  });
  const { ask } = await startNode({ subscribers: [one('10.0.0.1'), one('10.0.0.2')] });
  assert.equal(
    await ask('GET', '/service/subscribers', 'serviceName=demo&pageNo=2&pageSize=1'),
    `200 {"subscribers":[${JSON.stringify(one('10.0.0.2'))}],"count":2}`,
  );
  assert.match(await ask('GET', '/service/subscribers', 'serviceName=demo'), /"count":2\}$/);
});

test('the checksum is that of a list', async () => {
  const { ask, get } = await startNode();
  assert.equal(
    await ask('PUT', '/service/checksum', 'serviceName=demo'),
    '404 serviceName not found: DEFAULT_GROUP@@demo',
  );
  await ask('POST', '/service', 'serviceName=demo');
  // spec/naming.md 12: an empty new service.
  assert.equal(
    await ask('PUT', '/service/checksum', 'serviceName=demo'),
    '200 {"checksum":"167ea57ebbb5d902fa0c7d09da116b9f"}',
  );
  await ask('POST', '/instance', at('10.0.0.1'));
  const { checksum } = await get('/instance/list', 'serviceName=demo');
  assert.equal(await ask('PUT', '/service/checksum', 'serviceName=demo'), `200 {"checksum":"${checksum}"}`);
});

test('a service that was made has a list of no hosts, one that was not is short', async () => {
  const { ask, get } = await startNode();
  await ask('POST', '/service', 'serviceName=demo&metadata=a=1');
  const { hosts, dom, metadata, lastRefTime } = await get('/instance/list', 'serviceName=demo');
  assert.deepEqual([hosts, dom, metadata, lastRefTime], [[], 'demo', { a: '1' }, 0]);
  await ask('POST', '/instance', at('10.0.0.1'));
  await ask('DELETE', '/instance', at('10.0.0.1'));
  assert.equal((await get('/instance/list', 'serviceName=demo')).metadata.a, '1');
  assert.deepEqual(Object.keys(await get('/instance/list', 'serviceName=no')), [
    'name',
    'clusters',
    'cacheMillis',
    'hosts',
  ]);
});

test('the protection threshold is compared as a float32', async () => {
  const { ask, get, registry } = await startNode();
  await ask('POST', '/service', 'serviceName=demo&protectThreshold=0.8');
  for (let n = 1; n <= 5; n++) await ask('POST', '/instance', at(`10.0.0.${n}`, `&healthy=${n > 1}&ephemeral=false`));
  const healthy = async () =>
    (await get('/instance/list', 'serviceName=demo')).hosts.filter((one: { healthy: boolean }) => one.healthy).length;
  assert.equal(await healthy(), 5, '4 of 5 is no more than 0.8');
  await ask('PUT', '/service', 'serviceName=demo&protectThreshold=0.79');
  assert.equal(await healthy(), 4);
  assert.equal(registry.instanceCount, 5);
});

test('a node that does not know yet refuses rather than say that nothing is there', async () => {
  const starting = await startNode({ isLoaded: () => false });
  const unread = await startNode({ isRead: false });
  const questions = [
    ['GET', '/service', 'serviceName=demo'],
    ['PUT', '/service/checksum', 'serviceName=demo'],
    ['GET', '/instance/statuses', 'key=public%23%23g@@demo'],
    ['GET', '/catalog/service', 'serviceName=demo'],
    ['GET', '/catalog/rt/service', 'serviceName=demo'],
  ] as const;
  for (const [method, path, query] of questions) {
    assert.match(await starting.ask(method, path, query), /^503 server is STARTING/, path);
    assert.match(await unread.ask(method, path, query), /^503 server is STARTING/, path);
  }
  for (const path of ['/service/list', '/service/names', '/catalog/services', '/api/allDomNames']) {
    assert.match(await starting.ask('GET', path, 'pageNo=1&pageSize=9'), /^503 server is STARTING/, path);
  }
  assert.equal(await starting.ask('POST', '/service', 'serviceName=demo'), '200 ok', 'writes are taken');
});
