import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeMemberList } from '@nacos-kube/core/model/member-list.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { MemberListKeeper, REPAIR_AFTER_MS } from './keeper.ts';

const FILE = '/run/cluster.conf';
const list = (generation: number, ...hosts: string[]) =>
  encodeMemberList({ generation, members: hosts.map((host) => `${host}:8848`) });

async function keeping(found?: string) {
  const host = new FakeHost();
  if (found !== undefined) host.disk.put(FILE, found);
  const keeper = new MemberListKeeper(host, FILE);
  await keeper.start();
  const offer = async (text: string) => {
    keeper.offer(text, 'test');
    await host.advance(0);
  };
  return { host, keeper, offer, file: () => host.disk.files.get(FILE) };
}

test('a list is written whole and safe from power loss', async () => {
  const { host, keeper, offer, file } = await keeping();
  assert.equal(keeper.generation, undefined);
  await offer(list(1, 'a'));
  assert.equal(file(), list(1, 'a'));
  assert.equal(host.disk.unsynced.has(FILE), false);
  assert.equal(host.disk.modes.get(FILE), 0o644);
  assert.equal(keeper.generation, 1);
});

test('a torn, an older and a foreign list change nothing and are counted (F17)', async () => {
  const { keeper, offer, file } = await keeping(list(5, 'a', 'b', 'c'));
  await offer(list(6, 'a', 'b', 'c').slice(0, -5));
  await offer(list(4, 'a'));
  await offer(list(5, 'a', 'b'));
  await offer('a:8848\n');
  await offer('');
  assert.equal(file(), list(5, 'a', 'b', 'c'));
  assert.deepEqual(Object.fromEntries(keeper.refusals), { damaged: 2, unsealed: 1, older: 1, conflict: 1 });
});

test('what a sidecar before it wrote counts: nothing is written twice', async () => {
  const { host, keeper, offer } = await keeping(list(5, 'a'));
  assert.equal(keeper.generation, 5);
  await offer(list(5, 'a'));
  assert.equal(host.disk.modes.size, 0, 'no write');
});

test('when the disk is full it tries again, with the best list by then', async () => {
  const { host, keeper, offer, file } = await keeping(list(1, 'a'));
  host.disk.fault = 'full';
  await offer(list(2, 'a', 'b'));
  await host.advance(60_000);
  await offer(list(3, 'a', 'b', 'c'));
  await offer(list(2, 'a', 'b'));
  assert.equal(keeper.generation, 1, 'only what is written counts');
  host.disk.fault = undefined;
  await host.advance(40_000);
  assert.equal(file(), list(3, 'a', 'b', 'c'));
  assert.equal(keeper.generation, 3);
  keeper.stop();
});

test('a newer list that comes while one is being written is written after it', async () => {
  const { host, keeper, file } = await keeping();
  keeper.offer(list(1, 'a'), 'test');
  keeper.offer(list(2, 'a', 'b'), 'test');
  keeper.offer(list(3, 'a', 'b', 'c'), 'test');
  await host.advance(0);
  assert.equal(file(), list(3, 'a', 'b', 'c'));
});

test('what somebody else makes of the file is put right, be it torn, foreign, newer or gone', async () => {
  const { host, keeper, offer, file } = await keeping();
  await offer(list(3, 'a', 'b'));
  await host.advance(REPAIR_AFTER_MS);
  assert.equal(keeper.repairs, 0, 'what it wrote itself is no reason');
  for (const text of [list(3, 'a', 'b').slice(0, -4), '', list(3, 'x'), list(9, 'a'), 'a:8848\n']) {
    host.disk.put(FILE, text);
    await host.advance(REPAIR_AFTER_MS);
    assert.equal(file(), list(3, 'a', 'b'));
  }
  await host.disk.remove(FILE);
  await host.advance(REPAIR_AFTER_MS);
  assert.equal(file(), list(3, 'a', 'b'));
  assert.equal(keeper.repairs, 6);
  keeper.stop();
});

test('a file that changes all the time is written once a second at most', async () => {
  const { host, keeper, offer } = await keeping();
  await offer(list(1, 'a'));
  await host.advance(REPAIR_AFTER_MS);
  for (let i = 0; i < 50; i++) {
    host.disk.put(FILE, `torn ${i}`);
    await host.advance(100);
  }
  assert.ok(keeper.repairs <= 5, `${keeper.repairs} repairs in 5 s`);
  keeper.stop();
});

test('a better list that comes while the file is spoilt is what is written', async () => {
  const { host, keeper, offer, file } = await keeping();
  await offer(list(1, 'a'));
  host.disk.put(FILE, 'torn');
  await offer(list(2, 'a', 'b'));
  await host.advance(REPAIR_AFTER_MS);
  assert.equal(file(), list(2, 'a', 'b'));
  keeper.stop();
});

test('what is wrong stands for a second, so that the node sees it, also right after a write', async () => {
  const { host, keeper, offer, file } = await keeping();
  await offer(list(1, 'a'));
  await host.advance(REPAIR_AFTER_MS - 100);
  host.disk.put(FILE, 'torn');
  await host.advance(REPAIR_AFTER_MS - 100);
  assert.equal(file(), 'torn');
  await host.advance(100);
  assert.equal(file(), list(1, 'a'));
  keeper.stop();
});
