import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createConnection } from 'mysql2/promise';
import { needs, programPath } from '../../scripts/needs.ts';
import { freePort } from '../processes/ports.ts';
import { OwnProcess } from './own-process.ts';

export interface MariadbOptions {
  /** Default: a free one. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly bindAddress?: string;
  /** Where the folder of its tables is made, e.g. a small file system; default: the one for temporary files. */
  readonly parent?: string;
  /** Further flags of the server. */
  readonly flags?: readonly string[];
  /** Where the server shall run, e.g. in a network namespace: the command for a command. The process must stay the same. */
  readonly runner?: (command: readonly [string, ...string[]]) => readonly [string, ...string[]];
}

/** A server of its own with an empty database `nacos` and a user who may do all in it. */
export interface Mariadb {
  readonly address: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  readonly url: string;
  /** False when it was killed, and when it has ended by itself. */
  readonly isRunning: boolean;
  /** As root, in the database. Resolves with the rows. */
  query(sql: string): Promise<readonly Record<string, unknown>[]>;
  /** Another empty database for the same user. Resolves with its name. */
  makeDatabase(name: string): Promise<string>;
  /** SIGKILL; the data stay for `start`. */
  kill(): Promise<void>;
  /** As told by SIGTERM, with all that it has to do later done and in its files; the data stay for `start`. */
  shutDown(): Promise<void>;
  /** On the same data and port, after `kill` or `shutDown`. */
  start(): Promise<void>;
  /** SIGSTOP: it holds its connections and answers nothing. */
  pause(): Promise<void>;
  resume(): void;
  /** Ends the server and removes its data. */
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 60_000;
const DATABASE = 'nacos';
const USER = 'nacos';

/** Why no server can be started here, or undefined. Where `CI` is set a lack is an error and no reason to skip. */
export async function mariadbMissing(): Promise<string | undefined> {
  for (const program of ['mariadbd', 'mariadb-install-db']) {
    const missing = await needs(program, 'mariadb-server');
    if (missing !== false) return missing;
  }
  return undefined;
}

export async function startMariadb(options: MariadbOptions = {}): Promise<Mariadb> {
  const server = new MariadbServer(options, options.port ?? (await freePort()));
  try {
    await server.install();
    await server.start();
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

class MariadbServer implements Mariadb {
  readonly address: string;
  readonly port: number;
  readonly database = DATABASE;
  readonly user = USER;
  readonly password = randomBytes(12).toString('hex');
  readonly #flags: readonly string[];
  readonly #runner: NonNullable<MariadbOptions['runner']>;
  readonly #parent: string | undefined;
  #directory = '';
  #tables = '';
  readonly #process = new OwnProcess();

  constructor(options: MariadbOptions, port: number) {
    this.address = options.bindAddress ?? '127.0.0.1';
    this.port = port;
    this.#parent = options.parent;
    this.#flags = options.flags ?? [];
    this.#runner = options.runner ?? ((command) => command);
  }

  get url(): string {
    return `mysql://${USER}:${this.password}@${this.address}:${this.port}/${DATABASE}`;
  }

  get isRunning(): boolean {
    return this.#process.isRunning;
  }

  async install(): Promise<void> {
    this.#directory = await mkdtemp(join(tmpdir(), 'nacos-kube-mariadb-'));
    this.#tables =
      this.#parent === undefined ? this.#path('data') : await mkdtemp(join(this.#parent, 'nacos-kube-mariadb-'));
    for (const name of ['log', 'tmp']) await mkdir(this.#path(name));
    const install = (await programPath('mariadb-install-db')) ?? 'mariadb-install-db';
    const init = [
      `CREATE DATABASE IF NOT EXISTS ${DATABASE};`,
      `CREATE USER IF NOT EXISTS '${USER}'@'%' IDENTIFIED BY '${this.password}';`,
      `GRANT ALL ON ${DATABASE}.* TO '${USER}'@'%';`,
    ];
    await writeFile(this.#path('init.sql'), init.join('\n'));
    if (isRoot()) {
      // As root the server refuses to run, so all is its own user's.
      await mkdir(this.#tables, { recursive: true });
      await promisify(execFile)('chown', ['-R', 'mysql', this.#directory, this.#tables]);
      await chmod(this.#directory, 0o755);
    }
    const asUser = isRoot() ? ['--user=mysql'] : [];
    await promisify(execFile)(install, [
      ...['--no-defaults', ...this.#places, '--skip-test-db', '--skip-name-resolve'],
      ...['--auth-root-authentication-method=normal', ...asUser],
    ]);
  }

  async start(): Promise<void> {
    const log = this.#path('server.log');
    const [program, ...args] = this.#runner([
      (await programPath('mariadbd')) ?? 'mariadbd',
      ...['--no-defaults', ...this.#places, `--socket=${this.#path('socket')}`],
      ...[`--port=${this.port}`, `--bind-address=${this.address}`, `--pid-file=${this.#path('pid')}`],
      ...[`--log-error=${log}`, `--init-file=${this.#path('init.sql')}`, '--skip-name-resolve'],
      ...['--innodb-buffer-pool-size=64M', ...(isRoot() ? ['--user=mysql'] : []), ...this.#flags],
    ]);
    this.#process.start(program, args);
    const deadline = performance.now() + READY_WITHIN_MS;
    while (!(await this.#answers())) {
      if (this.#process.hasFailed || performance.now() > deadline) {
        throw new Error(`mariadbd did not start: ${(await readFile(log, 'utf8')).slice(-2000)}`);
      }
      await sleep(50);
    }
  }

  async query(sql: string): Promise<readonly Record<string, unknown>[]> {
    const connection = await createConnection({
      ...{ socketPath: this.#path('socket'), user: 'root', database: DATABASE, charset: 'utf8mb4' },
      ...{ multipleStatements: true },
    });
    try {
      const [rows] = await connection.query(sql);
      return rows as unknown as readonly Record<string, unknown>[];
    } finally {
      connection.destroy();
    }
  }

  async makeDatabase(name: string): Promise<string> {
    await this.query(`CREATE DATABASE ${name}; GRANT ALL ON ${name}.* TO '${USER}'@'%'`);
    return name;
  }

  async kill(): Promise<void> {
    await this.#process.end('SIGKILL');
  }

  async shutDown(): Promise<void> {
    await this.query('SET GLOBAL innodb_fast_shutdown = 0');
    await this.#process.end('SIGTERM');
  }

  async pause(): Promise<void> {
    await this.#process.pause();
  }

  resume(): void {
    this.#process.resume();
  }

  async stop(): Promise<void> {
    await this.#process.end('SIGTERM');
    for (const directory of [this.#tables, this.#directory]) {
      if (directory !== '') await rm(directory, { recursive: true, force: true });
    }
  }

  /**
   * Its log of changes and what it undoes with are apart from its tables: without these it gives up. A server that starts
   * clears the folder for its temporary tables, which must not be that of another.
   */
  get #places(): readonly string[] {
    const log = this.#path('log');
    return [
      ...[`--datadir=${this.#tables}`, `--innodb-data-home-dir=${log}`, `--innodb-log-group-home-dir=${log}`],
      `--tmpdir=${this.#path('tmp')}`,
    ];
  }

  /** By the socket, which is reached from any network. The user comes from the init file, which is read after it is open. */
  async #answers(): Promise<boolean> {
    try {
      const { user, password, database } = this;
      const socketPath = this.#path('socket');
      const connection = await createConnection({ socketPath, user, password, database, connectTimeout: 2000 });
      connection.destroy();
      return true;
    } catch {
      return false;
    }
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }
}

function isRoot(): boolean {
  return userInfo().uid === 0;
}
