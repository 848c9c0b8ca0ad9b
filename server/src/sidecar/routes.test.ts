import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_TARGETS_KNOWN } from '@nacos-kube/core/probe/target-changes.ts';
import {
  DRAIN_LINGER_MS_MAX,
  FORBIDDEN_HOSTS_MAX,
  ROUND_TRIPS_PER_CALL_MAX,
  type SidecarQuestion,
  VERDICTS_PER_CALL_MAX,
} from '@nacos-kube/core/wire/sidecar.ts';
import { decodeDrain, decodeQuestion, decodeVerdicts } from './routes.ts';

const bytes = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const QUESTION: SidecarQuestion = {
  targets: { epoch: 'e', version: 3, base: 2 },
  forbidden: ['10.0.0.1', 'api.example'],
  roundTrips: [{ service: 's', cluster: 'c', best: 1, worst: 2, normalized: 3 }],
};

test('a question is taken as it is', () => {
  assert.deepEqual(decodeQuestion(bytes(QUESTION)), QUESTION);
  const first = { targets: NO_TARGETS_KNOWN, forbidden: [], roundTrips: [] };
  assert.deepEqual(decodeQuestion(bytes(first)), first);
});

test('what is no question, or too much of one, is refused', () => {
  const [trip] = QUESTION.roundTrips;
  for (const wrong of [
    '',
    'null',
    '7',
    {},
    { ...QUESTION, targets: undefined },
    { ...QUESTION, targets: { epoch: 'e', version: -1, base: 0 } },
    { ...QUESTION, targets: { epoch: 1, version: 1, base: 0 } },
    { ...QUESTION, forbidden: [7] },
    { ...QUESTION, forbidden: ['x'.repeat(300)] },
    { ...QUESTION, forbidden: Array(FORBIDDEN_HOSTS_MAX + 1).fill('a') },
    { ...QUESTION, roundTrips: [null] },
    { ...QUESTION, roundTrips: [{ ...trip, best: '1' }] },
    { ...QUESTION, roundTrips: Array(ROUND_TRIPS_PER_CALL_MAX + 1).fill(trip) },
  ]) {
    assert.throws(() => decodeQuestion(bytes(wrong)), { status: 400 }, JSON.stringify(wrong));
  }
});

test('a drain may say how long callers are given, within bounds', () => {
  assert.deepEqual(decodeDrain(bytes({ lingerMs: 6_000 })), { lingerMs: 6_000 });
  assert.deepEqual(decodeDrain(bytes({})), { lingerMs: 0 });
  for (const wrong of ['', 'null', { lingerMs: -1 }, { lingerMs: '1' }, { lingerMs: DRAIN_LINGER_MS_MAX + 1 }]) {
    assert.throws(() => decodeDrain(bytes(wrong)), { status: 400 }, JSON.stringify(wrong));
  }
});

test('verdicts are whole and not too many', () => {
  const verdict = { service: 's', key: 'k', healthy: true };
  assert.deepEqual(decodeVerdicts(bytes({ verdicts: [verdict] })), [verdict]);
  for (const wrong of [
    '',
    'null',
    {},
    { verdicts: [null] },
    { verdicts: [{ ...verdict, healthy: 'true' }] },
    { verdicts: Array(VERDICTS_PER_CALL_MAX + 1).fill(verdict) },
  ]) {
    assert.throws(() => decodeVerdicts(bytes(wrong)), { status: 400 }, JSON.stringify(wrong));
  }
});
