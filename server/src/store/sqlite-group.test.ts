import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { SqliteGroups } from './sqlite-group.ts';
import type { WriteCommand, WriteOutcome } from './sqlite-messages.ts';
import { type PackedResults, type PackedWrites, packResults, unpackWrites } from './sqlite-packed.ts';
import { BusyError, type SqliteThread } from './sqlite-thread.ts';

interface Asked {
  readonly round: number;
  readonly keys: readonly string[];
  answer(results?: readonly WriteOutcome[]): void;
  refuse(error: Error): void;
}

function setUp(endOfTurn = () => Promise.resolve()) {
  const host = new FakeHost();
  const asked: Asked[] = [];
  const pauses: (() => void)[] = [];
  const thread = {
    askOnce(_call: 'write', round: number, packed: PackedWrites): Promise<PackedResults> {
      const { promise, resolve, reject } = Promise.withResolvers<PackedResults>();
      const keys = unpackWrites(packed).map((command) => (command.op === 'remove-record' ? command.key : '?'));
      const answer = (results = keys.map((_, i) => written(i + 1))) =>
        resolve({ transactions: 1, results: packResults(results) });
      asked.push({ round, keys, answer, refuse: reject });
      return promise;
    },
    endOfTurn,
    pause: () => new Promise<void>((resolve) => pauses.push(resolve)),
  };
  const groups = new SqliteGroups(host, thread as unknown as SqliteThread, '/store.sqlite');
  const told: string[] = [];
  const write = (from: number, to = from) => {
    for (let n = from; n <= to; n += 1) {
      const command: WriteCommand = { op: 'remove-record', kind: 'switch', key: `${n}` };
      groups.write(command, 10).then(
        (result) => told.push(`${n} ${result.outcome}`),
        (error: Error) => told.push(`${n} ${error.message}`),
      );
    }
  };
  return { host, asked, pauses, write, told };
}

function written(revision: number): WriteOutcome {
  return { outcome: 'written', revision, changes: 1 };
}

const names = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`);

test('a few share the next transaction, many are handed over while one is under way, though not without a bound', async () => {
  const { host, asked, write, told } = setUp();
  write(0);
  await host.advance(0);
  write(1, 95);
  await host.advance(0);
  assert.deepEqual(
    asked.map(({ keys }) => keys),
    [['0']],
  );
  write(96);
  await host.advance(0);
  assert.deepEqual(asked[1]!.keys, names(1, 96));
  for (let n = 97; n < 433; n += 96) {
    write(n, n + 95);
    await host.advance(0);
  }
  assert.equal(asked.length, 2);
  assert.deepEqual(told, []);
  asked[0]!.answer();
  await host.advance(0);
  assert.deepEqual(told, ['0 written']);
  assert.deepEqual(asked[2]!.keys, names(97, 352));
});

test('many do not wait for the end of the turn in which they come', async () => {
  const turn = Promise.withResolvers<void>();
  const { host, asked, write } = setUp(() => turn.promise);
  write(0, 193);
  assert.deepEqual(
    asked.map(({ keys }) => keys),
    [names(0, 95), names(96, 191)],
  );
  asked[0]!.answer();
  asked[1]!.answer();
  turn.resolve();
  await host.advance(0);
  assert.deepEqual(asked[2]!.keys, names(192, 193));
});

test('writes of several connections that come in one turn are one group', async () => {
  const turn = Promise.withResolvers<void>();
  const { host, asked, write } = setUp(() => turn.promise);
  write(0);
  await host.advance(0);
  write(1, 2);
  await host.advance(0);
  assert.equal(asked.length, 0);
  turn.resolve();
  await host.advance(0);
  assert.deepEqual(
    asked.map(({ keys }) => keys),
    [['0', '1', '2']],
  );
});

test('what met a lock is done before what came after it, in its order, and before what comes meanwhile', async () => {
  const { host, asked, pauses, write, told } = setUp();
  write(0);
  await host.advance(0);
  write(1, 96);
  await host.advance(0);
  asked[0]!.refuse(new BusyError('held'));
  await host.advance(0);
  write(97, 199);
  await host.advance(0);
  assert.equal(asked.length, 2, 'nothing begins before all that were handed over are back');
  asked[1]!.refuse(new BusyError('held'));
  await host.advance(0);
  assert.deepEqual([asked.length, pauses.length], [2, 1]);
  pauses[0]!();
  await host.advance(0);
  assert.equal(asked.length, 3);
  assert.deepEqual(asked[2]!.keys, names(0, 199));
  assert.notEqual(asked[2]!.round, asked[0]!.round);
  asked[2]!.answer();
  await host.advance(0);
  assert.deepEqual(
    told,
    names(0, 199).map((n) => `${n} written`),
  );
});

test('one that waits for a lock too long is told so and is not done after that', async () => {
  const { host, asked, pauses, write, told } = setUp();
  write(0);
  await host.advance(0);
  asked[0]!.refuse(new BusyError('held'));
  await host.advance(10_000);
  assert.equal(told.length, 1);
  assert.match(told[0]!, /no commit within/);
  write(1);
  pauses[0]!();
  await host.advance(0);
  assert.deepEqual(asked[1]!.keys, ['1']);
});

test('a write that was refused is told so, and those beside it what became of them', async () => {
  const { host, asked, write, told } = setUp();
  write(0, 2);
  await host.advance(0);
  const failure = { kind: 'unavailable', message: 'it failed' } as const;
  asked[0]!.answer([written(7), { outcome: 'refused', failure }, written(8)]);
  await host.advance(0);
  assert.deepEqual(told, ['0 written', '1 it failed', '2 written']);
});

test('a failure is told to all of its group and to no other', async () => {
  const { host, asked, write, told } = setUp();
  write(0, 1);
  await host.advance(0);
  write(2);
  asked[0]!.refuse(new Error('gone'));
  await host.advance(0);
  asked[1]!.answer();
  await host.advance(0);
  assert.deepEqual(told, ['0 gone', '1 gone', '2 written']);
});
