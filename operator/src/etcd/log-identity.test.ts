import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { logSegment } from '../testing/etcd-log.ts';
import { logIdentity } from './log-identity.ts';

test('the identity of a log is that of its first lines, numbers of 64 bits included', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 64n - 1n), fc.bigInt(0n, 2n ** 64n - 1n), (memberId, clusterId) => {
      const segment = new Uint8Array(10_000);
      segment.set(logSegment(memberId, clusterId));
      assert.deepEqual(logIdentity(segment), { memberId: String(memberId), clusterId: String(clusterId) });
    }),
  );
});

// Etcd 3.4.23 and 3.6.5 began so, each as 8e9e05c52164694d of the cluster cdf818194e3a8c32.
test('the log of an etcd is read', () => {
  const segment = Buffer.from(
    '040000000000008408041000000000002000000000000000080110bb81c7fc051a1608cdd2918bd2b881cf8e0110b298eaf1948386fccd01',
    'hex',
  );
  const identity = { memberId: String(0x8e9e05c52164694dn), clusterId: String(0xcdf818194e3a8c32n) };
  assert.deepEqual(logIdentity(segment), identity);
});

test('what is no log says nothing', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      logIdentity(bytes);
    }),
  );
  const segment = logSegment(1n, 2n);
  for (let length = 0; length < segment.length - 8; length++)
    assert.equal(logIdentity(segment.subarray(0, length)), undefined);
  assert.equal(logIdentity(new Uint8Array(10_000)), undefined);
});
