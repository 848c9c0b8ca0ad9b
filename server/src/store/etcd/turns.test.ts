import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from '@nacos-kube/core/host/host.ts';
import { Patience } from './client.ts';
import { Slots, Turns } from './turns.ts';

describe('writes of one process', () => {
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

  it('take turns in order for the same names, and go at once for others', async () => {
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

  it('lose patience in a wait only behind one that failed', async () => {
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

  it('go so many at once, and wait without losing patience while others go well', async () => {
    const slots = new Slots(2);
    const works = Array.from({ length: 5 }, work);
    const patiences = works.map(patience);
    const ends = Promise.allSettled(works.map((one, i) => slots.take(patiences[i]!, one.begin)));
    const begun = async () => {
      await settled();
      return works.filter((one) => one.isBegun()).length;
    };
    assert.equal(await begun(), 2);
    nowMs += 2500;
    works[1]!.resolve('');
    assert.equal(await begun(), 3);
    assert.equal(patiences[2]!.leftMs, 3000);
    works[0]!.reject(new Error('it hangs'));
    assert.equal(await begun(), 4);
    assert.equal(patiences[3]!.leftMs, 500);
    for (const one of works) one.resolve('');
    assert.equal(await begun(), 5);
    await ends;
    // All that were taken are free again.
    const more = Array.from({ length: 3 }, work);
    const last = more.map((one) => slots.take(patience(), one.begin));
    await settled();
    assert.deepEqual(
      more.map((one) => one.isBegun()),
      [true, true, false],
    );
    for (const one of more) one.resolve('');
    await Promise.all(last);
  });
});
