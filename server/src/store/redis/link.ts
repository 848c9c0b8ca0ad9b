import type { Host, Timer } from '@nacos-kube/core/host/host.ts';
import { OPERATION_DEADLINE_MS } from '../bounds.ts';
import { StoreError } from '../store.ts';
import { connect, type RedisConnection } from './connection.ts';
import { isAnswer, isParting, isUndone, storeErrorOf, wordOf } from './errors.ts';
import type { RedisLocator } from './locate.ts';
import type { ServerCheck } from './server-check.ts';
import { placeOf, type RedisSettings } from './settings.ts';

/** For connecting, and for looking whether the server is fit; one that hangs takes connections too. */
const CONNECT_MS = 1500;
const RETRY_MS = 50;
const RETRY_MS_MAX = 1000;
/** Of one link, sent or waiting for a connection. */
const CALLS_MAX = 5000;
const ATTEMPTS_MAX = 5;
const ATTEMPT_WAIT_MS = 50;

export interface Call<T> {
  /** A call that changes nothing may be sent again when its connection broke. */
  readonly isWrite: boolean;
  /** Instead of the deadline of the store, for what Redis holds back on purpose. */
  readonly withinMs?: number;
  send(connection: RedisConnection, leftMs: number): Promise<T>;
}

class SilenceError extends StoreError {}

/**
 * One connection to whatever server is right now, made anew when it is lost.
 *
 * States: closed > connecting > ready > (lost) > waiting > connecting ... Calls wait for the attempt that is under way or
 * comes next, within their deadline, and fail with it. A call that is not answered in time ends the connection: nobody
 * knows what state it is in.
 */
export class RedisLink {
  readonly #host: Host;
  readonly #settings: RedisSettings;
  readonly #locator: RedisLocator;
  readonly #check: ServerCheck;
  readonly #place: string;
  readonly #isTelling: boolean;
  readonly #waiting = new Set<PromiseWithResolvers<RedisConnection>>();
  readonly #readyReaders: ((connection: RedisConnection) => Promise<void>)[] = [];
  #connection: RedisConnection | undefined;
  #retry: Timer | undefined;
  #isOpen = false;
  #isConnecting = false;
  #failuresInRow = 0;
  /** Before that, whoever opens the store tells of failures. */
  #wasAccepted = false;
  #isOutageTold = false;
  #acceptedAt = 0;
  #calls = 0;

  /** `isTelling`: of several links of one store, the one whose outages are logged. */
  constructor(host: Host, settings: RedisSettings, locator: RedisLocator, check: ServerCheck, isTelling: boolean) {
    this.#host = host;
    this.#settings = settings;
    this.#locator = locator;
    this.#check = check;
    this.#place = placeOf(settings);
    this.#isTelling = isTelling;
  }

  /** The server it is connected to. */
  get address(): string | undefined {
    return this.#connection === undefined ? undefined : addressOf(this.#connection);
  }

  /** Run with each new connection before calls are; its rejection is a failed attempt. */
  onReady(run: (connection: RedisConnection) => Promise<void>): void {
    this.#readyReaders.push(run);
  }

  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#connect();
  }

  close(): void {
    this.#isOpen = false;
    this.#retry?.cancel();
    this.#connection?.close();
    this.#connection = undefined;
    this.#wasAccepted = false;
    this.#isOutageTold = false;
    this.#refuse(new StoreError('unavailable', `${this.#place}: the store is not running`));
  }

  /** Has it look for the right server again. */
  drop(connection = this.#connection): void {
    if (connection === undefined) return;
    connection.close();
    if (connection !== this.#connection) return;
    this.#connection = undefined;
    if (!this.#isOpen) return;
    // One that lasted is replaced at once; a server that takes connections only to end them is not asked all the time.
    if (this.#host.clock.monotonic() - this.#acceptedAt > RETRY_MS_MAX) this.#connect();
    else this.#connectLater();
  }

  /** Rejects with `StoreError`. */
  async call<T>(call: Call<T>): Promise<T> {
    if (this.#calls >= CALLS_MAX) {
      throw new StoreError('unavailable', `${this.#place}: ${CALLS_MAX} calls already wait for an answer`);
    }
    this.#calls += 1;
    try {
      return await this.#callUntil(call, this.#host.clock.monotonic() + (call.withinMs ?? OPERATION_DEADLINE_MS));
    } finally {
      this.#calls -= 1;
    }
  }

  async #callUntil<T>(call: Call<T>, until: number): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const connection = this.#connection ?? (await this.#ready(until));
      try {
        return await this.#within(until, call.send(connection, until - this.#host.clock.monotonic()));
      } catch (error) {
        if (error instanceof SilenceError || isParting(error)) this.drop(connection);
        const canRepeat = isUndone(error) || (!call.isWrite && isCutOff(error)) || this.#hasMoved(error);
        const isTime = until - this.#host.clock.monotonic() > ATTEMPT_WAIT_MS;
        if (!this.#isOpen || !canRepeat || !isTime || attempt === ATTEMPTS_MAX) throw this.#told(error, call.isWrite);
      }
      await this.#host.clock.sleep(ATTEMPT_WAIT_MS);
    }
  }

  /** A master that has become a replica: where others say who is the master now, they are asked. */
  #hasMoved(error: unknown): boolean {
    return this.#settings.mode !== 'single' && wordOf(error) === 'READONLY';
  }

  #told(error: unknown, isWrite: boolean): StoreError {
    const told = storeErrorOf(error, this.#place);
    if (!isWrite || isAnswer(error) || told.kind !== 'unavailable') return told;
    return new StoreError(told.kind, `${told.message}; the write may have been stored`, { cause: told.cause });
  }

  async #ready(until: number): Promise<RedisConnection> {
    if (!this.#isOpen) throw new StoreError('unavailable', `${this.#place}: the store is not running`);
    const waiting = Promise.withResolvers<RedisConnection>();
    this.#waiting.add(waiting);
    try {
      return await this.#within(until, waiting.promise);
    } finally {
      this.#waiting.delete(waiting);
    }
  }

  async #within<T>(until: number, work: Promise<T>): Promise<T> {
    const late = Promise.withResolvers<never>();
    const message = `${this.#place}: no answer in time, is it overloaded or cut off?`;
    const timer = this.#host.clock.after(Math.max(0, until - this.#host.clock.monotonic()), () => {
      late.reject(new SilenceError('unavailable', message));
    });
    try {
      return await Promise.race([work, late.promise]);
    } finally {
      timer.cancel();
    }
  }

  #connect(): void {
    if (this.#isConnecting || this.#connection !== undefined) return;
    this.#retry?.cancel();
    this.#isConnecting = true;
    this.#host.background('connect to Redis', this.#attempt());
  }

  async #attempt(): Promise<void> {
    let connection: RedisConnection | undefined;
    try {
      connection = await this.#dial();
      if (!this.#isOpen) throw new StoreError('unavailable', `${this.#place}: the store was stopped`);
      this.#isConnecting = false;
      this.#accept(connection);
    } catch (error) {
      connection?.close();
      this.#isConnecting = false;
      this.#failed(storeErrorOf(error, this.#place));
    }
  }

  async #dial(): Promise<RedisConnection> {
    const address = await this.#locator.find();
    const connection = await connect(this.#host, this.#settings, address, { withLogin: true, withinMs: CONNECT_MS });
    try {
      await this.#within(this.#host.clock.monotonic() + CONNECT_MS, this.#prove(connection));
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  async #prove(connection: RedisConnection): Promise<void> {
    await this.#check.run(connection);
    for (const run of this.#readyReaders) await run(connection);
  }

  #accept(connection: RedisConnection): void {
    this.#connection = connection;
    this.#acceptedAt = this.#host.clock.monotonic();
    this.#wasAccepted = true;
    if (this.#isOutageTold) {
      this.#host.log.info('Redis is back', { server: addressOf(connection), failures: this.#failuresInRow });
    }
    this.#isOutageTold = false;
    this.#failuresInRow = 0;
    connection.onEnd(() => this.drop(connection));
    for (const waiting of this.#waiting) waiting.resolve(connection);
    this.#waiting.clear();
  }

  #failed(error: StoreError): void {
    this.#failuresInRow += 1;
    if (this.#isTelling && this.#isOpen && this.#wasAccepted && !this.#isOutageTold) {
      this.#host.log.warn('Redis cannot be used', { error });
      this.#isOutageTold = true;
    }
    this.#refuse(error);
    if (this.#isOpen) this.#connectLater();
  }

  #connectLater(): void {
    const waitMs = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** Math.min(Math.max(0, this.#failuresInRow - 1), 10));
    this.#retry?.cancel();
    this.#retry = this.#host.clock.after(waitMs * (0.75 + this.#host.random.float() / 4), () => this.#connect());
  }

  #refuse(error: StoreError): void {
    for (const waiting of this.#waiting) waiting.reject(error);
    this.#waiting.clear();
  }
}

function addressOf({ address }: RedisConnection): string {
  return `${address.host}:${address.port}`;
}

/** The connection broke, which is known at once; silence is not, and is not met twice. */
function isCutOff(error: unknown): boolean {
  return !isAnswer(error) && !(error instanceof StoreError);
}
