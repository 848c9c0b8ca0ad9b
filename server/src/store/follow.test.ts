import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFakeHost } from '../config/fake-host.ts';
import { ATTEMPTS_BEFORE_REREAD, type FeedReader, PENDING_CHANGES_MAX } from './feed-delivery.ts';
import { FOLLOW_PERIOD_MS, Follower } from './follow.ts';
import { createMemoryDatabase, createMemoryStore } from './memory.ts';
import type { Change, RecordKind } from './store.ts';

test('a reader first reads everything, then is told of changes in their order', async () => {
  const { follower, store, host } = await setUp();
  await put(store, 'service', 'before');
  const reader = new Recorder(['service']);
  follower.start();
  follower.subscribe(reader);
  await host.advance(0);
  assert.deepEqual(reader.told, ['reread 1']);
  await put(store, 'service', 'a');
  await put(store, 'service', 'b');
  await store.removeRecord('service', 'a');
  await host.advance(100);
  assert.deepEqual(reader.told, ['reread 1', 'service a', 'service b', 'service a gone']);
});

test('a reader is told of its own kinds only, and its place moves on over the others', async () => {
  const { follower, store, host } = await setUp();
  const reader = new Recorder(['instance', 'namespace']);
  const subscription = follower.subscribe(reader);
  follower.start();
  await host.advance(0);
  await put(store, 'service', 's');
  await put(store, 'namespace', 'n');
  await put(store, 'switch', 'w');
  await host.advance(100);
  assert.deepEqual(reader.told, ['reread 0', 'namespace n']);
  assert.equal(subscription.revision, 3);
  assert.equal(follower.metrics().behind, 0);
});

test('without any hint a change is found within 2 s', async () => {
  const { follower, store, host } = await setUp({ withHints: false });
  const reader = new Recorder(['service']);
  follower.subscribe(reader);
  follower.start();
  await host.advance(0);
  await put(store, 'service', 'a');
  await host.advance(FOLLOW_PERIOD_MS - 1);
  assert.deepEqual(reader.told, ['reread 0']);
  await host.advance(1);
  assert.deepEqual(reader.told, ['reread 0', 'service a']);
});

test('a peer’s hint is followed at once, one about what is known asks nothing', async () => {
  const { follower, store, host } = await setUp({ withHints: false });
  const reader = new Recorder(['service']);
  follower.subscribe(reader);
  follower.start();
  await host.advance(0);
  await put(store, 'service', 'a');
  follower.hinted(1);
  await host.advance(0);
  assert.deepEqual(reader.told, ['reread 0', 'service a']);
  await put(store, 'service', 'b');
  follower.hinted(1);
  await host.advance(0);
  assert.equal(reader.told.length, 2);
});

test('a hinted revision that cannot be read yet is asked for again soon, and not for ever', async () => {
  const { follower, store, host } = await setUp({ withHints: false });
  const reader = new Recorder(['service']);
  follower.subscribe(reader);
  follower.start();
  await host.advance(0);
  follower.hinted(1);
  await host.advance(50);
  await put(store, 'service', 'late');
  await host.advance(100);
  assert.deepEqual(reader.told, ['reread 0', 'service late']);
  follower.hinted(1_000_000);
  await host.advance(10_000);
  assert.equal(follower.metrics().behind, 0);
});

test('an outage is waited out with growing pauses, and nothing is missed', async () => {
  const { follower, store, host, calls } = await setUp();
  const reader = new Recorder(['service']);
  follower.subscribe(reader);
  follower.start();
  await host.advance(0);
  await put(store, 'service', 'a');
  store.faults.down = 'unavailable';
  await host.advance(60_000);
  assert.ok(calls.changes < 25, `${calls.changes} attempts in a minute`);
  assert.equal(host.warnings.length, 1);
  store.faults.down = undefined;
  await host.advance(5_000);
  assert.deepEqual(reader.told, ['reread 0', 'service a']);
});

test('a node that starts without the store says so to its readers, and they read once it is there', async () => {
  const { follower, store, host } = await setUp();
  store.faults.down = 'unavailable';
  const reader = new Recorder(['service']);
  const subscription = follower.subscribe(reader);
  follower.start();
  assert.equal(await subscription.attempted, 'failed');
  assert.equal(await follower.subscribe(new Recorder(['switch'])).attempted, 'failed');
  await host.advance(30_000);
  assert.deepEqual(reader.told, []);
  store.faults.down = undefined;
  await host.advance(5_000);
  assert.deepEqual(reader.told, ['reread 0']);
});

test('a gap has everything read again', async () => {
  const { follower, store, host } = await setUp({ changesKept: 3 });
  const reader = new Recorder(['service']);
  follower.subscribe(reader);
  follower.start();
  await host.advance(0);
  store.faults.down = 'unavailable';
  await host.advance(3_000);
  store.faults.down = undefined;
  for (const key of ['a', 'b', 'c', 'd', 'e']) await put(store, 'service', key);
  await host.advance(5_000);
  assert.deepEqual(reader.told, ['reread 0', 'reread 5']);
  assert.equal(follower.metrics().gaps, 1);
});

test('revisions that went back, as after a restored database, have everything read again', async () => {
  const first = await setUp();
  for (const key of ['a', 'b', 'c']) await put(first.store, 'service', key);
  const reader = new Recorder(['service']);
  first.follower.subscribe(reader);
  first.follower.start();
  await first.host.advance(0);
  first.replace();
  await first.host.advance(FOLLOW_PERIOD_MS);
  assert.deepEqual(reader.told, ['reread 3', 'reread 0']);
});

test('a reader that fails is told again, and holds up no other', async () => {
  const { follower, store, host } = await setUp();
  const failing = new Recorder(['service']);
  const other = new Recorder(['service']);
  follower.subscribe(failing);
  follower.subscribe(other);
  follower.start();
  await host.advance(0);
  failing.fails = 2;
  await put(store, 'service', 'a');
  await host.advance(100);
  assert.deepEqual(other.told, ['reread 0', 'service a']);
  assert.ok(follower.metrics().behind > 0);
  await host.advance(2_000);
  assert.deepEqual(failing.told, ['reread 0', 'failed', 'failed', 'service a']);
  assert.equal(follower.metrics().behind, 0);
});

test('changes that a reader keeps refusing are replaced by a full read', async () => {
  const { follower, store, host } = await setUp();
  const reader = new Recorder(['service']);
  follower.subscribe(reader);
  follower.start();
  await host.advance(0);
  reader.fails = ATTEMPTS_BEFORE_REREAD;
  await put(store, 'service', 'a');
  await host.advance(30_000);
  assert.equal(reader.told.at(-1), 'reread 1');
});

test('a reader too far behind is given a full read in place of a queue without bound', async () => {
  const { follower, store, host } = await setUp();
  const reader = new Recorder(['service']);
  follower.subscribe(reader);
  follower.start();
  await host.advance(0);
  reader.hold = Promise.withResolvers<void>();
  for (let i = 0; i < PENDING_CHANGES_MAX + 100; i += 1) await put(store, 'service', `s${i}`);
  await host.advance(1_000);
  reader.hold.resolve();
  reader.hold = undefined;
  await host.advance(1_000);
  assert.equal(reader.told.at(-1), `reread ${PENDING_CHANGES_MAX + 100}`);
  assert.equal(follower.metrics().behind, 0);
});

class Recorder implements FeedReader {
  readonly name = 'recorder';
  readonly kinds: FeedReader['kinds'];
  readonly told: string[] = [];
  fails = 0;
  hold: PromiseWithResolvers<void> | undefined;

  constructor(kinds: FeedReader['kinds']) {
    this.kinds = kinds;
  }

  async reread(revision: number): Promise<void> {
    this.told.push(`reread ${revision}`);
  }

  async apply(changes: readonly Change[]): Promise<void> {
    await this.hold?.promise;
    if (this.fails > 0) {
      this.fails -= 1;
      this.told.push('failed');
      throw new Error('refused');
    }
    for (const { what, removed } of changes) this.told.push(`${what.kind} ${what.key}${removed ? ' gone' : ''}`);
  }
}

async function setUp(options: { withHints?: boolean; changesKept?: number } = {}) {
  const host = createFakeHost();
  const { changesKept } = options;
  const make = () => createMemoryStore(host, createMemoryDatabase(changesKept === undefined ? {} : { changesKept }));
  const store = make();
  await store.start();
  const replacement = make();
  await replacement.start();
  let current = store;
  const calls = { changes: 0 };
  const seen = new Proxy(store, {
    get(_, name) {
      if (name === 'changes') calls.changes += 1;
      if (name === 'onHint' && options.withHints === false) return () => undefined;
      const value = current[name as keyof typeof store];
      return typeof value === 'function' ? value.bind(current) : value;
    },
  });
  const replace = () => {
    current = replacement;
  };
  return { host, store, calls, replace, follower: new Follower(host, seen) };
}

function put(
  store: { putRecord(r: { kind: RecordKind; key: string; value: string }): unknown },
  kind: RecordKind,
  key: string,
) {
  return store.putRecord({ kind, key, value: JSON.stringify({ id: key, name: key, description: '' }) });
}
