import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MysqlSession } from './mysql-session.ts';
import { refuseReadOnly } from './mysql-write.ts';

const session = { place: 'mysql db:3306/nacos as nacos' } as MysqlSession;

test('a server says in one of several ways that it takes writes, and in all others that it does not', () => {
  for (const value of [0, '0', 'OFF']) refuseReadOnly(session, { read_only: value });
  for (const value of [1, '1', 'ON', 'NO_LOCK', 'NO_LOCK_NO_ADMIN', null, '']) {
    assert.throws(() => refuseReadOnly(session, { read_only: value }), { kind: 'read-only' }, String(value));
  }
  assert.throws(() => refuseReadOnly(session, undefined), { kind: 'read-only' });
});
