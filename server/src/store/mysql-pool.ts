import type { Host, Timer } from '@nacos-kube/core/host/host.ts';
import { isFatal, isLockWait, isRetried, storeErrorOf } from './mysql-errors.ts';
import { ABANDONED_AFTER_S, MysqlSession, Patience } from './mysql-session.ts';
import { type MysqlSettings, placeOf } from './mysql-settings.ts';
import { StoreError } from './store.ts';

const CONNECTIONS_MAX = 10;
const WAITING_MAX = 1000;
/** Well before the server does it by itself. */
const IDLE_MS_MAX = (ABANDONED_AFTER_S * 1000) / 2;
const IDLE_CHECK_MS = 1000;
const ATTEMPTS_MAX = 10;
const RETRY_MS = 20;

/** A bounded number of sessions, and callers that wait for one no longer than their patience. */
export class MysqlPool {
  readonly place: string;
  readonly #host: Host;
  readonly #settings: MysqlSettings;
  readonly #idle: MysqlSession[] = [];
  readonly #all = new Set<MysqlSession>();
  readonly #waiting: ((session: MysqlSession | undefined) => void)[] = [];
  #connecting = 0;
  #idleCheck: Timer | undefined;
  #transactions = 0;
  #isOpen = false;

  constructor(host: Host, settings: MysqlSettings) {
    this.#host = host;
    this.#settings = settings;
    this.place = placeOf(settings);
  }

  open(): void {
    this.#isOpen = true;
    this.#idleCheck ??= this.#host.clock.every(IDLE_CHECK_MS, () => this.#closeIdle());
  }

  close(): void {
    this.#isOpen = false;
    this.#idleCheck?.cancel();
    this.#idleCheck = undefined;
    for (const session of this.#all) session.destroy();
    this.#all.clear();
    this.#idle.length = 0;
    for (const wake of this.#waiting.splice(0)) wake(undefined);
  }

  /** Rejects with `StoreError`. Tried again once when its connection turned out to be gone, as after a restart. */
  async read<T>(work: (session: MysqlSession) => Promise<T>): Promise<T> {
    const patience = new Patience(this.#host.clock);
    try {
      return await this.#use(patience, work);
    } catch (error) {
      if (!wasCutOff(error)) throw error;
      return this.#use(patience, work);
    }
  }

  /** Those that were committed. */
  get transactions(): number {
    return this.#transactions;
  }

  /**
   * One transaction, tried again as a whole when it met another one or its connection was lost before the commit. From
   * the commit on an error leaves open whether it was stored. `waitsOnce`: a row that another holds ends it.
   */
  async transact<T>(work: (session: MysqlSession) => Promise<T>, { waitsOnce = false } = {}): Promise<T> {
    const patience = new Patience(this.#host.clock);
    for (let attempt = 1; ; attempt += 1) {
      let isCommitting = false;
      try {
        return await this.#use(patience, async (session) => {
          await session.command('START TRANSACTION');
          try {
            const result = await work(session);
            isCommitting = true;
            await session.command('COMMIT');
            this.#transactions += 1;
            return result;
          } catch (error) {
            if (!isFatal(error)) await session.command('ROLLBACK');
            throw error;
          }
        });
      } catch (error) {
        const { cause } = error as Error;
        if (waitsOnce && isLockWait(cause)) throw error;
        const wasRolledBack = isRetried(cause) || (!isCommitting && wasCutOff(error));
        if (!wasRolledBack || attempt === ATTEMPTS_MAX || patience.leftMs() <= 0 || !this.#isOpen) throw error;
      }
      await this.#host.clock.sleep(this.#host.random.float() * RETRY_MS * attempt);
    }
  }

  async #use<T>(patience: Patience, work: (session: MysqlSession) => Promise<T>): Promise<T> {
    const session = await this.#take(patience);
    session.patience = patience;
    try {
      return await work(session);
    } catch (error) {
      if (isFatal(error)) {
        session.destroy();
        // What one connection met the idle ones most likely will meet, each after its own silence.
        if (error instanceof StoreError && error.kind === 'unavailable') this.#destroyIdle();
      }
      throw storeErrorOf(error, this.place);
    } finally {
      this.#giveBack(session);
    }
  }

  /** Whoever waits comes first: a session is handed on, and a new caller queues behind. */
  async #take(patience: Patience): Promise<MysqlSession> {
    for (let isNew = true; ; isNew = false) {
      if (!this.#isOpen) throw new StoreError('unavailable', `${this.place}: the store is not running`);
      if (!isNew || this.#waiting.length === 0) {
        const idle = this.#idle.pop();
        if (idle?.isBroken) {
          this.#all.delete(idle);
          continue;
        }
        if (idle !== undefined) return idle;
        if (this.#all.size + this.#connecting < CONNECTIONS_MAX) return this.#connect(patience);
      }
      const handed = await this.#waitForSession(patience);
      if (handed !== undefined) return handed;
    }
  }

  async #connect(patience: Patience): Promise<MysqlSession> {
    this.#connecting += 1;
    try {
      const session = await MysqlSession.connect(this.#host, this.#settings, patience);
      this.#all.add(session);
      if (!this.#isOpen) {
        session.destroy();
        throw new StoreError('unavailable', `${this.place}: the store was stopped`);
      }
      return session;
    } finally {
      this.#connecting -= 1;
      // After a failure there is room for another attempt.
      if (this.#all.size + this.#connecting < CONNECTIONS_MAX) this.#waiting.shift()?.(undefined);
    }
  }

  /** Undefined: there may be room for a new one. */
  async #waitForSession(patience: Patience): Promise<MysqlSession | undefined> {
    if (this.#waiting.length >= WAITING_MAX) {
      throw new StoreError('unavailable', `${this.place}: ${WAITING_MAX} calls already wait for a connection`);
    }
    const { promise, resolve } = Promise.withResolvers<MysqlSession | undefined>();
    this.#waiting.push(resolve);
    try {
      return await patience.within(promise, this.place);
    } finally {
      const index = this.#waiting.indexOf(resolve);
      if (index >= 0) this.#waiting.splice(index, 1);
    }
  }

  #giveBack(session: MysqlSession): void {
    const next = this.#waiting.shift();
    if (session.isBroken || !this.#isOpen) {
      session.destroy();
      this.#all.delete(session);
      next?.(undefined);
    } else if (next !== undefined) {
      next(session);
    } else {
      session.idleSince = this.#host.clock.monotonic();
      this.#idle.push(session);
    }
  }

  #closeIdle(): void {
    const before = this.#host.clock.monotonic() - IDLE_MS_MAX;
    while (this.#idle[0] !== undefined && (this.#idle[0].isBroken || this.#idle[0].idleSince < before)) {
      const session = this.#idle.shift()!;
      session.close();
      this.#all.delete(session);
    }
  }

  #destroyIdle(): void {
    for (const session of this.#idle.splice(0)) {
      session.destroy();
      this.#all.delete(session);
    }
  }
}

/** The connection broke or was refused, which is known at once; silence is not, and is not met twice. */
function wasCutOff(error: unknown): boolean {
  return error instanceof StoreError && error.kind === 'unavailable' && error.cause !== undefined;
}
