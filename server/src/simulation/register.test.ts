import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type RegisterOperation, registerProblem } from './register.ts';

const write = (startMs: number, endMs: number, value: string): RegisterOperation => {
  return { startMs, endMs, what: { kind: 'write', value } };
};
const read = (startMs: number, endMs: number, value: string | undefined): RegisterOperation => {
  return { startMs, endMs, what: { kind: 'read', value } };
};
const swap = (startMs: number, endMs: number, from: string, value: string): RegisterOperation => {
  return { startMs, endMs, what: { kind: 'swap', from, value } };
};
const NEVER = Number.POSITIVE_INFINITY;

test('what can have happened one after the other is fine', () => {
  const fine: readonly (readonly RegisterOperation[])[] = [
    [],
    [read(0, 1, undefined), write(2, 3, 'a'), read(4, 5, 'a')],
    // Two at a time, in either order.
    [write(0, 10, 'a'), write(0, 10, 'b'), read(11, 12, 'a')],
    [write(0, 10, 'a'), read(1, 2, 'a'), read(3, 4, 'a')],
    // Without an answer: never, or late.
    [write(0, 1, 'a'), write(2, NEVER, 'b'), read(3, 4, 'a'), read(5, 6, 'b')],
    [write(0, 1, 'a'), write(2, NEVER, 'b'), read(30, 40, 'a')],
    [write(0, 1, 'a'), swap(2, NEVER, 'a', 'b'), swap(3, 4, 'b', 'c'), read(5, 6, 'c')],
  ];
  for (const history of fine) assert.equal(registerProblem(history), undefined);
});

test('what cannot have happened is told', () => {
  const wrong: readonly (readonly RegisterOperation[])[] = [
    [read(0, 1, 'a')],
    // An acknowledged write is lost.
    [write(0, 1, 'a'), read(2, 3, undefined)],
    [write(0, 1, 'a'), write(2, 3, 'b'), read(4, 5, 'a')],
    // A read goes back.
    [write(0, 1, 'a'), write(2, 20, 'b'), read(3, 4, 'b'), read(5, 6, 'a')],
    // Two found the same.
    [write(0, 1, 'a'), swap(2, 5, 'a', 'b'), swap(3, 6, 'a', 'c')],
    // It was seen before it was asked for.
    [write(0, 1, 'a'), read(2, 3, 'b'), write(4, NEVER, 'b')],
  ];
  for (const history of wrong) assert.match(registerProblem(history) ?? 'fine', /^no order explains it/);
});

test('whatever a real register answered is fine, and an answer of another time is not', () => {
  const step = fc.record({
    kind: fc.constantFrom('write', 'swap', 'read'),
    early: fc.nat({ max: 25 }),
    late: fc.nat({ max: 25 }),
    isLost: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
      let value: string | undefined;
      const history = steps.map(({ kind, early, late, isLost }, n): RegisterOperation => {
        // Each takes effect at its own moment, while others are under way.
        const [startMs, endMs] = [n * 10 - early, isLost && kind !== 'read' ? NEVER : n * 10 + late];
        const before = value;
        if (kind === 'read' || (kind === 'swap' && before === undefined)) return read(startMs, n * 10 + late, value);
        value = `v${n}`;
        if (kind === 'write' || before === undefined) return write(startMs, endMs, value);
        return swap(startMs, endMs, before, value);
      });
      assert.equal(registerProblem(history), undefined);
      assert.notEqual(
        registerProblem([...history, write(2_000, 2_001, 'last'), read(2_002, 2_003, undefined)]),
        undefined,
      );
    }),
    { numRuns: 300 },
  );
});
