import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newCluster } from '../model/service.ts';
import {
  type ChecksummedInstance,
  instancesChecksum,
  instancesText,
  serviceChecksum,
  serviceText,
} from './naming-checksum.ts';
import { NEW_DEFAULT_CLUSTER } from './naming-cluster.ts';

const NAME = 'DEFAULT_GROUP@@demo';

function instance(given: Partial<ChecksummedInstance>): ChecksummedInstance {
  const base = { ip: '10.0.0.1', port: 8080, cluster: 'DEFAULT', weight: 1, healthy: true, enabled: true };
  return { ...base, ephemeral: true, metadata: new Map(), ...given };
}

const THREE = [
  instance({
    metadata: new Map([
      ['b', '2'],
      ['a', '1'],
    ]),
  }),
  instance({ ip: '10.0.0.2', port: 9090, weight: 0.5, healthy: false }),
  instance({ ip: '10.0.0.10', port: 80, weight: 0.5 }),
];
const ONE = [
  instance({
    metadata: new Map([
      ['zone', 'a'],
      ['version', '1.0'],
    ]),
  }),
];

test('the checksum of instances is the one of Java members', () => {
  assert.equal(
    instancesText(THREE),
    '10.0.0.10:80_0.5_true_true_DEFAULT_,10.0.0.1:8080_1.0_true_true_DEFAULT_a:1,b:2,,10.0.0.2:9090_0.5_false_true_DEFAULT_,',
  );
  assert.equal(instancesChecksum(THREE), 'd1216442be06bd943bca722815b2e0e7');
  assert.equal(instancesChecksum(ONE), '5dd7fb754e1e7235902d06e0972ac7c9');
  assert.equal(instancesChecksum([]), 'd41d8cd98f00b204e9800998ecf8427e');
});

test('the checksum of instances does not depend on the order in which they come', () => {
  assert.equal(instancesChecksum(THREE.toReversed()), 'd1216442be06bd943bca722815b2e0e7');
});

test('the checksum of a service is the one of Java members', () => {
  const service = { name: NAME, protectThreshold: 0, clusters: [NEW_DEFAULT_CLUSTER] };
  const head =
    '{"invalidIPCount":1,"name":"DEFAULT_GROUP@@demo","ipCount":3,"owners":[],"protectThreshold":0.0,"clusters":[' +
    '{"healthChecker":{},"defIPPort":80,"defCkport":80,"name":"DEFAULT","useIPPort4Check":true,"sitegroup":""}]}';
  assert(serviceText({ ...service, instances: THREE }).startsWith(`${head}10.0.0.10:80_0.5_true_DEFAULT,`));
  assert.equal(serviceChecksum({ ...service, instances: THREE }), 'f19678f9496fbce775eaaa4b13d8baed');
  assert.equal(serviceChecksum({ ...service, instances: ONE }), '98a6462d746ed96b841f783f0fe8c124');
  const empty = { name: NAME, protectThreshold: 0, clusters: [], instances: [] };
  assert.equal(serviceChecksum(empty), '167ea57ebbb5d902fa0c7d09da116b9f');
});

test('clusters stand in the order of a Java hash map, with their checkers and the threshold as a float', () => {
  const http = { type: 'HTTP', path: '/up', headers: '', expectedResponseCode: 200 } as const;
  const text = serviceText({
    name: NAME,
    protectThreshold: Math.fround(0.8),
    clusters: [NEW_DEFAULT_CLUSTER, newCluster('hz'), { ...newCluster('my'), healthChecker: http, checkPort: 8081 }],
    instances: [],
  });
  assert.deepEqual(
    [...text.matchAll(/"name":"(\w+)","useIPPort4Check"/g)].map((found) => found[1]),
    ['hz', 'my', 'DEFAULT'],
  );
  assert.match(text, /"protectThreshold":0\.8,/);
  assert.match(
    text,
    /\{"healthChecker":\{"path":"\/up","headers":"","expectedResponseCode":200\},"defIPPort":8081,"defCkport":8081,"name":"my"/,
  );
});

test('a weight counts as Java prints it, a missing port and a null are spelt as Java spells them', () => {
  const odd = [instance({ port: 0, weight: 10_000, metadata: new Map([['k', null]]) }), instance({ weight: 0.0001 })];
  assert.equal(
    instancesText(odd),
    '10.0.0.1:8080_1.0E-4_true_true_DEFAULT_,10.0.0.1:0_10000.0_true_true_DEFAULT_k:null,,',
  );
});
