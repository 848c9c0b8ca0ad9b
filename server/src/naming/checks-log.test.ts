import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ProbeTarget, targetId } from '@nacos-kube/core/probe/target.ts';
import { NO_TARGETS_KNOWN, TargetFollower } from '@nacos-kube/core/probe/target-changes.ts';
import fc from 'fast-check';
import { PAGE_CHARS_MAX, REMOVALS_MAX, TargetLog } from './checks-log.ts';

const target = (key: string, healthy = true): ProbeTarget => ({
  ...{ service: 's', key, ip: '10.0.0.1', port: 80 },
  ...{ check: { kind: 'TCP' }, healthy },
});
const id = (key: string) => targetId({ service: 's', key });

/** Somebody who asks page by page. */
function follow() {
  const held = new Map<string, ProbeTarget>();
  const follower = new TargetFollower({
    put: (one) => held.set(one.key, one),
    remove: (gone) => held.delete(gone.slice('s##'.length)),
  });
  const ask = (log: TargetLog) => {
    const changes = log.changesSince(follower.known);
    follower.take(changes);
    return changes;
  };
  const askAll = (log: TargetLog) => {
    for (let pages = 1; ; pages++) if (!ask(log).isMore) return pages;
  };
  return { held, ask, askAll };
}

test('who knows nothing is told everything page by page, who follows only what came since', () => {
  const log = new TargetLog('e', 10);
  for (let number = 0; number < 25; number++) log.put(target(`k${number}`));
  log.remove(id('k3'));
  const { held, ask, askAll } = follow();
  assert.equal(askAll(log), 3);
  assert.equal(held.size, 24);
  log.put(target('k7', false));
  log.remove(id('k8'));
  log.put(target('k9'));
  const { put, removed, isFresh } = ask(log);
  assert.deepEqual([put.map(({ key }) => key), removed, isFresh], [['k7'], [id('k8')], false]);
  assert.deepEqual(ask(log).put, []);
});

test('another run of the node tells everything, and so does one that forgot what came in between', () => {
  const log = new TargetLog('e', 10);
  log.put(target('a'));
  const { held, ask, askAll } = follow();
  askAll(log);
  const next = new TargetLog('f', 10);
  next.put(target('b'));
  assert.equal(ask(next).isFresh, true);
  assert.deepEqual([...held.keys()], ['b']);
  for (let number = 0; number <= REMOVALS_MAX; number++) {
    next.put(target(`gone${number}`));
    next.remove(id(`gone${number}`));
  }
  assert.equal(ask(next).isFresh, true);
  assert.deepEqual([...held.keys()], ['b']);
  assert.equal(ask(next).isFresh, false);
});

test('who is told everything in pages is not sent back to the first one for what was removed before', () => {
  const log = new TargetLog('e', 10);
  for (let number = 0; number < 30; number++) log.put(target(`k${number}`));
  for (let number = 0; number <= REMOVALS_MAX; number++) {
    log.put(target(`gone${number}`));
    log.remove(id(`gone${number}`));
  }
  const { held, askAll } = follow();
  assert.ok(askAll(log) <= 4);
  assert.equal(held.size, 30);
});

test('a page ends where it has grown large, however few are in it', () => {
  const log = new TargetLog('e', 1_000);
  const headers = 'x'.repeat(PAGE_CHARS_MAX / 2);
  for (const key of ['a', 'b', 'c', 'd', 'e']) log.put({ ...target(key), check: { kind: 'HTTP', path: '/', headers } });
  assert.equal(log.changesSince(NO_TARGETS_KNOWN).put.length, 2);
  assert.equal(follow().askAll(log), 3);
});

test('whatever happens between the pages, in the end both have the same', () => {
  const step = fc.record({ key: fc.nat(30), does: fc.constantFrom('put', 'sick', 'remove', 'ask') });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const log = new TargetLog('e', 3);
      const { held, ask, askAll } = follow();
      for (const { key, does } of steps) {
        if (does === 'ask') ask(log);
        else if (does === 'remove') log.remove(id(`k${key}`));
        else log.put(target(`k${key}`, does === 'put'));
      }
      askAll(log);
      const all = follow();
      all.askAll(log);
      assert.deepEqual(new Map([...held].sort()), new Map([...all.held].sort()));
      assert.equal(held.size, log.size);
    }),
  );
});
