import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createTestHost } from './host-for-tests.ts';
import { createMemoryDatabase, createMemoryStore } from './memory.ts';
import { RaftLook } from './raft-facts.ts';
import { StoreError, type StoreRaft } from './store.ts';

it('keeps what the engine said last, and says nothing of engines that elect none', async () => {
  const host = createTestHost();
  const memory = createMemoryStore(host, createMemoryDatabase());
  const silent = new RaftLook(host, memory);
  silent.start();
  assert.deepEqual(silent.facts(), {});
  const answers: Promise<StoreRaft>[] = [
    Promise.resolve({ leader: 'b:2379', members: ['a:2379', 'b:2379'], term: 3, index: 40 }),
    Promise.reject(new StoreError('unavailable', 'it does not answer')),
  ];
  const runs: (() => void)[] = [];
  const every = (_: number, run: () => void) => {
    runs.push(run);
    return { cancel: () => runs.splice(0) };
  };
  const asked: Promise<unknown>[] = [];
  const background = (_: string, work: Promise<unknown>) => void asked.push(work);
  const raft = () => answers.shift()!;
  const look = new RaftLook({ ...host, background, clock: { ...host.clock, every } }, { ...memory, raft } as never);
  look.start();
  await asked[0];
  const facts = { raftLeader: 'b:2379', raftMembers: 'a:2379,b:2379', raftTerm: 3, raftIndex: 40 };
  assert.deepEqual(look.facts(), facts);
  runs[0]!();
  await asked[1];
  assert.deepEqual(look.facts(), facts);
  look.stop();
  assert.equal(runs.length, 0);
});
