import type { Host, Timer } from '../host/host.ts';
import type { Check, ProbeOutcome, ProbeTarget } from './target.ts';

export const MYSQL_CONNECT_TIMEOUT_MS = 500;
/** Connecting and logging in. */
const LOGIN_TIMEOUT_MS = 2 * MYSQL_CONNECT_TIMEOUT_MS;
export const QUERY_TIMEOUT_MS = 1_000;
/** Connections that wait for their next query; beyond it the one that waits for longest is closed. */
export const KEPT_CONNECTIONS_MAX = 512;
/** Nobody asks by it any more. */
export const KEPT_MS = 60_000;
/** The first one says all; a command that gives more is cut off. */
const ROWS_MAX = 1_000;
const MASTER_COMMAND = "show global variables where variable_name='read_only'";

/** Asks a database whether it does its work. The programs bring it, for they have the driver. */
export type MysqlProbe = (target: ProbeTarget, check: Check & { readonly kind: 'MYSQL' }) => Promise<ProbeOutcome>;

/** What is needed of the mysql2 that the programs bring. */
export type MysqlDriver = (options: {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly connectTimeout: number;
  readonly disableEval: true;
  readonly multipleStatements: false;
}) => MysqlConnection;

export interface MysqlConnection {
  connect(done: (error: unknown) => void): void;
  query(options: { readonly sql: string; readonly rowsAsArray: true }): MysqlQuery;
  on(event: 'error' | 'end', run: () => void): unknown;
  destroy(): void;
}

export interface MysqlQuery {
  on(event: 'error' | 'result' | 'end', run: (value: unknown) => void): unknown;
}

/** `close` ends the connections that are kept; whoever goes on asking makes new ones. */
export function createMysqlProbe(host: Host, driver: MysqlDriver): MysqlProbe & { close(): void } {
  const kept = new KeptConnections(host);
  const probe: MysqlProbe = async (target, { user, password, command }) => {
    if (command.trim() === '') return 'down';
    const place = JSON.stringify([target.service, target.key, target.ip, target.port, user, password]);
    let connection = kept.take(place);
    try {
      if (connection === undefined) {
        const { ip, port } = target;
        const fresh = driver({
          ...{ host: ip, port, user, password, connectTimeout: MYSQL_CONNECT_TIMEOUT_MS },
          ...{ disableEval: true, multipleStatements: false },
        });
        connection = fresh;
        // Told to whoever waits; while nobody does, the next query finds it out.
        fresh.on('error', () => kept.drop(place, fresh));
        fresh.on('end', () => kept.drop(place, fresh));
        await within(host, LOGIN_TIMEOUT_MS, (done) => fresh.connect((error) => done(error)));
      }
      const first = await firstRow(host, connection, command);
      if (first === 'too many') connection.destroy();
      else kept.put(place, connection);
      const isReadOnly = command === MASTER_COMMAND && Array.isArray(first) && String(first[1]).toUpperCase() === 'ON';
      return isReadOnly ? 'failed' : 'ok';
    } catch (error) {
      connection?.destroy();
      return outcomeOf(error);
    }
  };
  return Object.assign(probe, { close: () => kept.close() });
}

/** Connections by place, from the one that waits for longest to the newest. */
class KeptConnections {
  readonly #host: Host;
  readonly #kept = new Map<string, { readonly connection: MysqlConnection; readonly sinceMs: number }>();
  #sweep: Timer | undefined;

  constructor(host: Host) {
    this.#host = host;
  }

  take(place: string): MysqlConnection | undefined {
    const found = this.#kept.get(place);
    this.#kept.delete(place);
    return found?.connection;
  }

  put(place: string, connection: MysqlConnection): void {
    this.drop(place);
    this.#kept.set(place, { connection, sinceMs: this.#host.clock.monotonic() });
    const [oldest = ''] = this.#kept.keys();
    if (this.#kept.size > KEPT_CONNECTIONS_MAX) this.drop(oldest);
    this.#sweep ??= this.#host.clock.after(KEPT_MS, () => this.#sweepIdle());
  }

  drop(place: string, only?: MysqlConnection): void {
    const found = this.#kept.get(place);
    if (found === undefined || (only !== undefined && found.connection !== only)) return;
    this.#kept.delete(place);
    found.connection.destroy();
  }

  close(): void {
    this.#sweep?.cancel();
    this.#sweep = undefined;
    for (const place of [...this.#kept.keys()]) this.drop(place);
  }

  #sweepIdle(): void {
    this.#sweep = undefined;
    const nowMs = this.#host.clock.monotonic();
    for (const [place, { sinceMs }] of this.#kept) {
      if (nowMs - sinceMs < KEPT_MS) break;
      this.drop(place);
    }
    if (this.#kept.size > 0) this.#sweep = this.#host.clock.after(KEPT_MS, () => this.#sweepIdle());
  }
}

class SilenceError extends Error {
  override readonly name = 'SilenceError';
}

/** Resolves with the first row, if there is one. */
function firstRow(host: Host, connection: MysqlConnection, sql: string): Promise<unknown> {
  let rows = 0;
  let first: unknown;
  return within(host, QUERY_TIMEOUT_MS, (done) => {
    const query = connection.query({ sql, rowsAsArray: true });
    query.on('result', (row) => {
      if (rows++ === 0) first = row;
      if (rows > ROWS_MAX) done(null, 'too many');
    });
    query.on('error', (error) => done(error));
    query.on('end', () => done(null, first));
  });
}

async function within<T>(
  host: Host,
  timeoutMs: number,
  start: (done: (error: unknown, value?: T) => void) => void,
): Promise<T | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
  const timer = host.clock.after(timeoutMs, () => reject(new SilenceError(`no answer in ${timeoutMs} ms`)));
  start((error, value) => (error ? reject(error) : resolve(value)));
  try {
    return await promise;
  } finally {
    timer.cancel();
  }
}

/** Only what the server itself says has an SQL state. */
function outcomeOf(error: unknown): ProbeOutcome {
  if (error instanceof SilenceError) return 'timeout';
  if (!(error instanceof Error)) return 'failed';
  const { code, sqlState } = error as Error & { readonly code?: unknown; readonly sqlState?: unknown };
  if (code === 'ETIMEDOUT') return 'timeout';
  return code === 'ECONNREFUSED' || typeof sqlState === 'string' ? 'down' : 'failed';
}
