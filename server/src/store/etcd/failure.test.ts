import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { StoreError } from '../store.ts';
import { failureOf, storeErrorOf } from './failure.ts';

const cases: readonly (readonly [string, number, string, boolean, boolean])[] = [
  // What is said, its code, what it is to callers, whether it may be done, whether another try may help.
  ['No connection established. Last error: connect ECONNREFUSED', status.UNAVAILABLE, 'unavailable', false, true],
  ['read ECONNRESET', status.UNAVAILABLE, 'unavailable', true, true],
  ['Deadline exceeded after 1.2s', status.DEADLINE_EXCEEDED, 'unavailable', true, true],
  ['etcdserver: no leader', status.UNAVAILABLE, 'unavailable', false, true],
  ['etcdserver: leader changed', status.UNAVAILABLE, 'unavailable', true, true],
  ['etcdserver: request timed out', status.UNAVAILABLE, 'unavailable', true, true],
  ['etcdserver: too many requests', status.RESOURCE_EXHAUSTED, 'unavailable', false, true],
  ['etcdserver: mvcc: database space exceeded', status.RESOURCE_EXHAUSTED, 'read-only', false, false],
  ['etcdserver: request is too large', status.INVALID_ARGUMENT, 'invalid', false, false],
  ['etcdserver: permission denied', status.PERMISSION_DENIED, 'misconfigured', false, false],
  [
    'etcdserver: authentication failed, invalid user ID or password',
    status.INVALID_ARGUMENT,
    'misconfigured',
    false,
    false,
  ],
  ['etcdserver: mvcc: required revision has been compacted', status.OUT_OF_RANGE, 'unavailable', false, false],
  ['unknown service etcdserverpb.KV', status.UNIMPLEMENTED, 'misconfigured', false, false],
];

for (const [details, code, kind, mayBeDone, isPassing] of cases) {
  test(`"${details}" is ${kind}${mayBeDone ? ', and the write may be stored' : ''}`, () => {
    const failure = failureOf(Object.assign(new Error(details), { code, details }), 'etcd http://a:1');
    assert.deepEqual([failure.kind, failure.mayBeDone, failure.isPassing], [kind, mayBeDone, isPassing]);
    assert.match(failure.message, /^etcd http:\/\/a:1: /);
    const told = storeErrorOf(failure, true);
    assert.ok(told instanceof StoreError && told.kind === kind);
    assert.equal(/may have been stored/.test(told.message), mayBeDone);
    assert.doesNotMatch((storeErrorOf(failure, false) as Error).message, /may have been stored/);
  });
}

test('a connection that cannot be made is told with its reason, and without what the library puts around it', () => {
  const why = 'connect ECONNREFUSED 127.0.0.1:2379';
  const cases: Readonly<Record<string, string>> = {
    [`No connection established. Last error: Error: ${why}. Resolution note: `]: `no connection (${why})`,
    [`No connection established. Last error: ${why}. Resolution note: no AAAA`]: `no connection (${why}; no AAAA)`,
    [`No connection established. Last error: ${why}`]: `no connection (${why})`,
    'No connection established': 'No connection established',
  };
  for (const [details, told] of Object.entries(cases)) {
    const failure = failureOf(
      Object.assign(new Error(details), { code: status.UNAVAILABLE, details }),
      'etcd http://a:1',
    );
    assert.equal(failure.message, `etcd http://a:1: ${told}`);
    assert.equal(failure.cause === undefined, told !== details, 'the log would tell it twice');
  }
});

test('a fault of this program is not taken for one of etcd', () => {
  const fault = new TypeError('x is not a function');
  assert.throws(() => failureOf(fault, 'etcd'), fault);
  assert.equal(storeErrorOf(fault, true), fault);
});
