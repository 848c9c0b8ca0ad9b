import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from '@nacos-kube/core/host/host.ts';
import { Patience } from './client.ts';
import { Turns } from './turns.ts';

describe('turns of writes', () => {
  let nowMs = 0;
  const patience = () => new Patience({ monotonic: () => nowMs } as Clock, 5000);
  const work = () => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    let isBegun = false;
    const begin = () => {
      isBegun = true;
      return promise;
    };
    return { begin, resolve, reject, isBegun: () => isBegun };
  };
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  it('come in order for the same names, and at once for others', async () => {
    const turns = new Turns();
    const [a, b, both, c] = [work(), work(), work(), work()];
    const ends = [
      turns.take(['a'], patience(), a.begin),
      turns.take(['b'], patience(), b.begin),
      turns.take(['a', 'b'], patience(), both.begin),
      turns.take(['b'], patience(), c.begin),
    ];
    const begun = async () => {
      await settled();
      return [a, b, both, c].map((one) => one.isBegun());
    };
    assert.deepEqual(await begun(), [true, true, false, false]);
    a.resolve('a');
    assert.deepEqual(await begun(), [true, true, false, false]);
    b.resolve('b');
    assert.deepEqual(await begun(), [true, true, true, false]);
    both.resolve('both');
    assert.deepEqual(await begun(), [true, true, true, true]);
    c.resolve('c');
    assert.deepEqual(await Promise.all(ends), ['a', 'b', 'both', 'c']);
  });

  it('cost patience only behind a write that failed', async () => {
    const turns = new Turns();
    const leftAfter = async (end: (one: ReturnType<typeof work>) => void) => {
      const [one, next, own] = [work(), work(), patience()];
      const ends = Promise.allSettled([turns.take(['a'], patience(), one.begin), turns.take(['a'], own, next.begin)]);
      await settled();
      nowMs += 2000;
      end(one);
      await settled();
      assert.ok(next.isBegun());
      next.resolve('');
      await ends;
      return own.leftMs;
    };
    assert.equal(await leftAfter((one) => one.resolve('')), 3000);
    assert.equal(await leftAfter((one) => one.reject(new Error('it hangs'))), 1000);
    const [first, later, own] = [work(), work(), patience()];
    const ends = [turns.take(['a'], patience(), first.begin), turns.take(['a'], own, later.begin)];
    nowMs += 4500;
    first.resolve('');
    await settled();
    nowMs += 2500;
    assert.equal(own.leftMs, 500);
    own.answered();
    assert.equal(own.leftMs, 2500);
    later.resolve('');
    await Promise.all(ends);
  });
});
