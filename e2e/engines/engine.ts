/** What the tests of engines need of each: how nodes reach it, and what can happen to it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EtcdMember, etcdMissing, startEtcd } from './etcd.ts';
import { diskOfEtcdFull, etcdFull } from './etcd-full.ts';
import { mariadbMissing, startMariadb } from './mariadb.ts';
import { redisMissing, startRedis } from './redis.ts';
import { diskOfRedisFull, redisCannotKeep } from './redis-full.ts';
import { makeSmallDisk, type SmallDisk, smallDiskMissing } from './small-disk.ts';

export type EngineKind = 'sqlite' | 'mysql' | 'etcd' | 'redis';

export interface EngineFault {
  readonly name: string;
  begin(): Promise<void>;
  /** Whole again; the data stay. */
  end(): Promise<void>;
}

/** It can be reached, and takes no writes. */
export interface EngineRefusal extends EngineFault {
  /** What whoever writes is told. */
  readonly says: RegExp;
  /** Of a content that is refused sooner or later. */
  readonly contentLength: number;
}

export interface Engine {
  readonly kind: EngineKind;
  /** Of `nacos-kube server`. */
  storageFlags(): readonly string[];
  /** What histories meet by chance. */
  readonly faults: readonly EngineFault[];
  /** It cannot be reached, for as long as it lasts; sqlite is in the nodes themselves and has none. */
  readonly outages: readonly EngineFault[];
  readonly refusals: readonly EngineRefusal[];
  /** SIGKILL to all of it, and started again. */
  readonly killed: EngineFault | undefined;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

export interface EngineOptions {
  /** Its data lie on a disk that can be full; where none can be made, and `CI` is not set, they don't. */
  readonly onSmallDisk?: boolean;
  /** It takes as much as it does by itself, where else a fault could not fill it: for a load. */
  readonly isRoomy?: boolean;
}

export interface EngineChoice {
  readonly kind: EngineKind;
  /** Why it cannot be started here, or false. */
  readonly missing: string | false;
  start(options?: EngineOptions): Promise<Engine>;
}

/** Those that `ENGINES` names, e.g. `mysql,etcd`; all unless told. */
export async function chosenEngines(): Promise<readonly EngineChoice[]> {
  const named = process.env.ENGINES?.split(',');
  return (await engineChoices()).filter(({ kind }) => named === undefined || named.includes(kind));
}

export async function engineChoices(): Promise<readonly EngineChoice[]> {
  return [
    { kind: 'sqlite', missing: false, start: onDisk(128, startSqlite) },
    { kind: 'mysql', missing: (await mariadbMissing()) ?? false, start: onDisk(64, startMysql) },
    // Each member has two files of its log, of 64 MB each, before it holds anything; more of them come with each 64 MB.
    { kind: 'etcd', missing: (await etcdMissing()) ?? false, start: onDisk(1024, startThreeEtcds) },
    { kind: 'redis', missing: (await redisMissing()) ?? false, start: onDisk(64, startOneRedis) },
  ];
}

type Start = (disk: SmallDisk | undefined, isRoomy: boolean) => Promise<Engine>;

function onDisk(mib: number, start: Start): EngineChoice['start'] {
  return async ({ onSmallDisk = false, isRoomy = false } = {}) => {
    const disk = onSmallDisk && smallDiskMissing() === false ? await makeSmallDisk(mib) : undefined;
    try {
      const engine = await start(disk, isRoomy);
      const stop = async () => {
        await engine.stop();
        await disk?.remove();
      };
      return { ...engine, stop };
    } catch (error) {
      await disk?.remove();
      throw error;
    }
  };
}

async function startSqlite(disk: SmallDisk | undefined): Promise<Engine> {
  const folder = await mkdtemp(join(disk?.path ?? tmpdir(), 'nacos-kube-sqlite-'));
  const full = {
    ...faultOf(
      'the disk of sqlite is full',
      () => disk!.fill(),
      () => disk!.free(),
    ),
    ...{ says: /takes no writes now \(the disk is full\)/, contentLength: 50_000 },
  };
  return {
    kind: 'sqlite',
    storageFlags: () => ['--storage', 'sqlite', '--sqlite-file', join(folder, 'store.sqlite')],
    faults: disk === undefined ? [] : [full],
    outages: [],
    refusals: disk === undefined ? [] : [full],
    killed: undefined,
    stop: () => rm(folder, { recursive: true, force: true }),
  };
}

async function startMysql(disk: SmallDisk | undefined): Promise<Engine> {
  const server = await startMariadb(disk === undefined ? {} : { parent: disk.path });
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
  const readOnly = {
    ...faultOf(
      'MariaDB is read-only',
      async () => void (await server.query('SET GLOBAL read_only = 1')),
      async () => void (await server.query('SET GLOBAL read_only = 0')),
    ),
    ...{ says: /takes no writes now \(the database is read-only\)/, contentLength: 10 },
  };
  const full = {
    ...faultOf(
      'the disk of MariaDB is full',
      () => disk!.fill(),
      async () => {
        await disk!.free();
        // It ends when it cannot even undo.
        if (server.isRunning) return;
        await server.kill();
        await server.start();
      },
    ),
    // What takes many pages ends it.
    ...{ says: /takes no writes now \(the disk of the database is full\)/, contentLength: 6_000 },
  };
  const ofDisk = disk === undefined ? [] : [full];
  return {
    kind: 'mysql',
    storageFlags: () => [
      ...['--storage', 'mysql', '--mysql-host', address, '--mysql-port', `${port}`],
      ...['--mysql-database', database, '--mysql-user', user, '--mysql-password', password],
    ],
    faults: [killed, paused, readOnly, ...ofDisk],
    outages: [killed, paused],
    refusals: [readOnly, ...ofDisk],
    killed,
    stop: () => server.stop(),
  };
}

async function startThreeEtcds(disk: SmallDisk | undefined, isRoomy: boolean): Promise<Engine> {
  const quota = isRoomy ? [] : ['--quota-backend-bytes=20000000'];
  const etcd = await startEtcd({ members: 3, flags: quota, ...(disk !== undefined && { parent: disk.path }) });
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
  let hung: EtcdMember | undefined;
  const leaderPaused = faultOf(
    'the leader of etcd hangs',
    async () => {
      hung = await etcd.leader();
      await hung.pause();
    },
    async () => hung?.resume(),
  );
  const twoStopped = ofSome('two of three members of etcd are stopped', async () => etcd.members.slice(1));
  const ofDisk = disk === undefined ? [] : [diskOfEtcdFull(etcd, disk)];
  return {
    kind: 'etcd',
    storageFlags: () => ['--storage', 'etcd', '--etcd-endpoints', etcd.endpoints.join(',')],
    faults: [
      ofSome('the leader of etcd is killed', async () => [await etcd.leader()]),
      ofSome('a member of etcd is killed', async () => [etcd.members[1]!]),
      ...[killed, paused, twoStopped, leaderPaused, etcdFull(etcd), ...ofDisk],
    ],
    outages: [twoStopped, paused, ...ofDisk],
    refusals: [etcdFull(etcd)],
    killed,
    stop: () => etcd.stop(),
  };
}

async function startOneRedis(disk: SmallDisk | undefined): Promise<Engine> {
  const redis = await startRedis(disk === undefined ? {} : { parent: disk.path });
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
  const alone = {
    ...faultOf(
      'Redis wants a replica',
      async () => void (await redis.command('CONFIG', 'SET', 'min-replicas-to-write', 1)),
      async () => void (await redis.command('CONFIG', 'SET', 'min-replicas-to-write', 0)),
    ),
    ...{ says: /takes no writes now \(too few replicas are connected/, contentLength: 10 },
  };
  const ofDisk = disk === undefined ? [] : [diskOfRedisFull(redis, disk)];
  return {
    kind: 'redis',
    storageFlags: () => ['--storage', 'redis', '--redis-addresses', redis.place],
    faults: [killed, paused, alone, ...ofDisk],
    outages: [killed, paused, ...ofDisk],
    refusals: [alone, ...(disk === undefined ? [] : [redisCannotKeep(redis, disk)])],
    killed,
    stop: () => redis.stop(),
  };
}

export function faultOf(name: string, begin: () => Promise<void>, end: () => Promise<void>): EngineFault {
  return { name, begin, end };
}
