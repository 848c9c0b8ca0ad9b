import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type Question,
  type SaidStanding,
  SentinelVotes,
  type Standing,
  standingFrom,
  standingInCluster,
  standingWithSentinel,
} from './standing.ts';

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
      const replicas = [it1, '10.0.0.3:6379'];
      const view = { watched, flags: flags.split(','), named, replicas, id: 's1', elected: 's2' };
      const said = { standing: expected, replicas: ['10.0.0.3:6379'], id: 's1', awaits: 's2' };
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

  it('is not known from those that have elected one who is not heard', async () => {
    const says = (id: string, standing: Standing, awaits?: string): Question => ({
      ...{ isSlow: false, answer: Promise.resolve({ standing, replicas: [], id, awaits }) },
    });
    const of = async (...asked: Question[]) => (await standingFrom(asked, 2)).standing;
    assert.equal(await of(says('1', 'master', '3'), says('2', 'master')), 'unknown');
    assert.equal(await of(says('1', 'master', '3'), says('2', 'master'), says('3', 'unknown')), 'unknown');
    assert.equal(await of(says('1', 'master', '3'), says('2', 'master'), says('3', 'master', '3')), 'master');
    assert.equal(await of(says('1', 'master', '3'), says('2', 'master'), says('3', 'doubted', '3')), 'doubted');
    assert.equal(await of(says('1', 'master', '2'), says('2', 'master')), 'master');
  });

  it('knows a vote for a fail-over that may still go on from one that is over', () => {
    const votes = new SentinelVotes();
    const vote = { leader: 'l', epoch: 5, configEpoch: 4, failoverTimeoutMs: 180_000 };
    assert.equal(votes.elected('s1', { ...vote, leader: '*' }, 1000), undefined, 'it has heard of its success');
    assert.equal(votes.elected('s1', { ...vote, configEpoch: 5 }, 1000), undefined, 'so it has here');
    assert.equal(votes.elected('s1', vote, 1000), 'l');
    assert.equal(votes.elected('s1', vote, 376_000), 'l');
    assert.equal(votes.elected('s1', vote, 376_001), undefined, 'it was given up');
    assert.equal(votes.elected('s2', vote, 376_001), 'l', 'as far as is known of another');
    assert.equal(votes.elected('s1', { ...vote, epoch: 6 }, 400_000), 'l');
  });

  it('is that of a node of a Redis Cluster that the others reach', () => {
    const nodes = (flags: string) =>
      [
        `a 10.0.0.1:7000@17000 ${flags} - 0 1 5 connected 0-5460`,
        'b 10.0.0.2:7000@17000,b.redis myself,master - 0 1 6 connected 5461-16383',
        'a1 10.0.0.3:7000@17000,,shard-id=x slave a 0 1 5 connected',
        'a2 fd00::4:7000@17000 slave,fail a 0 1 5 disconnected',
        'b1 10.0.0.5:7000@17000 slave b 0 1 6 connected',
        '',
      ].join('\n');
    const replicas = ['10.0.0.3:7000', '[fd00::4]:7000'];
    const of = (owner: string, flags: string) =>
      standingInCluster('a', { owner, replicas: ['10.0.0.3:7000'], nodes: nodes(flags) });
    assert.deepEqual(of('a', 'master'), { standing: 'master', replicas });
    assert.deepEqual(of('a1', 'master'), { standing: 'doubted', replicas });
    // Most have voted for a replica, maybe, or this one alone does not reach it.
    assert.deepEqual(of('a', 'master,fail'), { standing: 'doubted', replicas });
    assert.deepEqual(of('a', 'master,fail?'), { standing: 'unknown', replicas });
    // Where only the slots may be asked for.
    const slots = { replicas: ['10.0.0.3:7000'], nodes: '' };
    assert.deepEqual(standingInCluster('a', { owner: 'a', ...slots }), {
      standing: 'master',
      ...{ replicas: slots.replicas },
    });
    assert.equal(standingInCluster('a', { owner: 'a1', ...slots }).standing, 'doubted');
  });
});
