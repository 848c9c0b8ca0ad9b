import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FORWARD_TIMEOUT_MS } from './forward.ts';
import { Lateness, NORMAL_MS } from './lateness.ts';

const PEER = '10.0.0.2:8848';
/** The peer's clock is a minute behind. */
const SKEW_MS = -60_000;

function lateness() {
  const judged = new Lateness();
  const comes = (nowMs: number, afterMs: number) => judged.isLate(PEER, nowMs - afterMs + SKEW_MS, nowMs);
  return { judged, comes };
}

test('a call is late when it took longer than usual by more than its sender waits', () => {
  const { judged, comes } = lateness();
  assert.equal(comes(1_000, 5), false);
  assert.equal(comes(3_000, FORWARD_TIMEOUT_MS), false);
  assert.equal(comes(30_000, 20_000), true);
  assert.equal(comes(30_000, 5), false);
  assert.equal(judged.count, 1);
});

test('however long a peer was not heard, its first call after that can be late', () => {
  const { comes } = lateness();
  comes(1_000, 5);
  assert.equal(comes(3_600_000, 3_000_000), true);
  assert.equal(comes(3_600_001, 3_000_000), true);
});

test('when a clock was set, the new difference is the usual one soon', () => {
  const { comes } = lateness();
  comes(1_000, 5);
  const late: number[] = [];
  for (let nowMs = 2_000; nowMs < 120_000; nowMs += 1_000) if (comes(nowMs, 10_000)) late.push(nowMs);
  assert.ok(late.length > 0 && late.at(-1)! <= 1_000 + 2 * (NORMAL_MS + 2_000));
  // Set back: the shorter one counts at once.
  assert.equal(comes(120_000, 5), false);
});

test('who is a member no more is forgotten', () => {
  const { judged, comes } = lateness();
  comes(1_000, 5);
  judged.keep([]);
  assert.equal(comes(30_000, 20_000), false);
});
