import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MysqlRuns, SERVERS_MAX } from './mysql-runs.ts';

const START_S = 1_700_000_000;
const server = (name: string, startedS = START_S) => ({ name, startedS });

test('the first server is known, another name or another start is not until it was met', () => {
  const runs = new MysqlRuns();
  assert.equal(runs.isAnother(server('a')), false);
  runs.begin(server('a'));
  assert.equal(runs.isAnother(server('a', START_S + 2)), false, 'the start is told in whole seconds');
  for (const other of [server('b'), server('a', START_S + 60)]) {
    assert.equal(runs.isAnother(other), true);
    runs.begin(other);
    assert.equal(runs.isAnother(other), true, 'to read of it is not to have read all again');
    runs.met(other);
    assert.equal(runs.isAnother(other), false);
  }
});

test('the start that counts is the first that was told, however it creeps', () => {
  const runs = new MysqlRuns();
  for (const creptS of [0, 2, 3]) runs.begin(server('a', START_S + creptS));
  assert.equal(runs.isAnother(server('a', START_S + 4)), true);
});

test('however many names there were, a new one is noticed; the one that answered longest ago is forgotten', () => {
  const runs = new MysqlRuns();
  for (let i = 0; i < SERVERS_MAX; i += 1) runs.met(server(`s${i}`));
  runs.begin(server('s0'));
  for (const name of ['new', 'newer']) {
    assert.equal(runs.isAnother(server(name)), true);
    runs.met(server(name));
    assert.equal(runs.isAnother(server(name)), false);
  }
  const forgotten = Array.from({ length: SERVERS_MAX }, (_, i) => `s${i}`).filter((name) =>
    runs.isAnother(server(name)),
  );
  assert.deepEqual(forgotten, ['s1', 's2']);
});
