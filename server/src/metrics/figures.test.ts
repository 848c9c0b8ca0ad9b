import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { NO_PEERS } from '../config/notify.ts';
import { createConfigService } from '../config/service.ts';
import { createMembership } from '../members/create.ts';
import { Follower } from '../store/follow.ts';
import { createMemoryDatabase, createMemoryStore } from '../store/memory.ts';
import { ALONE } from '../testing/started-node.ts';
import { CONFIG_FIGURES, MEMBERS_FIGURES } from './figures.ts';

test('every figure that a part gives is exported with what it means, and no other', () => {
  const host = new FakeHost('node');
  const store = createMemoryStore(host, createMemoryDatabase());
  const follower = new Follower(host, store);
  const config = createConfigService(host, store, follower, {
    dumpDirectory: '/data/config',
    peers: NO_PEERS,
  });
  const membership = createMembership(host, ALONE);
  assert.deepEqual(Object.keys(CONFIG_FIGURES), Object.keys(config.metrics()));
  assert.deepEqual(Object.keys(MEMBERS_FIGURES), Object.keys(membership.counts()));
});
