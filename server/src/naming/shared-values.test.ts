import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Instance, type Metadata, NO_METADATA } from '@nacos-kube/core/model/instance.ts';
import { SHARED_CHARS_MAX, SHARED_MAX, SharedValues } from './shared-values.ts';

const instance = (metadata: Metadata, more: Partial<Instance> = {}): Instance => ({
  ip: '10.0.0.1',
  port: 80,
  cluster: 'DEFAULT',
  weight: 1,
  healthy: true,
  enabled: true,
  ephemeral: true,
  metadata,
  instanceId: 'id',
  app: 'shop',
  ...more,
});

test('equal metadata is kept once, and an instance is what it was', () => {
  const shared = new SharedValues();
  const first = instance(new Map([['zone', 'a']]));
  const second = instance(new Map([['zone', 'a']]), { ip: '10.0.0.2' });
  const other = instance(new Map([['zone', 'b']]));
  assert.deepEqual(shared.of(first), first);
  assert.deepEqual(shared.of(second), second);
  assert.equal(shared.of(second).metadata, first.metadata);
  assert.deepEqual(shared.of(other), other);
  assert.equal(shared.of(instance(NO_METADATA)).metadata, NO_METADATA);
});

test('the order of names and a null make another one, as lists show them', () => {
  const shared = new SharedValues();
  const given: Metadata[] = [
    new Map([
      ['a', '1'],
      ['b', '2'],
    ]),
    new Map([
      ['b', '2'],
      ['a', '1'],
    ]),
    new Map([['a', 'null']]),
    new Map([['a', null]]),
  ];
  for (const one of given) assert.equal(shared.of(instance(one)).metadata, one);
});

test('what is long or not seen for long is not remembered', () => {
  const shared = new SharedValues();
  const make = (value: string) => instance(new Map([['name', value]]));
  const long = 'x'.repeat(SHARED_CHARS_MAX);
  assert.notEqual(shared.of(make(long)).metadata, shared.of(make(long)).metadata);
  const first = shared.of(make('first')).metadata;
  for (let n = 0; n < 2 * SHARED_MAX; n++) shared.of(make(`${n}`));
  assert.notEqual(shared.of(make('first')).metadata, first);
});

test('what replaces an instance keeps its id and health, and of equal texts those that were there', () => {
  const shared = new SharedValues();
  const known = shared.of(instance(new Map([['zone', 'a']]), { healthy: false, instanceId: 'first' }));
  const wanted = instance(new Map([['zone', 'b']]), { ip: '10.0.0.7', weight: 2, app: 'other', cluster: 'far' });
  assert.deepEqual(shared.replacing(known, wanted), { ...wanted, healthy: false, instanceId: 'first' });
  const same = instance(new Map([['zone', 'a']]), { weight: 2 });
  assert.equal(shared.replacing(known, same).metadata, known.metadata);
});
