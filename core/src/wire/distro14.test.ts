import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { ProtocolError } from '../http/protocol-error.ts';
import {
  type DatumInstance,
  decodeChecksums,
  decodeDatums,
  decodeInstancesKey,
  decodeKeys,
  distroHash,
  distroOwner,
  encodeChecksums,
  encodeDatums,
  encodeInstancesKey,
  encodeKeys,
} from './distro14.ts';
import { instancesChecksum } from './naming-checksum.ts';

const MEMBERS = ['10.0.0.1:8848', '10.0.0.2:8848', '10.0.0.3:8848'];
const KEY = 'com.alibaba.nacos.naming.iplist.ephemeral.public##DEFAULT_GROUP@@demo';

/** As a Java member printed it. */
const DATUMS =
  '{"com.alibaba.nacos.naming.iplist.ephemeral.public##DEFAULT_GROUP@@demo":{' +
  '"key":"com.alibaba.nacos.naming.iplist.ephemeral.public##DEFAULT_GROUP@@demo",' +
  '"value":{"instanceList":[{"instanceId":"10.0.0.1#8080#DEFAULT#DEFAULT_GROUP@@demo",' +
  '"ip":"10.0.0.1","port":8080,"weight":1.0,"healthy":true,"enabled":true,"ephemeral":true,' +
  '"clusterName":"DEFAULT","serviceName":"DEFAULT_GROUP@@demo","metadata":{"zone":"a","version":"1.0"},' +
  '"lastBeat":1700000000000,"marked":false,"app":"DEFAULT",' +
  '"ipDeleteTimeout":30000,"instanceHeartBeatInterval":5000,"instanceHeartBeatTimeOut":15000}]},' +
  '"timestamp":1}}';

const INSTANCE: DatumInstance = {
  ip: '10.0.0.1',
  port: 8080,
  cluster: 'DEFAULT',
  weight: 1,
  healthy: true,
  enabled: true,
  ephemeral: true,
  metadata: new Map([
    ['zone', 'a'],
    ['version', '1.0'],
  ]),
  instanceId: '10.0.0.1#8080#DEFAULT#DEFAULT_GROUP@@demo',
  app: 'DEFAULT',
  lastBeatMs: 1700000000000,
  marked: false,
};

test('a service has the owner that Java members compute', () => {
  const table: readonly (readonly [string, number, string])[] = [
    ['DEFAULT_GROUP@@demo', 1251993628, '10.0.0.2:8848'],
    ['DEFAULT_GROUP@@nacos.test.1', 301437168, '10.0.0.1:8848'],
    ['DEFAULT_GROUP@@a', 1325396480, '10.0.0.3:8848'],
    ['polygenelubricants', 1, '10.0.0.2:8848'],
  ];
  for (const [name, hash, owner] of table) {
    assert.equal(distroHash(name), hash);
    assert.equal(distroOwner(name, MEMBERS.toReversed()), owner);
  }
  assert.equal(distroOwner('G@@S', []), undefined);
});

test('members are sorted by code unit before the owner is taken', () => {
  assert.equal(distroOwner('polygenelubricants', ['10.0.0.2:8848', '10.0.0.10:8848']), '10.0.0.2:8848');
});

test('keys name a service and a kind', () => {
  const service = { namespaceId: 'public', name: 'DEFAULT_GROUP@@demo' };
  assert.equal(encodeInstancesKey({ service, ephemeral: true }), KEY);
  assert.deepEqual(decodeInstancesKey(KEY), { service, ephemeral: true });
  const persistent = 'com.alibaba.nacos.naming.iplist.public##DEFAULT_GROUP@@demo';
  assert.equal(encodeInstancesKey({ service, ephemeral: false }), persistent);
  assert.deepEqual(decodeInstancesKey(persistent), { service, ephemeral: false });
  const meta = 'com.alibaba.nacos.naming.domains.meta.public##DEFAULT_GROUP@@demo';
  assert.equal(decodeInstancesKey(meta), undefined);
  assert.equal(decodeInstancesKey('com.alibaba.nacos.naming.iplist.ephemeral.x'), undefined);
});

test('a list of instances is written as by a Java member, byte for byte', () => {
  assert.equal(encodeDatums(new Map([[KEY, [INSTANCE]]])), DATUMS);
  assert.equal(encodeDatums(new Map()), '{}');
});

test('a list of instances is read back, plain or compressed, whatever a header says', () => {
  for (const body of [Buffer.from(DATUMS), gzipSync(DATUMS)]) {
    const datums = decodeDatums(body);
    assert.deepEqual([...datums], [[KEY, [INSTANCE]]]);
    assert.equal(instancesChecksum(datums.get(KEY)!), '5dd7fb754e1e7235902d06e0972ac7c9');
  }
});

test('preserved keys show in the derived fields, and the generator as Java shows it', () => {
  const fields = (metadata: DatumInstance['metadata']) =>
    encodeDatums(new Map([[KEY, [{ ...INSTANCE, metadata }]]])).replace(/.*"ipDeleteTimeout"/, '"ipDeleteTimeout"');
  assert.match(fields(new Map()), /:30000,.*:5000,.*:15000,"instanceIdGenerator":"simple"\}/);
  const preserved = new Map([
    ['preserved.ip.delete.timeout', '9000'],
    ['preserved.heart.beat.interval', '1000'],
    ['preserved.heart.beat.timeout', 'x'],
    ['preserved.instance.id.generator', 'snowflake'],
  ]);
  assert.match(fields(preserved), /:9000,.*:1000,.*:15000,"instanceIdGenerator":"snowflake"\}/);
});

test('absent fields have the defaults of the Java class, weights are set right, unknown fields passed over', () => {
  const list =
    '[{"ip":"10.0.0.1","port":80,"clusterName":" ","weight":20000,"tenant":"t"},{"ip":"h","port":1,"weight":0.001}]';
  const text = `{"${KEY}":{"key":"${KEY}","value":{"instanceList":${list}},"timestamp":1},"other":{}}`;
  const [first, second] = decodeDatums(Buffer.from(text)).get(KEY)!;
  const defaults = { cluster: 'DEFAULT', healthy: true, enabled: true, ephemeral: true, app: 'DEFAULT', lastBeatMs: 0 };
  assert.partialDeepStrictEqual(first, {
    ...defaults,
    weight: 10_000,
    instanceId: '10.0.0.1#80#DEFAULT#DEFAULT_GROUP@@demo',
  });
  assert.equal(second?.weight, 0.01);
});

test('what is no datum is refused and says why', () => {
  const whole = (value: string) => `{"${KEY}":${value}}`;
  const list = (text: string) => whole(`{"key":"${KEY}","value":{"instanceList":${text}},"timestamp":1}`);
  const table: readonly (readonly [string, string])[] = [
    ['', 'body is no JSON object'],
    ['[]', 'body is no JSON object'],
    [whole('null'), `datum refused: it has no list of instances (${KEY})`],
    [whole(`{"value":{"instanceList":[]},"timestamp":1}`), `datum refused: it has no list of instances (${KEY})`],
    [whole(`{"key":"${KEY}","value":{"instanceList":[]}}`), `datum refused: it has no list of instances (${KEY})`],
    [list('{}'), `datum refused: it has no list of instances (${KEY})`],
    [list('[null]'), `datum refused: an instance has no address (${KEY})`],
    [list('[{"ip":"h","port":70000}]'), `datum refused: an instance has no address (${KEY})`],
    [list('[{"ip":"h","port":1,"weight":"x"}]'), `datum refused: the weight of h:1 is no number (${KEY})`],
    [
      list('[{"ip":"h","port":1,"metadata":{"a":{}}}]'),
      `datum refused: the metadata of an instance is no map of texts (${KEY})`,
    ],
  ];
  for (const [text, message] of table) {
    assert.throws(() => decodeDatums(Buffer.from(text)), { name: 'ProtocolError', status: 400, message }, text);
  }
  const cut = gzipSync(DATUMS).subarray(0, 60);
  assert.throws(() => decodeDatums(cut), { message: /^body is broken or larger than/ });
});

test('checksums and questions for keys are read as they are written', () => {
  const checksums = new Map([[KEY, 'd41d8cd98f00b204e9800998ecf8427e']]);
  assert.equal(encodeChecksums(checksums), `{"${KEY}":"d41d8cd98f00b204e9800998ecf8427e"}`);
  assert.deepEqual(decodeChecksums(Buffer.from(encodeChecksums(checksums))), checksums);
  assert.throws(() => decodeChecksums(Buffer.from('{"k":1}')), { status: 400, message: /its checksum is no text/ });
  assert.equal(encodeKeys(['k1', 'k2']), '{"keys":"k1,k2"}');
  assert.deepEqual(decodeKeys(Buffer.from('{"keys":"k1,,k2"}')), ['k1', 'k2']);
  assert.throws(() => decodeKeys(Buffer.from('{}')), { status: 400, message: "Param 'keys' is required." });
});

test('no message does more harm than a refusal', () => {
  const instance = fc.record({
    ip: fc.anything(),
    port: fc.anything(),
    weight: fc.anything(),
    metadata: fc.anything(),
  });
  const near = fc.array(fc.oneof(instance, fc.anything())).map((instanceList) => {
    try {
      return JSON.stringify({ [KEY]: { key: KEY, value: { instanceList }, timestamp: 1 } });
    } catch {
      return '';
    }
  });
  const bytes = fc.oneof(near, fc.json()).map((text) => Buffer.from(text));
  fc.assert(
    fc.property(fc.oneof(bytes, fc.uint8Array()), (body) => {
      for (const decode of [decodeDatums, decodeChecksums, decodeKeys]) {
        try {
          decode(body);
        } catch (error) {
          assert(error instanceof ProtocolError && error.status === 400, String(error));
        }
      }
    }),
    { numRuns: 1000 },
  );
});
