import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RolloutPod } from './rollout.ts';
import { planRollout } from './rollout.ts';

const NOW = 1_000_000;

function pod(ordinal: number, rest: Partial<RolloutPod> = {}): RolloutPod {
  return {
    name: `demo-${ordinal}`,
    uid: `u${ordinal}`,
    ordinal,
    isReady: true,
    readySinceMs: NOW - 60_000,
    isTerminating: false,
    isStopping: false,
    isOutdated: true,
    ...rest,
  };
}

function outcome(pods: RolloutPod[], rest: { isSplit?: boolean; replicas?: number } = {}): string {
  const result = planRollout({ replicas: 3, isSplit: false, nowMs: NOW, pods, ...rest });
  return result.kind === 'replace' ? `replace ${result.pod.name}` : result.kind;
}

const isNew = { isOutdated: false };
const stops = { isReady: false, isTerminating: true, isStopping: true };
/** Its machine is gone. */
const isStuck = { ...stops, isStopping: false };
const TABLE: readonly (readonly [string, RolloutPod[], string, { isSplit?: boolean; replicas?: number }?])[] = [
  ['nothing outdated', [pod(0, isNew), pod(1, isNew), pod(2, isNew)], 'done'],
  ['the highest ordinal goes first', [pod(0), pod(1), pod(2)], 'replace demo-2'],
  ['then the next', [pod(0), pod(1), pod(2, isNew)], 'replace demo-1'],
  ['none while one stops', [pod(0), pod(1), pod(2, stops)], 'wait'],
  ['a broken one waits for one that stops', [pod(0), pod(1, { isReady: false }), pod(2, stops)], 'wait'],
  ['but for none that never does', [pod(0), pod(1, { isReady: false }), pod(2, isStuck)], 'replace demo-1'],
  ['one that serves waits for it', [pod(0), pod(1), pod(2, isStuck)], 'wait'],
  ['one that does not stop is not replaced again', [pod(0, isNew), pod(1, isNew), pod(2, isStuck)], 'wait'],
  ['none while the replaced one is missing', [pod(0), pod(1)], 'wait'],
  ['none while the replaced one starts', [pod(0), pod(1), pod(2, { ...isNew, isReady: false })], 'wait'],
  ['none until it has settled', [pod(0), pod(1), pod(2, { ...isNew, readySinceMs: NOW - 9_999 })], 'wait'],
  [
    'it goes on when it has settled',
    [pod(0), pod(1), pod(2, { ...isNew, readySinceMs: NOW - 10_000 })],
    'replace demo-1',
  ],
  ['none while the members disagree', [pod(0), pod(1), pod(2)], 'wait', { isSplit: true }],
  ['a broken outdated pod goes at once', [pod(0, { isReady: false }), pod(1), pod(2)], 'replace demo-0'],
  [
    'all broken: one at a time, without waiting for the others',
    [pod(0, { isReady: false }), pod(1, { isReady: false }), pod(2, { isReady: false })],
    'replace demo-2',
  ],
  ['a broken new one holds the rest', [pod(0), pod(1, { ...isNew, isReady: false }), pod(2, isNew)], 'wait'],
  ['a single member is replaced', [pod(0)], 'replace demo-0', { replicas: 1 }],
];

for (const [name, pods, expected, rest] of TABLE) {
  test(`rolling update: ${name}`, () => assert.equal(outcome(pods, rest), expected));
}
