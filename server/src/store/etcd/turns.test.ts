import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from '@nacos-kube/core/host/host.ts';
import { Patience } from './client.ts';
import { EtcdFailure } from './failure.ts';
import { Room, Slots, Turns } from './turns.ts';

/** Of a test that takes milliseconds: what is wrong here often waits for ever. */
const TEST_MS_MAX = 10_000;
const LINE_MS_MAX = 60_000;

describe('writes of one process', { timeout: TEST_MS_MAX }, () => {
  let nowMs = 0;
  const answers = { lastMs: 0 };
  const patience = () => new Patience({ monotonic: () => nowMs } as Clock, answers, 5000);
  const answer = () => {
    answers.lastMs = nowMs;
  };
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
    const turns = new Turns(new Room());
    const [a, b, both, c] = [work(), work(), work(), work()];
    const ends = [
      turns.take(['a'], patience(), 0, a.begin),
      turns.take(['b'], patience(), 0, b.begin),
      turns.take(['a', 'b'], patience(), 0, both.begin),
      turns.take(['b'], patience(), 0, c.begin),
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

  it('lose patience in a wait only from the last answer of etcd on, whatever came of the others', async () => {
    const turns = new Turns(new Room());
    const leftAfter = async (end: (one: ReturnType<typeof work>) => void) => {
      const [one, next, own] = [work(), work(), patience()];
      const ends = Promise.allSettled([
        turns.take(['a'], patience(), 0, one.begin),
        turns.take(['a'], own, 0, next.begin),
      ]);
      await settled();
      nowMs += 2000;
      end(one);
      await settled();
      assert.ok(next.isBegun());
      next.resolve('');
      await ends;
      return own.leftMs;
    };
    const answered = leftAfter((one) => {
      answer();
      one.resolve('');
    });
    assert.equal(await answered, 3000);
    const refused = leftAfter((one) => {
      answer();
      one.reject(new Error('others have written the same'));
    });
    assert.equal(await refused, 3000);
    assert.equal(await leftAfter((one) => one.reject(new Error('it hangs'))), 1000);
    const [first, later, own] = [work(), work(), patience()];
    const ends = [turns.take(['a'], patience(), 0, first.begin), turns.take(['a'], own, 0, later.begin)];
    nowMs += 4500;
    answer();
    first.resolve('');
    await settled();
    nowMs += 2500;
    assert.equal(own.leftMs, 500);
    own.answered();
    assert.equal(own.leftMs, 2500);
    later.resolve('');
    await Promise.all(ends);
  });

  it('go so many at once, and wait without losing patience while etcd answers others', async () => {
    const slots = new Slots(new Room(), 2);
    const works = Array.from({ length: 5 }, work);
    const patiences = works.map(patience);
    const ends = Promise.allSettled(works.map((one, i) => slots.take(patiences[i]!, 0, one.begin)));
    const begun = async () => {
      await settled();
      return works.filter((one) => one.isBegun()).length;
    };
    assert.equal(await begun(), 2);
    nowMs += 2500;
    answer();
    works[1]!.resolve('');
    assert.equal(await begun(), 3);
    assert.equal(patiences[2]!.leftMs, 3000);
    works[0]!.reject(new Error('it hangs'));
    assert.equal(await begun(), 4);
    assert.equal(patiences[3]!.leftMs, 3000);
    for (const one of works) one.resolve('');
    assert.equal(await begun(), 5);
    await ends;
    // All that were taken are free again.
    const more = Array.from({ length: 3 }, work);
    const last = more.map((one) => slots.take(patience(), 0, one.begin));
    await settled();
    assert.deepEqual(
      more.map((one) => one.isBegun()),
      [true, true, false],
    );
    for (const one of more) one.resolve('');
    await Promise.all(last);
  });

  /** A line at an etcd that takes 100 ms for two; those that find no time left do not ask it. */
  const runLine = async (count: number, come: (turn: number) => 'answer' | 'fail' | 'hang') => {
    const slots = new Slots(new Room(), 2);
    const seen = { done: 0, failed: 0, late: 0, lateAfterMs: 0 };
    let turn = 0;
    let atEtcd: (() => void)[] = [];
    const ends = Array.from({ length: count }, () => {
      const own = patience();
      const sinceMs = nowMs;
      return slots
        .take(own, 0, async () => {
          const what = come(turn);
          turn += 1;
          while (own.leftMs > 0) {
            await new Promise<void>((resolve) => atEtcd.push(resolve));
            if (what === 'hang') continue;
            own.answered();
            answer();
            if (what === 'fail') throw new Error('others have written the same');
            seen.done += 1;
            return;
          }
          seen.late += 1;
          seen.lateAfterMs = Math.max(seen.lateAfterMs, nowMs - sinceMs);
        })
        .catch(() => {
          seen.failed += 1;
        });
    });
    let isOver = false;
    const all = Promise.all(ends).then(() => {
      isOver = true;
    });
    const sinceMs = nowMs;
    for (await settled(); !isOver; await settled()) {
      assert.ok(nowMs - sinceMs < LINE_MS_MAX, 'the line comes to no end');
      nowMs += 100;
      const asked = atEtcd;
      atEtcd = [];
      for (const go of asked) go();
    }
    await all;
    return seen;
  };

  it('do not fail for one that failed before them', async () => {
    const seen = await runLine(90, (turn) => (turn === 80 ? 'fail' : 'answer'));
    assert.deepEqual(seen, { done: 89, failed: 1, late: 0, lateAfterMs: 0 });
  });

  it('do not fail for one that hung before them while etcd answers others', async () => {
    const seen = await runLine(60, (turn) => (turn === 10 ? 'hang' : 'answer'));
    assert.deepEqual([seen.done, seen.late], [59, 1]);
  });

  it('all fail within 3 s of silence where etcd hangs', async () => {
    const seen = await runLine(90, (turn) => (turn < 20 ? 'answer' : 'hang'));
    assert.deepEqual([seen.done, seen.late], [20, 70]);
    assert.ok(seen.lateAfterMs <= 1000 + 3000, `after ${seen.lateAfterMs} ms`);
  });

  it('are refused as undone when they could begin only 5 s after their call', async () => {
    for (const line of ['turns', 'slots'] as const) {
      const [turns, slots] = [new Turns(new Room()), new Slots(new Room(), 1)];
      const take = (one: ReturnType<typeof work>) =>
        line === 'turns' ? turns.take(['a'], patience(), 0, one.begin) : slots.take(patience(), 0, one.begin);
      const [first, inTime, late, fresh] = [work(), work(), work(), work()];
      const ends = [take(first)];
      const lateEnd = Promise.all([take(inTime), take(late)].map((end) => end.catch((error) => error)));
      nowMs += 5000;
      answer();
      first.resolve('');
      await settled();
      assert.ok(inTime.isBegun());
      const freshEnd = take(fresh);
      nowMs += 1;
      answer();
      inTime.resolve('stored');
      const [stored, error] = await lateEnd;
      assert.equal(stored, 'stored');
      assert.ok(error instanceof EtcdFailure && error.kind === 'unavailable' && !error.mayBeDone);
      assert.match(error.message, /overloaded/);
      assert.equal(late.isBegun(), false);
      await settled();
      assert.ok(fresh.isBegun());
      fresh.resolve('');
      await Promise.all([...ends, freshEnd]);
    }
  });

  it('are refused when what waits in all lines together is too large', async () => {
    const room = new Room(100);
    const [turns, slots] = [new Turns(room), new Slots(room, 1)];
    const [held, waiting, next, small] = [work(), work(), work(), work()];
    // What is under way does not wait.
    const ends = [slots.take(patience(), 1000, held.begin), slots.take(patience(), 60, waiting.begin)];
    ends.push(turns.take(['a'], patience(), 0, next.begin));
    const isOverload = { name: 'EtcdFailure', kind: 'unavailable', mayBeDone: false, message: /overloaded: 60 bytes/ };
    await assert.rejects(slots.take(patience(), 41, small.begin), isOverload);
    await assert.rejects(turns.take(['a'], patience(), 41, small.begin), isOverload);
    ends.push(turns.take(['a'], patience(), 40, async () => 'fits'));
    for (const one of [held, waiting, next]) one.resolve('');
    await Promise.all(ends);
    assert.equal(small.isBegun(), false);
    const last = work();
    const lastEnds = [slots.take(patience(), 0, last.begin), slots.take(patience(), 100, async () => 'fits')];
    last.resolve('');
    await Promise.all(lastEnds);
  });
});
