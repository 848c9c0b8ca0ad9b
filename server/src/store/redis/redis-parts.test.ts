import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createTestHost } from '../host-for-tests.ts';
import { StoreError } from '../store.ts';
import { RedisCalls } from './calls.ts';
import { readAddress } from './connection.ts';
import { storeErrorOf } from './errors.ts';
import { Keeping } from './keeping.ts';
import type { Call, RedisLink } from './link.ts';
import { readChange } from './rows.ts';
import { ServerCheck } from './server-check.ts';
import { placeOf, type RedisSettings, tagged } from './settings.ts';
import type { Standings } from './standing.ts';
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
    let replicas = ['10.0.0.2 6379'];
    let result: string | number = 'written';
    const answers: Record<string, unknown> = { TIME: ['1', '0'], WAIT: 0, INFO: 'role:master\r\nconnected_slaves:0' };
    const connection = {
      ...{ address: { host: 'redis', port: 6379 }, onEnd: () => undefined, close: () => undefined },
      command: async (name: string) => answers[name],
      script: async () => [replicas, result],
    };
    const link = { onReady: () => undefined, call: <T>({ send }: Call<T>) => send(connection, 3000) };
    const told = {
      wantsReplica: false,
      standing: 'master' as Standings['standing'],
      replicas: new Set(['10.0.0.2:6379']),
    };
    const writeIn = (mode: RedisSettings['mode']) => {
      const settings: RedisSettings = {
        ...{ mode, addresses: ['redis:6379'], master: 'mymaster', database: 0, prefix: 'p:' },
        ...{ user: undefined, password: undefined, tls: undefined, allowsLoss: false },
      };
      const links = link as unknown as RedisLink;
      const check = { isSlack: () => false, wantsReplica: () => told.wantsReplica };
      const keeping = new Keeping(host, settings, check, { standingOf: async () => told });
      return new RedisCalls(host, settings, links, links, keeping).write(PUT_RECORDS, []);
    };
    for (const mode of ['sentinel', 'cluster'] as const) {
      replicas = ['10.0.0.2 6379'];
      told.wantsReplica = false;
      await assert.rejects(writeIn(mode), /no replica confirmed the write/);
      // It had gone, which the server had not seen yet.
      replicas = [];
      told.wantsReplica = true;
      await assert.rejects(writeIn(mode), /no replica confirmed the write/);
      told.wantsReplica = false;
      assert.equal(await writeIn(mode), 'written');
      told.standing = 'unknown';
      await assert.rejects(writeIn(mode), /redis:6379 has no replica, and is not known to be the master still/);
      told.standing = 'master';
    }
    // A replica cannot confirm that there was nothing to write.
    replicas = ['10.0.0.2 6379'];
    result = 0;
    answers.WAIT = 1;
    told.standing = 'doubted';
    await assert.rejects(writeIn('sentinel'), /redis:6379 is not known to be the master still/);
    told.standing = 'unknown';
    assert.equal(await writeIn('sentinel'), 0);
    result = 'written';
    const one = /redis:6379 has a replica that does not confirm the write, and is not known to be the master still/;
    await assert.rejects(writeIn('sentinel'), one, 'too few say which replicas there are');
    told.standing = 'master';
    assert.equal(await writeIn('sentinel'), 'written');
    answers.WAIT = 0;
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

  it('ask whether it is the master after silence, and where not each replica has said so', async () => {
    const { server, asks, says } = callsOfTest();
    assert.equal(await asks(0), 'true', 'the first over a connection');
    assert.equal(await asks(500), 'false');
    assert.equal(await asks(501), 'true', 'it may have hung');
    server.result = 0;
    assert.equal(await asks(1), 'true', 'nothing was written');
    server.result = 1;
    says('unknown', 'a:1');
    assert.equal(await asks(501), 'true');
    assert.equal(await asks(1), 'true', 'it is still not known');
    server.result = 0;
    says('doubted');
    assert.equal(await asks(1), 'true, refused');
    server.result = 1;
    assert.equal(await asks(1), 'true, refused', 'who was doubted is asked for until it is known again');
    says('master', 'a:1');
    assert.equal(await asks(1), 'true');
    server.followers = ['a 1', 'b 1'];
    assert.equal(await asks(1), 'false', 'another replica has come');
    server.lagging = 1;
    assert.equal(await asks(1), 'true', 'it has not confirmed');
    server.lagging = 0;
    server.followers = ['a 1'];
    assert.equal(await asks(1), 'true', 'it may have gone to be the master');
    says('master', 'a:1', 'b:1');
    assert.equal(await asks(1), 'false', 'that only one could replace it was said');
    assert.equal(await asks(501), 'true', 'now it is known that two could');
    assert.equal(await asks(1), 'true', 'and only one of them has it');
    says('doubted');
    assert.equal(await asks(1), 'true, refused');
    says('unknown', 'a:1', 'b:1');
    assert.equal(await asks(1), 'true, refused');
    says('master', 'a:1');
    server.followers = [];
    assert.equal(await asks(1), 'true', 'its replica has gone');
    assert.equal(await asks(1), 'true');
    says('master');
    assert.equal(await asks(1), 'true');
    assert.equal(await asks(1), 'false', 'none could take its place');
    assert.equal(await asks(501), 'true');
    server.followers = ['a 1'];
    assert.equal(await asks(1), 'false');
    server.followers = [];
    assert.equal(await asks(1), 'true', 'one has followed it since');
  });

  it('forget no replica that could be the next master because of who is not sure', async () => {
    const { server, asks, says } = callsOfTest();
    says('master', 'a:1', 'b:1');
    server.followers = ['a 1', 'b 1'];
    assert.equal(await asks(0), 'true');
    assert.equal(await asks(1), 'false');
    // Another is the master, by those that have not heard yet which replicas are left to it.
    server.followers = ['b 1'];
    says('doubted');
    assert.equal(await asks(1), 'true, refused');
    assert.equal(await asks(1), 'true, refused');
    says('master', 'a:1', 'b:1');
    assert.equal(await asks(1), 'true');
    // Most are out of reach, and who is not knows less.
    says('unknown', 'b:1');
    assert.equal(await asks(501), 'true, refused');
    assert.equal(await asks(1), 'true, refused');
    // A follower of which those that decide do not know is not one of those that could be the master.
    says('master', 'a:1', 'b:1');
    server.followers = ['b 1', 'x 1'];
    assert.equal(await asks(1), 'true');
    assert.equal(await asks(1), 'true');
    says('unknown', 'b:1');
    assert.equal(await asks(501), 'true, refused');
    server.followers = ['b 1', 'x 1', 'a 1'];
    assert.equal(await asks(1), 'true', 'all three have it');
  });

  it('believe no list of replicas of too few, but with one that was known', async () => {
    const { asks, says } = callsOfTest();
    says('unknown', 'a:1');
    assert.equal(await asks(0), 'true, refused');
    says('master', 'a:1');
    assert.equal(await asks(1), 'true');
    says('unknown', 'a:1');
    assert.equal(await asks(501), 'true');
  });

  it('wait for all replicas, and for one of them while others lag', async () => {
    const { calls, server, pass } = callsOfTest();
    const waited = async (afterMs: number) => {
      pass(afterMs);
      server.waits = [];
      await calls.write(PUT_RECORDS, []).catch(() => server.waits.push('refused'));
      return server.waits;
    };
    assert.deepEqual(await waited(0), ['1 1000']);
    server.followers = ['a 1', 'b 1', 'c 1'];
    assert.deepEqual(await waited(1), ['3 100']);
    server.lagging = 1;
    assert.deepEqual(await waited(1), ['3 100']);
    assert.deepEqual(await waited(999), ['1 1000']);
    server.lagging = 0;
    assert.deepEqual(await waited(1), ['3 100']);
    assert.deepEqual(await waited(1), ['3 100']);
    server.lagging = 3;
    assert.deepEqual(await waited(1), ['3 100', '1 900', 'refused']);
    const single = callsOfTest('single');
    single.server.followers = ['a 1', 'b 1', 'c 1'];
    await single.calls.write(PUT_RECORDS, []);
    assert.deepEqual(single.server.waits, ['1 1000']);
  });
});

/** Calls to a server that is told what to answer. */
function callsOfTest(mode: RedisSettings['mode'] = 'sentinel') {
  let nowMs = 10_000;
  let asked = 0;
  let told: Standings = { standing: 'master', replicas: new Set(['a:1']) };
  const server = { followers: ['a 1'], lagging: 0, result: 1, waits: [] as string[] };
  const host = createTestHost();
  const clock = Object.assign(Object.create(host.clock), { monotonic: () => nowMs });
  const connection = {
    ...{ address: { host: 'redis', port: 6379 }, onEnd: () => undefined, close: () => undefined },
    command: async (name: string, ...args: (string | number)[]) => {
      if (name === 'WAIT') server.waits.push(args.join(' '));
      return name === 'WAIT' ? server.followers.length - server.lagging : ['1', '0'];
    },
    script: async () => [server.followers, server.result],
  };
  const links = {
    ...{ onReady: () => undefined, call: <T>({ send }: Call<T>) => send(connection, 3000) },
  } as unknown as RedisLink;
  const standingOf = async () => {
    asked += 1;
    return told;
  };
  const settings = { ...SETTINGS, mode };
  const check = { isSlack: () => false, wantsReplica: () => false };
  const keeping = new Keeping({ ...host, clock }, settings, check, { standingOf });
  const calls = new RedisCalls({ ...host, clock }, settings, links, links, keeping);
  const pass = (ms: number) => {
    nowMs += ms;
  };
  const says = (standing: Standings['standing'], ...replicas: string[]) => {
    told = { standing, replicas: standing === 'doubted' ? undefined : new Set(replicas) };
  };
  /** Whether a write has those asked that decide, and whether it is refused. */
  const asks = async (afterMs: number) => {
    pass(afterMs);
    const before = asked;
    const refusal = await calls.write(PUT_RECORDS, []).then(
      () => '',
      () => ', refused',
    );
    return `${asked > before}${refusal}`;
  };
  return { calls, server, pass, says, asks };
}
