import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createTestHost } from '../host-for-tests.ts';
import { StoreError } from '../store.ts';
import { RedisCalls } from './calls.ts';
import { readAddress } from './connection.ts';
import { storeErrorOf } from './errors.ts';
import type { Call, RedisLink } from './link.ts';
import { readChange } from './rows.ts';
import { ServerCheck } from './server-check.ts';
import { placeOf, type RedisSettings, tagged } from './settings.ts';
import type { Standing } from './standing.ts';
import { SETTINGS } from './stores-for-tests.ts';
import { PUT_RECORDS } from './write-scripts.ts';

describe('the parts of the redis store', () => {
  it('put what decides the slot into the prefix, unless it is there', () => {
    const cases = [
      ['nacos-kube:', '{nacos-kube:}'],
      ['{own}:nacos:', '{own}:nacos:'],
      ['team:{own}', 'team:{own}'],
      // Redis takes these for no tag.
      ['a{}b', '{a{}b}'],
      ['{}{own}', '{{}{own}}'],
      ['open{', '{open{}'],
    ];
    for (const [prefix, expected] of cases) assert.equal(tagged(prefix!), expected);
  });

  it('read addresses, also of IPv6', () => {
    assert.deepEqual(readAddress('redis.svc:6379'), { host: 'redis.svc', port: 6379 });
    assert.deepEqual(readAddress('[::1]:7000'), { host: '::1', port: 7000 });
  });

  it('know what an answer of Redis means, as old and new servers put it', () => {
    const reply = (message: string) =>
      Object.assign(new Error(message), { name: 'ReplyError', command: { args: ['x'] } });
    const cases: [string, string][] = [
      ["READONLY You can't write against a read only replica. script: 7ac7, on @user_script:1.", 'read-only'],
      ["ERR Error running script (call to f_7ac7): @user_script:9: @user_script: 9: -READONLY You can't", 'read-only'],
      ["OOM command not allowed when used memory > 'maxmemory'.", 'read-only'],
      ['MISCONF Errors writing to the AOF file: No space left on device', 'read-only'],
      ['NOREPLICAS Not enough good replicas to write.', 'read-only'],
      ['CLUSTERDOWN Hash slot not served', 'unavailable'],
      ['MOVED 5961 127.0.0.1:7002', 'unavailable'],
      ['LOADING Redis is loading the dataset in memory', 'unavailable'],
      ['WRONGPASS invalid username-password pair or user is disabled.', 'misconfigured'],
      ["NOPERM this user has no permissions to run the 'evalsha' command", 'misconfigured'],
      ["ERR ACL failure in script: User x has no permissions to run the 'info' command script", 'misconfigured'],
      ["ERR unknown command 'EVALSHA', with args beginning with: 'x'", 'misconfigured'],
      ['ERR something nobody has heard of', 'unavailable'],
    ];
    for (const [message, kind] of cases) {
      const told = storeErrorOf(reply(message), 'redis here');
      assert.equal(told.kind, kind, message);
      assert.match(told.message, /^redis here: /);
      assert.ok(!('command' in (told.cause as object)), 'a command may hold contents and passwords');
    }
    // A server or proxy without logins says back what it was sent.
    const unknown = storeErrorOf(
      reply("ERR unknown command 'AUTH', with args beginning with: 'ann' 'pass-word' "),
      'r',
    );
    assert.match(unknown.message, /unknown command 'AUTH'/);
    assert.ok(
      !/pass-word/.test(`${unknown.stack} ${(unknown.cause as Error).message} ${(unknown.cause as Error).stack}`),
    );
    const own = new StoreError('invalid', 'as it is');
    assert.equal(storeErrorOf(own, 'redis here'), own);
    const cut = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' });
    assert.equal(storeErrorOf(cut, 'redis here').kind, 'unavailable');
    const tls = Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    assert.equal(storeErrorOf(tls, 'redis here').kind, 'misconfigured');
  });

  it('read changes, with any text in a key', () => {
    assert.deepEqual(readChange(['7-0', ['c', 'switch 1 a 0 b\nc']]), {
      ...{ revision: 7, what: { kind: 'switch', key: 'a 0 b\nc' }, removed: true },
    });
    assert.deepEqual(readChange(['8-0', ['c', 'config 0 ["n","g","d\\n"]']]), {
      ...{
        revision: 8,
        what: { kind: 'config', key: { namespaceId: 'n', group: 'g', dataId: 'd\n' } },
        removed: false,
      },
    });
    assert.equal(readChange(['9-0', ['c', '']]), undefined);
  });

  it('name the place without the password', () => {
    const settings: RedisSettings = {
      ...{ mode: 'sentinel', addresses: ['a:1', 'b:2'], master: 'm', database: 3, prefix: 'p:' },
      ...{ user: 'ann', password: 'pass-word', tls: undefined, allowsLoss: false },
    };
    assert.equal(placeOf(settings), 'redis master m of Sentinels a:1,b:2/3 as ann');
  });

  it('acknowledge no write that its replica has not, where that may be the master by now', async () => {
    const host = createTestHost();
    /** That were there when it was written. */
    let replicas = 1;
    let result: string | number = 'written';
    const answers: Record<string, unknown> = { TIME: ['1', '0'], WAIT: 0, INFO: 'role:master\r\nconnected_slaves:0' };
    const connection = {
      ...{ address: { host: 'redis', port: 6379 }, onEnd: () => undefined, close: () => undefined },
      command: async (name: string) => answers[name],
      script: async () => [replicas, result],
    };
    const link = { onReady: () => undefined, call: <T>({ send }: Call<T>) => send(connection, 3000) };
    const told = { wantsReplica: false, standing: 'master' as Standing };
    const writeIn = (mode: RedisSettings['mode']) => {
      const settings: RedisSettings = {
        ...{ mode, addresses: ['redis:6379'], master: 'mymaster', database: 0, prefix: 'p:' },
        ...{ user: undefined, password: undefined, tls: undefined, allowsLoss: false },
      };
      const links = link as unknown as RedisLink;
      const check = { isSlack: () => false, wantsReplica: () => told.wantsReplica };
      return new RedisCalls(host, settings, links, links, check, { standingOf: async () => told.standing }).write(
        PUT_RECORDS,
        [],
      );
    };
    for (const mode of ['sentinel', 'cluster'] as const) {
      replicas = 1;
      told.wantsReplica = false;
      await assert.rejects(writeIn(mode), /no replica confirmed the write/);
      // It had gone, which the server had not seen yet.
      replicas = 0;
      told.wantsReplica = true;
      await assert.rejects(writeIn(mode), /no replica confirmed the write/);
      told.wantsReplica = false;
      assert.equal(await writeIn(mode), 'written');
      told.standing = 'unknown';
      await assert.rejects(writeIn(mode), /redis:6379 has no replica, and is not known to be the master still/);
      told.standing = 'master';
    }
    // A replica cannot confirm that there was nothing to write.
    replicas = 1;
    result = 0;
    answers.WAIT = 1;
    told.standing = 'doubted';
    await assert.rejects(writeIn('sentinel'), /redis:6379 is not known to be the master still/);
    told.standing = 'unknown';
    assert.equal(await writeIn('sentinel'), 0);
    answers.WAIT = 0;
    result = 'written';
    assert.equal(await writeIn('single'), 'written');
  });

  it('see that a server wants a replica, also of one without an append-only file', async () => {
    const host = createTestHost();
    const info = ['redis_version:7.0.15', 'role:master', 'aof_enabled:0'].join('\r\n');
    const wants = async (replicas: readonly string[], mode: RedisSettings['mode']) => {
      const connection = {
        ...{ address: { host: 'redis', port: 6379 }, onEnd: () => undefined, close: () => undefined },
        ...{ command: async (name: string) => (name === 'INFO' ? info : replicas), script: async () => undefined },
      };
      const check = new ServerCheck(host, { ...SETTINGS, mode, allowsLoss: true });
      await check.run(connection);
      return check.wantsReplica(connection);
    };
    assert.equal(await wants(['min-replicas-to-write', '1'], 'sentinel'), true);
    assert.equal(await wants(['min-replicas-to-write', '0'], 'sentinel'), false);
    assert.equal(await wants(['min-replicas-to-write', '1'], 'single'), false);
    assert.equal(await wants([], 'sentinel'), false);
  });

  it('ask whether it is the master after silence, and where no replica can have said so', async () => {
    let nowMs = 10_000;
    let replicas = 0;
    let result = 1;
    let asked = 0;
    let standing: Standing = 'master';
    const host = createTestHost();
    const clock = Object.assign(Object.create(host.clock), { monotonic: () => nowMs });
    const answers: Record<string, unknown> = { TIME: ['1', '0'], WAIT: 1 };
    const connection = {
      ...{ address: { host: 'redis', port: 6379 }, onEnd: () => undefined, close: () => undefined },
      ...{ command: async (name: string) => answers[name], script: async () => [replicas, result] },
    };
    const link = { onReady: () => undefined, call: <T>({ send }: Call<T>) => send(connection, 3000) };
    const links = link as unknown as RedisLink;
    const check = { isSlack: () => false, wantsReplica: () => false };
    const standingOf = async () => {
      asked += 1;
      return standing;
    };
    const settings = { ...SETTINGS, mode: 'sentinel' } as const;
    const calls = new RedisCalls({ ...host, clock }, settings, links, links, check, { standingOf });
    const asks = async (afterMs: number) => {
      nowMs += afterMs;
      const before = asked;
      const refusal = await calls.write(PUT_RECORDS, []).then(
        () => '',
        () => ', refused',
      );
      return `${asked > before}${refusal}`;
    };
    replicas = 1;
    assert.equal(await asks(0), 'true', 'the first over a connection');
    assert.equal(await asks(500), 'false');
    assert.equal(await asks(501), 'true', 'it may have hung');
    result = 0;
    assert.equal(await asks(1), 'true', 'nothing was written');
    result = 1;
    standing = 'unknown';
    assert.equal(await asks(501), 'true');
    assert.equal(await asks(1), 'true', 'it is still not known');
    standing = 'doubted';
    assert.equal(await asks(1), 'true, refused');
    assert.equal(await asks(1), 'true, refused');
    standing = 'master';
    assert.equal(await asks(1), 'true');
    replicas = 0;
    assert.equal(await asks(1), 'true', 'its replica has gone');
    assert.equal(await asks(1), 'true');
    standing = 'alone';
    assert.equal(await asks(1), 'true');
    assert.equal(await asks(1), 'false', 'none could take its place');
    assert.equal(await asks(501), 'true');
    replicas = 1;
    assert.equal(await asks(1), 'false');
    replicas = 0;
    assert.equal(await asks(1), 'true', 'one has followed it since');
  });
});
