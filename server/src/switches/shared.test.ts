import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_SWITCHES } from '@nacos-kube/core/model/switches.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { Follower } from '../store/follow.ts';
import { createMemoryDatabase, createMemoryStore } from '../store/memory.ts';
import { SharedSwitches } from './shared.ts';
import { SwitchBoard } from './switches.ts';

async function member(host: FakeHost, database = createMemoryDatabase()) {
  const store = createMemoryStore(host, database);
  await store.start();
  const board = new SwitchBoard();
  const shared = new SharedSwitches(host, store, board);
  const follower = new Follower(host, store);
  follower.subscribe(shared.feedReader);
  follower.start();
  await host.advance(100);
  return { board, shared, database };
}

test('a switch holds on the member that was asked at once, on the others by the feed, and after a restart', async () => {
  const host = new FakeHost();
  const one = await member(host);
  const two = await member(host, one.database);
  const changing = one.shared.change('check', 'false');
  await host.advance(10);
  assert.equal(await changing, true);
  assert.equal(one.board.current.healthCheckEnabled, false);
  await host.advance(2_100);
  assert.deepEqual(two.board.current, { ...DEFAULT_SWITCHES, healthCheckEnabled: false });
  const three = await member(host, one.database);
  assert.equal(three.board.current.healthCheckEnabled, false);
});

test('a member that has not heard of the last switch yet undoes nothing of it', async () => {
  const host = new FakeHost();
  const one = await member(host);
  const two = await member(host, one.database);
  const first = one.shared.change('check', 'false');
  await host.advance(10);
  await first;
  assert.equal(two.board.current.healthCheckEnabled, true);
  const second = two.shared.change('healthCheckTimes', '7');
  await host.advance(10);
  await second;
  await host.advance(2_100);
  const expected = { ...DEFAULT_SWITCHES, healthCheckEnabled: false, checkTimes: 7 };
  assert.deepEqual([one.board.current, two.board.current], [expected, expected]);
});

test('what was switched on one member alone ends with the next switch for all, even one that changes nothing', async () => {
  const host = new FakeHost();
  const one = await member(host);
  const two = await member(host, one.database);
  const first = one.shared.change('healthCheckTimes', '3');
  await host.advance(2_100);
  await first;
  assert.equal(two.shared.changeHere('check', 'false'), true);
  assert.deepEqual([one.board.current.healthCheckEnabled, two.board.current.healthCheckEnabled], [true, false]);
  await host.advance(30_000);
  assert.equal(two.board.current.healthCheckEnabled, false);
  const again = one.shared.change('healthCheckTimes', '3');
  await host.advance(2_100);
  await again;
  assert.equal(two.board.current.healthCheckEnabled, true);
});

test('a refused value and an unknown entry change nothing', async () => {
  const host = new FakeHost();
  const { board, shared } = await member(host);
  await assert.rejects(async () => {
    const changing = shared.change('healthCheckTimes', 'many');
    await host.advance(10);
    await changing;
  }, /For input string/);
  const unknown = shared.change('nothing', '1');
  await host.advance(10);
  assert.equal(await unknown, false);
  assert.throws(() => shared.changeHere('check', 'maybe'), /true or false/);
  assert.equal(board.current, DEFAULT_SWITCHES);
});

test('a stored record that is damaged leaves the switches as they are', async () => {
  const host = new FakeHost();
  const database = createMemoryDatabase();
  const store = createMemoryStore(host, database);
  await store.start();
  const put = store.putRecord({ kind: 'switch', key: 'switches', value: '{"checkTimes":"many"}' });
  await host.advance(10);
  await put;
  const { board } = await member(host, database);
  assert.equal(board.current, DEFAULT_SWITCHES);
  assert.equal(
    host.log.lines.some((line) => line.includes('a row of switches in the store is not readable')),
    true,
  );
});
