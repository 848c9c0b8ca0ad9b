import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeMemberList } from '@nacos-kube/core/model/member-list.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { createListSource, ownAddress } from './list-source.ts';
import type { ListInForce } from './machine.ts';

const SELF = '10.0.0.1:8848';
const PATH = '/data/conf/cluster.conf';
const list = (generation: number, ...others: string[]) => encodeMemberList({ generation, members: [SELF, ...others] });

async function started(content?: string) {
  const host = new FakeHost();
  if (content !== undefined) host.disk.put(PATH, content);
  const source = createListSource(host, SELF, { kind: 'file', path: PATH });
  const obeyed: ListInForce[] = [];
  source.start((one) => obeyed.push(one));
  await host.advance(0);
  return { host, source, obeyed, generations: () => obeyed.map(({ generation }) => generation) };
}

test('a list that is there is obeyed at the start, a changed one within half a second', async () => {
  const { host, source, generations } = await started(list(1));
  assert.deepEqual(generations(), [1]);
  host.disk.put(PATH, list(2, '10.0.0.2:8848'));
  await host.advance(500);
  assert.deepEqual(generations(), [1, 2]);
  assert.deepEqual([source.refusals, source.lastRefusal], [0, undefined]);
});

test('a file that is missing at the start is waited for', async () => {
  const { host, source, generations } = await started();
  assert.deepEqual(generations(), []);
  assert.match(source.lastRefusal ?? '', /does not exist/);
  host.disk.put(PATH, list(1));
  await host.advance(500);
  assert.deepEqual(generations(), [1]);
  assert.equal(source.lastRefusal, undefined);
});

test('a damaged file keeps the list in force, says so once, and is forgotten when it is whole again', async () => {
  const { host, source, generations } = await started(list(1));
  for (let round = 0; round < 3; round++) {
    host.disk.put(PATH, list(2).slice(0, 40));
    await host.advance(1_000);
  }
  assert.deepEqual(generations(), [1]);
  assert.equal(source.refusals, 1);
  assert.match(source.lastRefusal ?? '', /newline/);
  assert.equal(host.log.lines.filter((line) => line.startsWith('warn')).length, 1);
  host.disk.put(PATH, list(2));
  await host.advance(1_000);
  assert.deepEqual(generations(), [1, 2]);
  assert.equal(source.lastRefusal, undefined);
});

test('a file that disappears keeps the list in force', async () => {
  const { host, source, generations } = await started(list(1));
  await host.disk.remove(PATH);
  await host.advance(1_000);
  assert.deepEqual(generations(), [1]);
  assert.match(source.lastRefusal ?? '', /does not exist/);
});

test('a change in the middle of constant changes is not put off for ever', async () => {
  const { host, generations } = await started(list(1));
  host.disk.put(PATH, list(2));
  for (let i = 0; i < 10; i++) {
    host.disk.put('/data/conf/other', String(i));
    await host.advance(100);
  }
  assert.deepEqual(generations(), [1, 2]);
});

test('after the stop nothing is obeyed', async () => {
  const { host, source, generations } = await started(list(1));
  host.disk.put(PATH, list(2));
  source.stop();
  await host.advance(5_000);
  assert.deepEqual(generations(), [1]);
});

test('given members are taken once each, with the default port', () => {
  const obeyed: ListInForce[] = [];
  const source = createListSource(new FakeHost(), SELF, { kind: 'given', members: ['10.0.0.1', 'b:8850', 'b:8850'] });
  source.start((one) => obeyed.push(one));
  assert.deepEqual(obeyed[0]?.members, [SELF, 'b:8850']);
});

test('given members without this node, or that are none, end the start with what is wrong', () => {
  const given = (...members: string[]) => createListSource(new FakeHost(), SELF, { kind: 'given', members });
  assert.throws(() => given('10.0.0.2'), /this node, 10.0.0.1:8848, is not among them/);
  assert.throws(() => given(SELF, '10.0.0.2:88480'), /no host:port/);
  assert.throws(() => given(SELF, '10.0.0.2:80'), /no host:port/);
  assert.throws(() => given(...Array.from({ length: 65 }, (_, i) => `10.0.1.${i}`)), /64 are the most/);
});

test('the own address is written as in a list', () => {
  assert.equal(ownAddress('node-1'), 'node-1:8848');
  assert.throws(() => ownAddress('10.0.0.300:8848'), /no host:port/);
  assert.throws(() => ownAddress('10.0.0.3:900'), /no port for peers/);
});
