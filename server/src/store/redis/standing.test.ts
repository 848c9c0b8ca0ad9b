import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Question, type SaidStanding, type Standing, standingFrom, standingWithSentinel } from './standing.ts';

describe('the standing of a master of Redis', () => {
  it('is that of the master while a Sentinel names it and does not take it for lost', () => {
    const [it1, other] = ['10.0.0.1:6379', '10.0.0.2:6379'];
    const cases: [watched: string, flags: string, named: string | undefined, Standing][] = [
      [it1, 'master', it1, 'master'],
      [it1, 'master', other, 'doubted'],
      [other, 'master', other, 'doubted'],
      [it1, 'master', undefined, 'unknown'],
      // A replica may be the master by now, and has not been seen to be.
      [it1, 'master,failover_in_progress', it1, 'doubted'],
      [it1, 's_down,o_down,master', it1, 'doubted'],
      [it1, 's_down,master', it1, 'unknown'],
      // The new master, while the replicas of the old one are being moved to it.
      [other, 's_down,o_down,master,failover_in_progress', it1, 'master'],
    ];
    for (const [watched, flags, named, expected] of cases) {
      // While the replicas are being moved to it, it is one of those of the old master.
      const view = { watched, flags: flags.split(','), named, replicas: [it1, '10.0.0.3:6379'] };
      const said = { standing: expected, replicas: ['10.0.0.3:6379'] };
      assert.deepEqual(standingWithSentinel(it1, view), said, JSON.stringify(view));
    }
  });

  it('is what enough say and nobody doubts, and is clear with the first doubt', async () => {
    const hangs: Question = { isSlow: false, answer: new Promise<SaidStanding>(() => undefined) };
    const hangsStill = { ...hangs, isSlow: true };
    const says = (standing: Standing, ...replicas: string[]): Question => ({
      ...{ isSlow: false, answer: Promise.resolve({ standing, replicas }) },
    });
    const fails = (): Question => ({ isSlow: false, answer: Promise.reject(new Error('cut off')) });
    const of = async (...asked: Question[]) => {
      const { standing, replicas } = await standingFrom(asked, 2);
      return `${standing}, ${replicas === undefined ? 'not said' : [...replicas].sort().join(' ')}`;
    };
    assert.equal(await of(says('master', 'a'), says('master', 'a'), fails()), 'master, a');
    assert.equal(await of(says('master', 'a'), says('unknown', 'a'), fails()), 'unknown, a');
    assert.equal(await of(says('master', 'a'), says('doubted', 'b'), hangs), 'doubted, not said');
    // A replica that only one knows of may be the next master as well.
    assert.equal(await of(says('master'), says('master', 'a', 'b'), says('unknown', 'c')), 'master, a b c');
    assert.equal(await of(says('unknown', 'a'), fails(), fails()), 'unknown, a');
    assert.equal(await of(fails(), fails(), fails()), 'unknown, not said');
    // One that has not answered for long holds nobody up, unless it is needed.
    assert.equal(await of(says('master', 'a'), hangsStill, says('master', 'a')), 'master, a');
    const slow = { ...says('master', 'b'), isSlow: true };
    assert.equal(await of(says('master', 'a'), fails(), slow), 'master, a b');
    assert.equal(await of(says('unknown'), { ...says('doubted'), isSlow: true }, fails()), 'doubted, not said');
  });
});
