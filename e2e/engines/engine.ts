/** What the tests of engines need of each: how nodes reach it, and what can happen to it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EtcdMember, etcdMissing, startEtcd } from './etcd.ts';
import { mariadbMissing, startMariadb } from './mariadb.ts';
import { redisMissing, startRedis } from './redis.ts';

export type EngineKind = 'sqlite' | 'mysql' | 'etcd' | 'redis';

export interface EngineFault {
  readonly name: string;
  begin(): Promise<void>;
  /** Whole again; the data stay. */
  end(): Promise<void>;
}

export interface Engine {
  readonly kind: EngineKind;
  /** Of `nacos-kube server`. */
  storageFlags(): readonly string[];
  /** What histories meet by chance. */
  readonly faults: readonly EngineFault[];
  /** No write is possible, for as long as it lasts; sqlite is in the nodes themselves and has none. */
  readonly outages: readonly EngineFault[];
  /** SIGKILL to all of it, and started again. */
  readonly killed: EngineFault | undefined;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

export interface EngineChoice {
  readonly kind: EngineKind;
  /** Why it cannot be started here, or false. */
  readonly missing: string | false;
  start(): Promise<Engine>;
}

/** Those that `ENGINES` names, e.g. `mysql,etcd`; all unless told. */
export async function chosenEngines(): Promise<readonly EngineChoice[]> {
  const named = process.env.ENGINES?.split(',');
  return (await engineChoices()).filter(({ kind }) => named === undefined || named.includes(kind));
}

export async function engineChoices(): Promise<readonly EngineChoice[]> {
  return [
    { kind: 'sqlite', missing: false, start: startSqlite },
    { kind: 'mysql', missing: (await mariadbMissing()) ?? false, start: startMysql },
    { kind: 'etcd', missing: (await etcdMissing()) ?? false, start: startThreeEtcds },
    { kind: 'redis', missing: (await redisMissing()) ?? false, start: startOneRedis },
  ];
}

async function startSqlite(): Promise<Engine> {
  const folder = await mkdtemp(join(tmpdir(), 'nacos-kube-sqlite-'));
  return {
    kind: 'sqlite',
    storageFlags: () => ['--storage', 'sqlite', '--sqlite-file', join(folder, 'store.sqlite')],
    faults: [],
    outages: [],
    killed: undefined,
    stop: () => rm(folder, { recursive: true, force: true }),
  };
}

async function startMysql(): Promise<Engine> {
  const server = await startMariadb();
  const { address, port, database, user, password } = server;
  const killed = faultOf(
    'MariaDB is killed',
    () => server.kill(),
    () => server.start(),
  );
  const paused = faultOf(
    'MariaDB hangs',
    () => server.pause(),
    async () => server.resume(),
  );
  const readOnly = faultOf(
    'MariaDB is read-only',
    async () => void (await server.query('SET GLOBAL read_only = 1')),
    async () => void (await server.query('SET GLOBAL read_only = 0')),
  );
  return {
    kind: 'mysql',
    storageFlags: () => [
      ...['--storage', 'mysql', '--mysql-host', address, '--mysql-port', `${port}`],
      ...['--mysql-database', database, '--mysql-user', user, '--mysql-password', password],
    ],
    faults: [killed, paused, readOnly],
    outages: [killed, paused],
    killed,
    stop: () => server.stop(),
  };
}

async function startThreeEtcds(): Promise<Engine> {
  const etcd = await startEtcd({ members: 3 });
  const killed = faultOf(
    'all of etcd is killed',
    () => etcd.kill(),
    () => etcd.start(),
  );
  const ofSome = (name: string, which: () => Promise<readonly EtcdMember[]>) =>
    faultOf(
      name,
      async () => void (await Promise.all((await which()).map((member) => member.kill()))),
      () => etcd.start(),
    );
  const paused = faultOf(
    'all of etcd hangs',
    () => etcd.pause(),
    async () => etcd.resume(),
  );
  const twoStopped = ofSome('two of three members of etcd are stopped', async () => etcd.members.slice(1));
  return {
    kind: 'etcd',
    storageFlags: () => ['--storage', 'etcd', '--etcd-endpoints', etcd.endpoints.join(',')],
    faults: [
      ofSome('the leader of etcd is killed', async () => [await etcd.leader()]),
      ofSome('a member of etcd is killed', async () => [etcd.members[1]!]),
      ...[killed, paused, twoStopped],
    ],
    outages: [twoStopped, paused],
    killed,
    stop: () => etcd.stop(),
  };
}

async function startOneRedis(): Promise<Engine> {
  const redis = await startRedis();
  const killed = faultOf(
    'Redis is killed',
    () => redis.kill(),
    () => redis.start(),
  );
  const paused = faultOf(
    'Redis hangs',
    () => redis.pause(),
    async () => redis.resume(),
  );
  return {
    kind: 'redis',
    storageFlags: () => ['--storage', 'redis', '--redis-addresses', redis.place],
    faults: [killed, paused],
    outages: [killed, paused],
    killed,
    stop: () => redis.stop(),
  };
}

export function faultOf(name: string, begin: () => Promise<void>, end: () => Promise<void>): EngineFault {
  return { name, begin, end };
}
