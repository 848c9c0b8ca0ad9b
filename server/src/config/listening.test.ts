import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentMd5 } from '@nacos-kube/core/wire/config.ts';
import { DRAIN_HOLD_MS } from './long-poll.ts';
import { shown, twoNodes } from './node-for-tests.ts';

test('a publish on one node wakes a poll on another, which then reads the new text', async () => {
  const { a, b, host } = await twoNodes();
  await a.publish('d', 'one');
  await host.advance(100);
  const poll = b.listen([['d', contentMd5('one')]]);
  await host.advance(1_000);
  assert.equal(poll.answer, undefined);
  await a.publish('d', 'two');
  await host.advance(100);
  assert.deepEqual(poll.shown(), [200, 'd%02g%01\n']);
  assert.deepEqual(shown(await b.get('d')), [200, 'two']);
});

test('a poll is answered empty at its time, and at once when it must not hang', async () => {
  const { a, host } = await twoNodes();
  await a.publish('d', 'one');
  const held = a.listen([['d', contentMd5('one')]]);
  const quick = a.listen([['d', contentMd5('one')]], { 'long-pulling-timeout-no-hangup': 'true' });
  await host.advance(0);
  assert.deepEqual(quick.shown(), [200, '']);
  await host.advance(29_000);
  assert.equal(held.answer, undefined);
  await host.advance(500);
  assert.deepEqual(held.shown(), [200, '']);
});

test('a poll that comes with another md5 is told all changed keys at once', async () => {
  const { a, host } = await twoNodes();
  await a.publish('d', 'one');
  await a.publish('e', 'one');
  const poll = a.listen([
    ['d', 'old'],
    ['e', contentMd5('one')],
    ['absent', ''],
    ['removed', 'old'],
  ]);
  await host.advance(0);
  assert.deepEqual(poll.shown(), [200, 'd%02g%01removed%02g%01\n']);
});

test('a removal wakes listeners everywhere and reads 404 afterwards, removing again is fine', async () => {
  const { a, b, host } = await twoNodes();
  await a.publish('d', 'one');
  await host.advance(100);
  const polls = [a.listen([['d', contentMd5('one')]]), b.listen([['d', contentMd5('one')]])];
  await host.advance(0);
  assert.deepEqual(shown(await a.remove('d')), [200, 'true']);
  assert.deepEqual(shown(await a.get('d')), [404, 'config data not exist\n']);
  await host.advance(100);
  for (const poll of polls) assert.deepEqual(poll.shown(), [200, 'd%02g%01\n']);
  assert.deepEqual(shown(await b.get('d')), [404, 'config data not exist\n']);
  assert.deepEqual(shown(await b.remove('d')), [200, 'true']);
});

test('10,000 keys are listened to in one poll, and one change among them is told', async () => {
  const { a, host } = await twoNodes();
  await a.publish('d7777', 'one');
  const keys = Array.from({ length: 10_000 }, (_, i): [string, string] => [
    `d${i}`,
    i === 7777 ? contentMd5('one') : '',
  ]);
  const poll = a.listen(keys);
  await host.advance(1_000);
  assert.equal(poll.answer, undefined);
  assert.equal(a.service.metrics()['heldKeys'], 10_000);
  await a.publish('d7777', 'two');
  await host.advance(0);
  assert.deepEqual(poll.shown(), [200, 'd7777%02g%01\n']);
  assert.equal(a.service.metrics()['heldKeys'], 0);
});

test('a client that goes away frees its poll', async () => {
  const { a, host } = await twoNodes();
  const poll = a.listen([['d', '']]);
  await host.advance(0);
  assert.equal(a.service.metrics()['longPolls'], 1);
  poll.goAway();
  assert.equal(a.service.metrics()['longPolls'], 0);
});

test('a node that drains answers every poll, and new ones soon', async () => {
  const { a, host } = await twoNodes();
  const poll = a.listen([['d', '']]);
  await host.advance(0);
  await a.service.drain?.();
  await host.advance(0);
  assert.deepEqual(poll.shown(), [200, '']);
  const next = a.listen([['d', '']]);
  await host.advance(DRAIN_HOLD_MS);
  assert.deepEqual(next.shown(), [200, '']);
});
