import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Instance } from '@nacos-kube/core/model/instance.ts';
import fc from 'fast-check';
import type { Datum } from '../naming/datum.ts';
import type { Operation } from '../naming/operation.ts';
import {
  BadMessageError,
  decodeDatum,
  decodeOperation,
  decodeResult,
  encodeDatum,
  encodeOperation,
  encodeResult,
} from './codec.ts';

const anyInstance: fc.Arbitrary<Instance> = fc.record({
  ip: fc.string(),
  port: fc.nat(65_535),
  cluster: fc.string(),
  weight: fc.double({ min: 0, max: 10_000, noNaN: true }).map((weight) => weight + 0),
  healthy: fc.boolean(),
  enabled: fc.boolean(),
  ephemeral: fc.boolean(),
  instanceId: fc.string(),
  app: fc.string(),
  metadata: fc
    .array(fc.tuple(fc.constantFrom('a', '__proto__', 'z', ''), fc.option(fc.string())))
    .map((pairs) => new Map(pairs)),
});
const anyStamp = fc.record({ epoch: fc.nat(), sequence: fc.nat(), owner: fc.string() });
const service = fc.constant('public##DEFAULT_GROUP@@demo');
const anyDatum: fc.Arbitrary<Datum> = fc.oneof(
  fc.record({
    service,
    key: fc.string(),
    stamp: anyStamp,
    kind: fc.constantFrom('live' as const, 'unhealthy' as const),
    instance: anyInstance,
  }),
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
const id = fc.record({ namespaceId: fc.string(), name: fc.string() });
const anyOperation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ kind: fc.constant('register' as const), service: id, instance: anyInstance }),
  fc.record({ kind: fc.constant('deregister' as const), service: id, key: fc.string() }),
  fc.record({ kind: fc.constant('beat' as const), service: id, key: fc.string() }),
  fc.record({ kind: fc.constant('beat' as const), service: id, key: fc.string(), full: anyInstance }),
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
