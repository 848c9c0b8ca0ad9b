import type { Clock, Host } from '@nacos-kube/core/host/host.ts';
import { type Connection, createConnection, type ResultSetHeader, type RowDataPacket } from 'mysql2';
import { storeErrorOf } from './mysql-errors.ts';
import { type MysqlSettings, placeOf, readParameters } from './mysql-settings.ts';
import { StoreError } from './store.ts';

/** Without an answer for so long, connecting included, the database counts as away (P8). */
export const SILENCE_MS = 3000;
/** A transaction that is answered, but slowly, ends here. */
export const TRANSACTION_MS = 5000;
/**
 * The server ends our transactions that are left open for so long, as a frozen process leaves them. The feed relies on it:
 * no change becomes visible later than this after its id was taken.
 */
export const ABANDONED_AFTER_S = 8;
const LOCK_WAIT_S = 2;

export type Row = Readonly<Record<string, unknown>>;
export type SqlValue = string | number | null;

/** A parameter that is an id as text; as it is, it would be compared as a floating point number. */
export const ID_VALUE = 'CAST(? AS UNSIGNED)';

/** Which server answers, and since when it runs, by its own clock. */
export interface ServerRun {
  readonly name: string;
  readonly startedS: number;
}

/** How much longer one call may take. */
export class Patience {
  readonly #clock: Clock;
  readonly #until: number;
  #answeredAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#answeredAt = clock.monotonic();
    this.#until = this.#answeredAt + TRANSACTION_MS;
  }

  leftMs(): number {
    return Math.min(this.#answeredAt + SILENCE_MS, this.#until) - this.#clock.monotonic();
  }

  answered(): void {
    this.#answeredAt = this.#clock.monotonic();
  }

  /** Settles as `work` does, or rejects when the patience is at its end; then `work` is left to itself. */
  async within<T>(work: Promise<T>, place: string): Promise<T> {
    const late = Promise.withResolvers<never>();
    const message = `${place}: no answer in time, is the database overloaded or cut off?`;
    const timer = this.#clock.after(Math.max(0, this.leftMs()), () => {
      late.reject(new StoreError('unavailable', message));
    });
    try {
      return await Promise.race([work, late.promise]);
    } finally {
      timer.cancel();
    }
  }
}

/** One connection, set up as everything here relies on. Errors are the driver's own, or `StoreError` for silence. */
export class MysqlSession {
  readonly #connection: Connection;
  readonly place: string;
  patience: Patience;
  isBroken = false;
  idleSince = 0;
  /** Between two ids of one insert; Galera takes more than 1. */
  autoIncrementStep = 1;
  packetBytesMax = 0;
  server: ServerRun = { name: '', startedS: 0 };

  private constructor(connection: Connection, place: string, patience: Patience) {
    this.#connection = connection;
    this.place = place;
    this.patience = patience;
    connection.on('error', () => {
      this.isBroken = true;
    });
    connection.on('end', () => {
      this.isBroken = true;
    });
  }

  static async connect(host: Host, settings: MysqlSettings, patience: Patience): Promise<MysqlSession> {
    const place = placeOf(settings);
    const { timeZone, tls } = readParameters(settings.parameters);
    const connection = createConnection({
      host: settings.host,
      port: settings.port,
      database: settings.database,
      user: settings.user,
      password: await passwordOf(host, settings),
      connectTimeout: SILENCE_MS,
      charset: 'utf8mb4',
      supportBigNumbers: true,
      disableEval: true,
      multipleStatements: false,
      ...(tls === 'off' ? {} : { ssl: { rejectUnauthorized: tls === 'verified' } }),
    });
    const session = new MysqlSession(connection, place, patience);
    try {
      await session.#wait((done) => connection.connect((error) => done(error)));
      await session.#setUp(timeZone);
      return session;
    } catch (error) {
      session.destroy();
      throw storeErrorOf(error, place);
    }
  }

  async rows(sql: string, values: readonly SqlValue[] = []): Promise<readonly Row[]> {
    return this.#wait<RowDataPacket[]>((done) => this.#connection.execute<RowDataPacket[]>(sql, [...values], done));
  }

  /**
   * Sent as text: MariaDB 10.11 finds the columns of nested derived tables no more when it runs a prepared statement with
   * them a second time.
   */
  async rowsOfText(sql: string): Promise<readonly Row[]> {
    return this.#wait<RowDataPacket[]>((done) => this.#connection.query<RowDataPacket[]>(sql, done));
  }

  async row(sql: string, values: readonly SqlValue[] = []): Promise<Row | undefined> {
    return (await this.rows(sql, values))[0];
  }

  /** With the number of rows it met and the id that it made: a text, for others' ids are beyond 2^53. */
  async change(sql: string, values: readonly SqlValue[] = []): Promise<{ met: number; id: string }> {
    const header = await this.#wait<ResultSetHeader>((done) =>
      this.#connection.execute<ResultSetHeader>(sql, [...values], done),
    );
    return { met: header.affectedRows, id: String(header.insertId) };
  }

  /** For what cannot be prepared. */
  async command(sql: string): Promise<void> {
    await this.#wait((done) => this.#connection.query(sql, done));
  }

  /** Says good-bye, for a connection that is well. */
  close(): void {
    this.isBroken = true;
    this.#connection.end(() => undefined);
  }

  destroy(): void {
    this.isBroken = true;
    this.#connection.destroy();
  }

  async #setUp(timeZone: string): Promise<void> {
    const server = await this.row(
      `SELECT @@auto_increment_increment AS step, @@max_allowed_packet AS packet, @@log_bin AS logs,
         @@binlog_format AS format, CONCAT_WS(':', @@hostname, @@port, @@server_id) AS name, UNIX_TIMESTAMP() AS now`,
    );
    const uptime = (await this.rowsOfText("SHOW GLOBAL STATUS LIKE 'Uptime'"))[0];
    this.server = { name: String(server?.['name']), startedS: Number(server?.['now']) - Number(uptime?.['Value']) };
    this.autoIncrementStep = Number(server?.['step']);
    this.packetBytesMax = Number(server?.['packet']);
    // Read committed takes no locks between keys; a log of statements allows only the stricter level.
    const needsStricter = Number(server?.['logs']) === 1 && server?.['format'] === 'STATEMENT';
    await this.command(
      `SET SESSION TRANSACTION ISOLATION LEVEL ${needsStricter ? 'REPEATABLE READ' : 'READ COMMITTED'}`,
    );
    // Strict: a text that does not fit is refused, never cut. A server may have been told to leave single statements open.
    await this.command(
      `SET SESSION autocommit = 1, completion_type = 'NO_CHAIN', time_zone = '${timeZone}', sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',
       wait_timeout = ${ABANDONED_AFTER_S}, innodb_lock_wait_timeout = ${LOCK_WAIT_S}`,
    );
  }

  async #wait<T>(start: (done: (error: Error | null, result?: T) => void) => void): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    start((error, result) => (error === null ? resolve(result as T) : reject(error)));
    const result = await this.patience.within(promise, this.place);
    this.patience.answered();
    return result;
  }
}

async function passwordOf(host: Host, settings: MysqlSettings): Promise<string> {
  const { password } = settings;
  if (typeof password === 'string') return password;
  try {
    return new TextDecoder().decode(await host.disk.read(password.file)).trimEnd();
  } catch (cause) {
    const message = `${placeOf(settings)}: the password file ${password.file} cannot be read`;
    throw new StoreError('misconfigured', message, { cause });
  }
}
