import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Standing, standingFrom, standingWithSentinel } from './standing.ts';

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
      const view = { watched, flags: flags.split(','), named, replicas: 1 };
      assert.equal(standingWithSentinel(it1, view), expected, JSON.stringify(view));
      const alone = standingWithSentinel(it1, { ...view, replicas: 0 });
      assert.equal(alone, expected === 'master' && watched === it1 ? 'alone' : expected);
    }
  });

  it('is what enough say and nobody doubts, and is clear with the first doubt', async () => {
    const hangs = new Promise<Standing>(() => undefined);
    const says = async (standing: Standing) => standing;
    const fails = async (): Promise<Standing> => Promise.reject(new Error('cut off'));
    assert.equal(await standingFrom([says('master'), says('master'), fails()], 2), 'master');
    assert.equal(await standingFrom([says('master'), says('unknown'), fails()], 2), 'unknown');
    assert.equal(await standingFrom([says('master'), says('doubted'), hangs], 2), 'doubted');
    assert.equal(await standingFrom([says('alone'), says('alone'), fails()], 2), 'alone');
    assert.equal(await standingFrom([says('alone'), says('alone'), says('master')], 2), 'master');
  });
});
