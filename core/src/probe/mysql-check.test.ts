import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeHost } from '../testing/fake-host.ts';
import {
  createMysqlProbe,
  KEPT_CONNECTIONS_MAX,
  KEPT_MS,
  type MysqlConnection,
  QUERY_TIMEOUT_MS,
} from './mysql-check.ts';
import type { Check, ProbeTarget } from './target.ts';

/** How the driver of the next connections behaves. */
class FakeDriver {
  readonly host = new FakeHost();
  readonly asked: string[] = [];
  opened = 0;
  closed = 0;
  connectError: unknown;
  queryError: unknown;
  rows: unknown[] = [['x', 'y']];
  isSilent = false;
  readonly probe = createMysqlProbe(this.host, () => this.#open());

  #open(): MysqlConnection {
    this.opened++;
    return {
      connect: (done) => {
        if (!this.isSilent) done(this.connectError);
      },
      query: ({ sql }) => {
        this.asked.push(sql);
        const listeners = new Map<string, (value: unknown) => void>();
        queueMicrotask(() => {
          if (this.isSilent) return;
          if (this.queryError !== undefined) return listeners.get('error')?.(this.queryError);
          for (const row of this.rows) listeners.get('result')?.(row);
          listeners.get('end')?.(undefined);
        });
        return { on: (event, run) => listeners.set(event, run) };
      },
      on: () => {},
      destroy: () => {
        this.closed++;
      },
    };
  }

  ask(command = 'select 1', key = 'k') {
    const check: Check & { kind: 'MYSQL' } = { kind: 'MYSQL', user: 'u', password: 'p', command };
    const target: ProbeTarget = { service: 's', key, ip: '10.0.0.1', port: 3306, check, healthy: true };
    return this.probe(target, check);
  }
}

const READ_ONLY = "show global variables where variable_name='read_only'";

test('a command that runs is well, and its connection is kept', async () => {
  const driver = new FakeDriver();
  for (let round = 0; round < 3; round++) assert.equal(await driver.ask(), 'ok');
  assert.deepEqual([driver.opened, driver.closed], [1, 0]);
});

test('a server that is read-only is a sign, when exactly that is asked', async () => {
  const driver = new FakeDriver();
  driver.rows = [['read_only', 'ON']];
  assert.equal(await driver.ask(READ_ONLY), 'failed');
  assert.equal(await driver.ask(`${READ_ONLY} `), 'ok');
  driver.rows = [['read_only', 'OFF']];
  assert.equal(await driver.ask(READ_ONLY), 'ok');
  assert.equal(driver.closed, 0);
});

test('what the server itself refuses is down at once, as is a refused connection', async () => {
  const refused = Object.assign(new Error('denied'), { code: 'ER_ACCESS_DENIED_ERROR', sqlState: '28000' });
  const driver = new FakeDriver();
  driver.connectError = refused;
  assert.equal(await driver.ask(), 'down');
  driver.connectError = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
  assert.equal(await driver.ask(), 'down');
  driver.connectError = undefined;
  driver.queryError = refused;
  assert.equal(await driver.ask(), 'down');
  assert.equal(await driver.ask(' '), 'down', 'there is no command');
  assert.deepEqual([driver.opened, driver.closed], [3, 3]);
});

test('silence and what else goes wrong on the way are a sign', async () => {
  const driver = new FakeDriver();
  driver.connectError = Object.assign(new Error('late'), { code: 'ETIMEDOUT' });
  assert.equal(await driver.ask(), 'timeout');
  driver.connectError = Object.assign(new Error('lost'), { code: 'PROTOCOL_CONNECTION_LOST' });
  assert.equal(await driver.ask(), 'failed');
  driver.connectError = undefined;
  await driver.ask();
  driver.isSilent = true;
  const asked = driver.ask();
  await driver.host.advance(QUERY_TIMEOUT_MS);
  assert.equal(await asked, 'timeout');
  assert.equal(driver.opened, driver.closed, 'no connection is kept that did not answer');
});

test('a command that gives without end is cut off', async () => {
  const driver = new FakeDriver();
  driver.rows = Array.from({ length: 5_000 }, () => ['row']);
  assert.equal(await driver.ask(), 'ok');
  assert.equal(driver.closed, 1);
});

test('connections that nobody asks by are closed, and there are only so many', async () => {
  const driver = new FakeDriver();
  await driver.ask();
  await driver.host.advance(2 * KEPT_MS);
  assert.deepEqual([driver.opened, driver.closed], [1, 1]);
  for (let number = 0; number < KEPT_CONNECTIONS_MAX + 5; number++) await driver.ask('select 1', `k${number}`);
  assert.equal(driver.opened - driver.closed, KEPT_CONNECTIONS_MAX);
});
