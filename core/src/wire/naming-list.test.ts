import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Form } from '../http/route.ts';
import type { Instance } from '../model/instance.ts';
import { parseAgent } from './naming-agent.ts';
import {
  CLUSTERS_CHARS_MAX,
  decodeList,
  encodeHost,
  encodeListParts,
  encodeShortList,
  joinList,
  nameShownTo,
} from './naming-list.ts';

const NAME = 'DEFAULT_GROUP@@demo';
const INSTANCE: Instance = {
  ip: '10.0.0.1',
  port: 8080,
  cluster: 'DEFAULT',
  weight: 1,
  healthy: true,
  enabled: true,
  ephemeral: true,
  metadata: new Map(),
  instanceId: '10.0.0.1#8080#DEFAULT#DEFAULT_GROUP@@demo',
  app: 'DEFAULT',
};

function form(parameters: Record<string, string>): Form {
  return new Map(Object.entries({ serviceName: 'demo', ...parameters }));
}

test('a question for a list has the defaults of the reference', () => {
  assert.deepEqual(decodeList(form({})), {
    service: { namespaceId: 'public', name: NAME },
    clusters: '',
    clusterNames: [],
    clientIp: '',
    udpPort: 0,
    env: '',
    app: '',
    isCheck: false,
    healthyOnly: false,
  });
});

test('clusters and env are kept as sent, the names are told apart without trimming', () => {
  const request = decodeList(form({ clusters: 'a, b,,c', env: ' x ' }));
  assert.equal(request.clusters, 'a, b,,c');
  assert.deepEqual(request.clusterNames, ['a', ' b', 'c']);
  assert.equal(request.env, ' x ');
  assert.deepEqual(decodeList(form({ clusters: ' ' })).clusterNames, []);
});

test('only true, in any case, asks for the healthy or for a check', () => {
  assert.equal(decodeList(form({ healthyOnly: 'True' })).healthyOnly, true);
  assert.equal(decodeList(form({ healthyOnly: 'yes' })).healthyOnly, false);
  assert.equal(decodeList(form({ isCheck: 'TRUE' })).isCheck, true);
});

test('a subscriber names its own address', () => {
  const request = decodeList(form({ clientIP: '10.0.0.9', udpPort: '54321', app: 'orders' }));
  assert.partialDeepStrictEqual(request, { clientIp: '10.0.0.9', udpPort: 54321, app: 'orders' });
});

test('each broken parameter of a question is refused', () => {
  const table: readonly (readonly [Record<string, string>, string])[] = [
    [{ serviceName: '' }, "Param 'serviceName' is required."],
    [{ serviceName: 'g@@' }, "Param 'serviceName' is illegal, it should be format as 'groupName@@serviceName'"],
    [{ udpPort: 'x' }, 'For input string: "x"'],
    [{ udpPort: '-1' }, 'For input string: "-1"'],
    [{ udpPort: '65536' }, "Param 'udpPort' is illegal, it should be from 0 to 65535"],
    [{ clientIP: 'a\nb' }, "Param 'clientIP' is illegal, it must not contain control characters"],
    [{ env: 'a\0b' }, "Param 'env' is illegal, it must not contain control characters"],
    [
      { clusters: 'x'.repeat(CLUSTERS_CHARS_MAX + 1) },
      `Param 'clusters' is illegal, it is longer than ${CLUSTERS_CHARS_MAX} characters`,
    ],
  ];
  for (const [broken, message] of table) {
    assert.throws(() => decodeList(form(broken)), { name: 'ProtocolError', status: 400, message });
  }
});

test('the full form is the one of the reference, byte for byte', () => {
  const parts = encodeListParts({
    hosts: [encodeHost(INSTANCE, NAME, true)],
    name: NAME,
    shownName: NAME,
    checksum: '98a6462d746ed96b841f783f0fe8c124',
    metadata: new Map([['k', 'v']]),
  });
  assert.equal(
    joinList(parts, { cacheMs: 10_000, nowMs: 1_700_000_000_000, clusters: '', env: '' }),
    '{"hosts":[{"ip":"10.0.0.1","port":8080,"valid":true,"healthy":true,"marked":false,' +
      '"instanceId":"10.0.0.1#8080#DEFAULT#DEFAULT_GROUP@@demo","metadata":{},"enabled":true,' +
      '"weight":1.0,"clusterName":"DEFAULT","serviceName":"DEFAULT_GROUP@@demo","ephemeral":true}],' +
      '"dom":"DEFAULT_GROUP@@demo","name":"DEFAULT_GROUP@@demo","cacheMillis":10000,' +
      '"lastRefTime":1700000000000,"checksum":"98a6462d746ed96b841f783f0fe8c124","useSpecifiedURL":false,' +
      '"clusters":"","env":"","metadata":{"k":"v"}}',
  );
});

test('the empty form has no hosts, the short form no more than a name', () => {
  const parts = encodeListParts({ hosts: [], name: NAME, shownName: 'demo', checksum: 'c', metadata: new Map() });
  assert.equal(
    joinList(parts, { cacheMs: 3000, nowMs: 1, clusters: 'a,"b"', env: 'e' }),
    '{"hosts":[],"dom":"demo","name":"DEFAULT_GROUP@@demo","cacheMillis":3000,"lastRefTime":1,"checksum":"c",' +
      '"useSpecifiedURL":false,"clusters":"a,\\"b\\"","env":"e","metadata":{}}',
  );
  assert.equal(
    encodeShortList(NAME, 'a,b', 3000),
    '{"name":"DEFAULT_GROUP@@demo","clusters":"a,b","cacheMillis":3000,"hosts":[]}',
  );
});

test('a host is shown as healthy as the caller says', () => {
  const host = encodeHost({ ...INSTANCE, healthy: false, weight: 0.5, enabled: false, ephemeral: false }, 'demo', true);
  assert.match(host, /"valid":true,"healthy":true,"marked":false/);
  assert.match(host, /"enabled":false,"weight":0\.5,"clusterName":"DEFAULT","serviceName":"demo","ephemeral":false\}$/);
});

test('the Java client from 1.0.0 is shown grouped names, all others bare ones', () => {
  assert.equal(nameShownTo(parseAgent('Nacos-Java-Client:v1.0.0'), NAME), NAME);
  assert.equal(nameShownTo(parseAgent('Nacos-Go-Client:v1.0.1'), NAME), 'demo');
  assert.equal(nameShownTo(parseAgent('curl'), 'a@@b@@c'), 'b@@c');
});

test('whatever instances hold, the answer is JSON that says it', () => {
  const text = fc.string({ unit: 'binary', maxLength: 20 });
  const instance = fc.record({
    ip: text,
    port: fc.nat({ max: 65_535 }),
    cluster: text,
    weight: fc.double({ min: 0, max: 10_000, noNaN: true }),
    healthy: fc.boolean(),
    enabled: fc.boolean(),
    ephemeral: fc.boolean(),
    metadata: fc.array(fc.tuple(text, fc.option(text)), { maxLength: 4 }).map((entries) => new Map(entries)),
    instanceId: text,
    app: text,
  });
  fc.assert(
    fc.property(fc.array(instance, { maxLength: 4 }), text, text, (instances, clusters, env) => {
      const hosts = instances.map((each) => encodeHost(each, 'demo', each.healthy));
      const parts = encodeListParts({ hosts, name: NAME, shownName: 'demo', checksum: '', metadata: new Map() });
      const read = JSON.parse(joinList(parts, { cacheMs: 1, nowMs: 2, clusters, env }));
      assert.equal(read.clusters, clusters);
      assert.equal(read.env, env);
      assert.deepEqual(
        read.hosts.map((host: Record<string, unknown>) => [
          host.ip,
          host.port,
          host.weight,
          host.valid,
          host.instanceId,
        ]),
        instances.map((each) => [each.ip, each.port, each.weight || 0, each.healthy, each.instanceId]),
      );
      assert.deepEqual(
        read.hosts.map((host: { metadata: object }) => new Map(Object.entries(host.metadata))),
        instances.map((each) => each.metadata),
      );
    }),
  );
});
