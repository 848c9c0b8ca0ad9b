import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AskedTogether } from './asked-together.ts';

test('what is asked for in one turn is one question, what comes later the next', async () => {
  const { questions, together } = setUp(100);
  const first = [together.get(1), together.get(2), together.get(1)];
  await Promise.resolve();
  const later = together.get(3);
  assert.deepEqual(await Promise.all(first), ['one of 1', 'one of 2', 'one of 1']);
  assert.equal(await later, 'one of 3');
  assert.deepEqual(questions, [[1, 2, 1], [3]]);
});

test('a question has no more keys than it may, and those asked for together go out together', async () => {
  const { questions, together } = setUp(2);
  const asked = [1, 2, 3, 4, 5].map((key) => together.get(key));
  await Promise.resolve();
  assert.deepEqual(questions, [[1, 2], [3, 4], [5]]);
  assert.equal((await Promise.all(asked))[4], 'one of 5');
});

test('the rest of what was answered in part is asked for again', async () => {
  const { questions, together } = setUp(100, (keys) => keys.slice(0, 2).map((key) => `one of ${key}`));
  assert.equal((await Promise.all([1, 2, 3].map((key) => together.get(key))))[2], 'one of 3');
  assert.deepEqual(questions, [[1, 2, 3], [3]]);
});

test('an error for one key is told to those who asked for it alone', async () => {
  const { together } = setUp(100, (keys) => keys.map((key) => (key === 2 ? new Error('damaged') : `one of ${key}`)));
  const [one, two, three] = await Promise.allSettled([1, 2, 3].map((key) => together.get(key)));
  assert.deepEqual([one!.status, two!.status, three!.status], ['fulfilled', 'rejected', 'fulfilled']);
});

test('a question that fails fails for all that are not answered yet, and for no other', async () => {
  let questions = 0;
  const { together } = setUp(2, (keys) => {
    questions += 1;
    if (questions === 3) throw new Error('away');
    return keys.slice(0, questions === 1 ? 1 : keys.length).map((key) => `one of ${key}`);
  });
  const outcomes = await Promise.allSettled([1, 2, 3, 4].map((key) => together.get(key)));
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
  );
});

test('no answer at all is a failure, never a question without end', async () => {
  const { questions, together } = setUp(100, () => []);
  await assert.rejects(together.get(1), /none of 1 keys was answered/);
  assert.equal(questions.length, 1);
});

function setUp(
  keysMax: number,
  answer = (keys: readonly number[]): (string | Error)[] => keys.map((key) => `one of ${key}`),
) {
  const questions: (readonly number[])[] = [];
  const together = new AskedTogether<number, string>(keysMax, async (keys) => {
    questions.push(keys);
    return answer(keys);
  });
  return { questions, together };
}
