import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { type RedisServer, redisMissing, startRedis } from '../../../../e2e/engines/redis.ts';
import { eventually } from '../contract-tools.ts';
import { createTestHost } from '../host-for-tests.ts';
import { Asking } from './asking.ts';
import { type RedisConnection, readAddress } from './connection.ts';
import { SETTINGS } from './stores-for-tests.ts';

const skip = (await redisMissing()) ?? false;

describe('questions to servers of Redis', { skip }, () => {
  let server: RedisServer;
  after(() => server?.stop());

  it('go over one connection, until it ends', async () => {
    server = await startRedis();
    const asking = new Asking(createTestHost(), SETTINGS);
    const address = readAddress(server.place);
    const ask = async <T>(question: (connection: RedisConnection) => Promise<T>) =>
      asking.ask({ address, withLogin: true, withinMs: 500, ask: question });
    const id = () => ask((connection) => connection.command('CLIENT', 'ID')) as Promise<number>;
    const first = await id();
    assert.equal(await id(), first);
    const both = await Promise.all([id(), id()]);
    assert.ok(both.includes(first) && both[0] !== both[1], 'none waits for another');
    assert.ok(both.includes(await id()), 'one of them is kept');

    // It is ended at the other end, be that noticed before it is used again or not.
    const kept = await id();
    await server.command('CLIENT', 'KILL', 'ID', kept);
    assert.notEqual(await id(), kept);
    assert.equal(asking.isSilent(server.place), false);

    await assert.rejects(
      ask((connection) => connection.command('NO-SUCH-COMMAND')),
      /unknown command/,
    );
    await server.pause();
    await assert.rejects(id(), /does not answer/);
    assert.equal(asking.isSilent(server.place), true);
    server.resume();
    const last = await id();
    assert.equal(asking.isSilent(server.place), false);

    const under = ask(async (connection) => {
      const answer = await connection.command('CLIENT', 'ID');
      asking.close();
      return answer;
    });
    assert.equal(await under, last);
    assert.notEqual(await id(), last, 'what was kept is closed');
    asking.close();
    await eventually(async () => {
      const clients = `${await server.command('CLIENT', 'LIST', 'TYPE', 'normal')}`.trim().split('\n');
      assert.equal(clients.length, 1, 'the one that asks');
    });
  });
});
