import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ProbeTarget, targetId } from './target.ts';
import { NO_TARGETS_KNOWN, type TargetChanges, TargetFollower } from './target-changes.ts';

const target = (key: string): ProbeTarget => ({
  ...{ service: 's', key, ip: '10.0.0.1', port: 80 },
  ...{ check: { kind: 'TCP' }, healthy: true },
});
const page = (more: Partial<TargetChanges>): TargetChanges => ({
  ...{ epoch: 'e', version: 1, base: 1, isFresh: false, put: [], removed: [], isMore: false, count: 0 },
  ...more,
});

function following() {
  const held = new Set<string>();
  const log: string[] = [];
  const follower = new TargetFollower({
    put: (one) => {
      held.add(targetId(one));
      log.push(`put ${one.key}`);
    },
    remove: (id) => {
      held.delete(id);
      log.push(`remove ${id}`);
    },
  });
  return { follower, log, held };
}

test('what is no longer told when everything is told anew leaves at the end of it, the rest is never taken away', () => {
  const { follower, log, held } = following();
  follower.take(page({ isFresh: true, put: [target('a'), target('b'), target('c')], count: 3, version: 3 }));
  assert.deepEqual(follower.known, { epoch: 'e', version: 3, base: 1 });
  log.length = 0;
  follower.take(page({ epoch: 'f', isFresh: true, put: [target('c')], isMore: true, count: 2 }));
  assert.equal(held.size, 3);
  follower.take(page({ epoch: 'f', put: [target('d')], count: 2, version: 2 }));
  assert.deepEqual([...held].sort(), ['s##c', 's##d']);
  assert.deepEqual(log, ['put c', 'put d', 'remove s##a', 'remove s##b']);
});

test('a count that does not agree means that everything has to be told anew', () => {
  const { follower } = following();
  follower.take(page({ isFresh: true, put: [target('a')], count: 2 }));
  assert.deepEqual(follower.known, NO_TARGETS_KNOWN);
  follower.take(page({ isFresh: true, put: [target('a'), target('b')], count: 2 }));
  assert.equal(follower.known.epoch, 'e');
});

test('an answer that was under way does not undo the wish to be told everything', () => {
  const { follower } = following();
  follower.take(page({ isFresh: true, put: [target('a')], count: 1 }));
  follower.forgetVersion();
  follower.take(page({ put: [target('b')], count: 2, version: 2 }));
  assert.deepEqual(follower.known, NO_TARGETS_KNOWN);
});
