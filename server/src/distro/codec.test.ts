import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Instance, instanceKey } from '@nacos-kube/core/model/instance.ts';
import fc from 'fast-check';
import type { Datum } from '../naming/datum.ts';
import type { InstanceChanges, Operation } from '../naming/operation.ts';
import {
  BadMessageError,
  decodeDatum,
  decodeOperation,
  decodeResult,
  encodeDatum,
  encodeOperation,
  encodeResult,
} from './codec.ts';

const anyMetadata = fc
  .array(fc.tuple(fc.constantFrom('a', '__proto__', 'z', ''), fc.option(fc.string())))
  .map((pairs) => new Map(pairs));
const anyInstance: fc.Arbitrary<Instance> = fc.record({
  ip: fc.string(),
  port: fc.nat(65_535),
  cluster: fc.string(),
  weight: fc.double({ min: 0, max: 10_000, noNaN: true }).map((weight) => weight + 0),
  healthy: fc.boolean(),
  enabled: fc.boolean(),
  ephemeral: fc.constant(true),
  instanceId: fc.string(),
  app: fc.string(),
  metadata: anyMetadata,
});
const anyChanges: fc.Arbitrary<InstanceChanges> = fc.record(
  {
    weight: fc.double({ min: 0, max: 10_000, noNaN: true }).map((weight) => weight + 0),
    healthy: fc.boolean(),
    enabled: fc.boolean(),
    app: fc.string(),
    metadata: anyMetadata,
    added: anyMetadata,
    dropped: fc.array(fc.constantFrom('a', '__proto__', 'z')),
  },
  { requiredKeys: [] },
);
const anyStamp = fc.record({ epoch: fc.nat(), sequence: fc.nat(), owner: fc.string() });
const service = fc.constant('public##DEFAULT_GROUP@@demo');
const anyDatum: fc.Arbitrary<Datum> = fc.oneof(
  fc
    .record({
      service,
      stamp: anyStamp,
      kind: fc.constantFrom('live' as const, 'unhealthy' as const),
      instance: anyInstance,
    })
    .map((datum) => ({ ...datum, key: instanceKey(datum.instance) })),
  fc.record({
    service,
    key: fc.string(),
    stamp: anyStamp,
    kind: fc.constantFrom('left' as const, 'expired' as const),
  }),
  fc.record({
    service,
    key: fc.string(),
    stamp: anyStamp,
    kind: fc.constant('probed' as const),
    healthy: fc.boolean(),
  }),
);
const id = fc.record({ namespaceId: fc.string().filter((text) => !text.includes('##')), name: fc.string() });
const anyOperation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ kind: fc.constant('register' as const), service: id, instance: anyInstance }),
  fc.record({ kind: fc.constant('deregister' as const), service: id, key: fc.string() }),
  fc.record({ kind: fc.constant('beat' as const), service: id, key: fc.string() }),
  fc.record({ kind: fc.constant('clear' as const), service: id }),
  fc.record({ kind: fc.constant('judge' as const), service: id, key: fc.string(), healthy: fc.boolean() }),
  fc.record({
    kind: fc.constant('change' as const),
    service: id,
    key: fc.string(),
    changes: anyChanges,
    isSignOfLife: fc.boolean(),
  }),
  fc
    .record({ kind: fc.constant('beat' as const), service: id, full: anyInstance })
    .map((beat) => ({ ...beat, key: instanceKey(beat.full) })),
);
const overTheWire = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test('a datum comes out as it went in', () => {
  fc.assert(
    fc.property(anyDatum, (datum) =>
      assert.deepEqual(decodeDatum(overTheWire(encodeDatum(datum))), structuredClone(datum)),
    ),
  );
});

test('an operation and its result come out as they went in', () => {
  fc.assert(
    fc.property(anyOperation, (operation) => {
      assert.deepEqual(decodeOperation(overTheWire(encodeOperation(operation))), structuredClone(operation));
    }),
  );
  for (const result of [{ outcome: 'unknown' }, { outcome: 'done', beatIntervalMs: 5000 }] as const) {
    assert.deepEqual(decodeResult(encodeResult(result)), result);
  }
});

test('whatever else comes is refused, and nothing worse happens', () => {
  const isRefusedOrRead = (decode: (value: unknown) => unknown) => (value: unknown) => {
    try {
      decode(value);
    } catch (error) {
      assert.ok(error instanceof BadMessageError, String(error));
    }
  };
  fc.assert(fc.property(fc.jsonValue(), isRefusedOrRead(decodeDatum)));
  fc.assert(fc.property(fc.jsonValue(), isRefusedOrRead(decodeOperation)));
  const broken = fc.tuple(anyDatum, fc.nat(6), fc.jsonValue()).map(([datum, index, value]) => {
    const wire: unknown[] = [...encodeDatum(datum)];
    wire[index] = value;
    return wire;
  });
  fc.assert(fc.property(broken, isRefusedOrRead(decodeDatum)));
});

test('an instance that no client could register is refused', () => {
  const good = ['10.0.0.1', 80, 'DEFAULT', 1, 7, 'id', 'app'];
  const datum = (instance: readonly unknown[], key = '10.0.0.1:80:DEFAULT') => {
    return ['public##g@@demo', key, 1, 1, 'm1', 'live', instance];
  };
  const withChange = (at: number, value: number) => good.with(at, value);
  assert.equal(decodeDatum(datum(good)).kind, 'live');
  const bad: readonly unknown[] = [
    datum(good, '10.0.0.2:80:DEFAULT'),
    datum(withChange(1, 65_536), '10.0.0.1:65536:DEFAULT'),
    datum(withChange(3, Number('1e999'))),
    datum(withChange(3, 10_001)),
    datum(withChange(4, 3)),
  ];
  for (const one of bad) assert.throws(() => decodeDatum(one), BadMessageError, JSON.stringify(one));
  const operations = [
    ['register', 'public', 'g@@demo', withChange(4, 3)],
    ['register', 'pub##lic', 'g@@demo', good],
    ['beat', 'public', 'g@@demo', '10.0.0.2:80:DEFAULT', good],
  ];
  for (const one of operations) assert.throws(() => decodeOperation(one), BadMessageError, JSON.stringify(one));
});
