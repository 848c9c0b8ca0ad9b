import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { judgeRegister, type RegisterOperation, registerViolations } from './register-history.ts';

type Times = readonly [calledAt: number, answeredAt: number | undefined];

const write = (value: string | null, [calledAt, answeredAt]: Times, session = 'a'): RegisterOperation => {
  return { kind: 'write', key: 'k', session, value, calledAt, answeredAt };
};
const read = (value: string | null, [calledAt, answeredAt]: Times, of: 'truth' | 'copy', session = 'a') => {
  return { kind: 'read', key: 'k', session, of, value, calledAt, answeredAt: answeredAt! } as const;
};
const swap = (expected: string | null, value: string, [calledAt, answeredAt]: Times, isDone = true) => {
  return { kind: 'swap', key: 'k', session: 'a', expected, value, isDone, calledAt, answeredAt } as const;
};
const outcome = (...operations: RegisterOperation[]) => judgeRegister(operations).outcome;

describe('what holds', () => {
  const cases: Readonly<Record<string, readonly RegisterOperation[]>> = {
    'nothing at all': [],
    'reads of nothing before and of a value after': [
      read(null, [0, 1], 'truth'),
      write('1', [2, 3]),
      read('1', [4, 5], 'truth'),
    ],
    'either value while a write is under way': [
      write('1', [0, 10]),
      read('1', [1, 2], 'truth', 'b'),
      read('1', [3, 4], 'truth', 'c'),
    ],
    'concurrent writes, the one called last first': [
      write('1', [0, 10]),
      write('2', [1, 10], 'b'),
      read('1', [11, 12], 'truth'),
    ],
    'a write without an answer that took effect': [write('1', [0, undefined]), read('1', [5, 6], 'truth')],
    'one that took effect long after': [
      write('1', [0, undefined]),
      read(null, [5, 6], 'truth'),
      read('1', [7, 8], 'truth'),
    ],
    'one that never did': [write('1', [0, undefined]), read(null, [5, 6], 'truth')],
    'a copy on another node that lags': [write('1', [0, 1]), read(null, [2, 3], 'copy', 'b')],
    'a copy behind what was read past it': [
      write('1', [0, 1], 'b'),
      read('1', [2, 3], 'truth'),
      read(null, [4, 5], 'copy'),
    ],
    'a copy that lags behind a refusal': [
      write('1', [0, 1]),
      write('2', [2, 3], 'b'),
      swap('1', '3', [4, 5], false),
      read('1', [6, 7], 'copy'),
    ],
    'a removal': [write('1', [0, 1]), write(null, [2, 3]), read(null, [4, 5], 'truth')],
    'a swap that fits, and one that is refused': [
      write('1', [0, 1]),
      swap('1', '2', [2, 3]),
      swap('1', '3', [4, 5], false),
      read('2', [6, 7], 'truth'),
    ],
    'a swap refused because of a write that nobody read': [
      write('1', [0, 1]),
      write('2', [2, undefined]),
      swap('1', '3', [4, 5], false),
    ],
  };
  for (const [name, operations] of Object.entries(cases)) {
    test(name, () => assert.equal(outcome(...operations), 'holds'));
  }
});

describe('what does not', () => {
  const cases: Readonly<Record<string, readonly RegisterOperation[]>> = {
    'a value that nobody wrote': [write('1', [0, 1]), read('2', [2, 3], 'copy')],
    'an acknowledged write that is lost': [write('1', [0, 1]), read(null, [2, 3], 'truth')],
    'an acknowledged write under an older one': [
      write('1', [0, 1]),
      write('2', [2, 3]),
      read('1', [4, 5], 'truth', 'b'),
    ],
    'a value before it was written': [read('1', [0, 1], 'copy'), write('1', [2, 3])],
    'reads that go back': [write('1', [0, undefined]), read('1', [1, 2], 'truth'), read(null, [3, 4], 'truth', 'b')],
    'a copy that goes back': [
      write('1', [0, 1]),
      write('2', [2, 3]),
      read('2', [4, 5], 'copy', 'b'),
      read('1', [6, 7], 'copy', 'b'),
    ],
    'a node that does not serve what it acknowledged (F11)': [write('1', [0, 1]), read(null, [2, 3], 'copy')],
    'two copies that disagree on the order': [
      write('1', [0, 10]),
      write('2', [0, 10], 'b'),
      read('1', [11, 12], 'copy', 'c'),
      read('2', [13, 14], 'copy', 'c'),
      read('2', [11, 12], 'copy', 'd'),
      read('1', [13, 14], 'copy', 'd'),
    ],
    'a swap that wrote over something else': [write('1', [0, 1]), swap('0', '2', [2, 3]), read('2', [4, 5], 'truth')],
    'two swaps of one value': [write('1', [0, 1]), swap('1', '2', [2, 9]), swap('1', '3', [2, 9])],
    'a swap that was refused although it fitted': [write('1', [0, 1]), swap('1', '2', [2, 3], false)],
    'a removed value that is back': [write('1', [0, 1]), write(null, [2, 3]), read('1', [4, 5], 'truth')],
    'a half written value': [write('whole', [0, undefined]), read('wh', [1, 2], 'copy')],
  };
  for (const [name, operations] of Object.entries(cases)) {
    test(name, () => assert.equal(outcome(...operations), 'violated'));
  }
});

test('a session begins anew with a node that was started again', () => {
  const before = read('1', [2, 3], 'copy', 'b, life 1');
  assert.equal(outcome(write('1', [0, 1]), before, read(null, [4, 5], 'copy', 'b, life 2')), 'holds');
});

test('each key is judged by itself, and named', () => {
  const other = { ...write('1', [0, 1]), key: 'other' };
  const found = registerViolations([write('1', [0, 1]), other, { ...read(null, [2, 3], 'truth'), key: 'other' }]);
  assert.equal(found.length, 1);
  assert.match(
    found[0]!,
    /^other: read of the truth nothing by a \(called 2, answered 3\), with 2 of 2 answers, fits no order/,
  );
});

test('a search that is too long is told as undecided, which counts as a violation', () => {
  const many = Array.from({ length: 24 }, (_, i) => write(`${i}`, [0, 100], `w${i}`));
  // Each is read twice, in an order that no order of writes allows.
  const reads = many.flatMap((_, i) => [
    read(`${i}`, [200 + i, 200.5 + i], 'truth'),
    read(`${i}`, [400 + i, 400.5 + i], 'truth'),
  ]);
  assert.equal(judgeRegister([...many, ...reads], 500).outcome, 'undecided');
  assert.equal(registerViolations([...many, ...reads], 500).length, 1);
});

/** A register that is right by construction: each operation takes effect at one moment between its call and its answer. */
const anyHistory = fc
  .array(
    fc.record({
      kind: fc.constantFrom('write' as const, 'remove' as const, 'swap' as const, 'truth' as const, 'copy' as const),
      session: fc.constantFrom('a', 'b', 'c'),
      at: fc.integer({ min: 0, max: 400 }),
      before: fc.integer({ min: 1, max: 60 }),
      after: fc.integer({ min: 1, max: 60 }),
      isAnswered: fc.boolean(),
      isLucky: fc.boolean(),
    }),
    { maxLength: 60 },
  )
  .map((drawn) => {
    const operations: RegisterOperation[] = [];
    const held = ['none'];
    let value: string | null = null;
    for (const [i, one] of drawn.toSorted((a, b) => a.at - b.at).entries()) {
      // Moments that differ, so that the order of effects is the one that was drawn.
      const at = one.at + i / 1000;
      const common = { key: 'k', session: one.session, calledAt: at - one.before, answeredAt: at + one.after };
      const unanswered = { ...common, answeredAt: one.isAnswered ? common.answeredAt : undefined };
      const own = `${i}`;
      if (one.kind === 'truth' || one.kind === 'copy') {
        operations.push({ ...common, kind: 'read', of: one.kind, value });
      } else if (one.kind === 'swap') {
        const expected: string | null = one.isLucky ? value : 'what nobody wrote';
        operations.push({ ...unanswered, kind: 'swap', expected, value: own, isDone: one.isLucky });
        if (one.isLucky) value = own;
      } else {
        value = one.kind === 'write' ? own : null;
        operations.push({ ...unanswered, kind: 'write', value });
      }
      held.push(`${value}`);
    }
    return operations;
  });

test('any history of a register that works holds', () => {
  fc.assert(fc.property(anyHistory, (operations) => judgeRegister(operations).outcome === 'holds'));
});

test('and with one answer replaced by an older one it never passes where the replaced one is alone', () => {
  fc.assert(
    fc.property(anyHistory, (operations) => {
      const end = 10_000;
      const last = write('last', [end, end + 1]);
      const lost = [
        ...operations,
        last,
        read('last', [end + 2, end + 3], 'truth'),
        read(null, [end + 4, end + 5], 'truth'),
      ];
      const known = lost.filter((one) => one.answeredAt !== undefined);
      return judgeRegister(known).outcome === 'violated';
    }),
  );
});
