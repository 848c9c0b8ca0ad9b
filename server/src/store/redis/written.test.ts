import assert from 'node:assert/strict';
import { it } from 'node:test';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import type { RedisConnection } from './connection.ts';
import { Joint } from './joint.ts';
import { isWritten } from './written.ts';

/** What `INFO persistence` says, one look after the other, and the last of them from then on. */
async function looks(...answers: readonly (readonly [status: string, buffered: number, syncing: number])[]) {
  const { clock } = new FakeHost();
  let asked = 0;
  const command = async () => {
    const [status, buffered, syncing] = answers[Math.min(asked++, answers.length - 1)]!;
    return `aof_last_write_status:${status}\r\naof_buffer_length:${buffered}\r\naof_pending_bio_fsync:${syncing}\r\n`;
  };
  const written = isWritten({ command } as unknown as RedisConnection, clock);
  await clock.advance(10_000);
  return [await written, asked];
}

it('a Redis has written what it answered when nothing waits for its disk, or a round later', async () => {
  assert.deepEqual(await looks(['ok', 0, 0]), [true, 1]);
  assert.deepEqual(await looks(['ok', 0, 1]), [true, 1], 'what it syncs is written');
  assert.deepEqual(await looks(['ok', 50, 0], ['ok', 70, 0]), [true, 2], 'others write all the time');
  assert.deepEqual(await looks(['ok', 50, 1], ['ok', 50, 1], ['ok', 50, 0], ['ok', 70, 1]), [true, 4]);
});

it('a Redis that could not write, or is too long at it, has not', async () => {
  assert.deepEqual(await looks(['err', 0, 0]), [false, 1]);
  assert.deepEqual(await looks(['ok', 50, 0], ['err', 50, 0]), [false, 2]);
  assert.equal((await looks(['ok', 50, 1]))[0], false);
});

it('all that came before a question share its answer, and those that come meanwhile the next', async () => {
  const questions: ((answer: number) => void)[] = [];
  const joint = new Joint(() => new Promise<number>((resolve) => questions.push(resolve)));
  const first = joint.next();
  const later = [joint.next(), joint.next()];
  questions[0]!(1);
  assert.equal(await first, 1);
  await new Promise((resolve) => setImmediate(resolve));
  questions[1]!(2);
  assert.deepEqual([await Promise.all(later), questions.length], [[2, 2], 2]);
});
