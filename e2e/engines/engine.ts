/** What the tests of engines need of each: how nodes reach it, and what can happen to it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mariadbMissing, startMariadb } from './mariadb.ts';

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
  const all: readonly EngineChoice[] = [
    { kind: 'sqlite', missing: false, start: startSqlite },
    { kind: 'mysql', missing: (await mariadbMissing()) ?? false, start: startMysql },
  ];
  return all.filter(({ kind }) => named === undefined || named.includes(kind));
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
    async () => server.pause(),
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

export function faultOf(name: string, begin: () => Promise<void>, end: () => Promise<void>): EngineFault {
  return { name, begin, end };
}
