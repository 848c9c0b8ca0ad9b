import type { Host } from '@nacos-kube/core/host/host.ts';
import { endOfTurn, startWorker } from '@nacos-kube/core/host/node/worker.ts';
import { OPERATION_DEADLINE_MS } from './bounds.ts';
import {
  COMMITTED,
  END,
  type LogTrouble,
  type SqliteAnswer,
  type SqliteCalls,
  type SqliteFailure,
  type SqliteQuestion,
  type SqliteWorkerData,
} from './sqlite-messages.ts';
import { StoreError } from './store.ts';

const QUESTIONS_PENDING_MAX = 10_000;
/** A worker that dies at once must not be started in a tight loop. */
const RESTART_DELAY_MS = 1000;
const BUSY_RETRY_MS = 4;

/** Another process held the file just now; nothing was done. */
export class BusyError extends Error {
  override readonly name = 'BusyError';
}

export function errorOf({ kind, message, because }: SqliteFailure): BusyError | StoreError {
  if (kind === 'busy') return new BusyError(message);
  return new StoreError(kind, message, because === undefined ? {} : { because });
}

type Worker = ReturnType<typeof startWorker>;

/** When it begins, and when it is over. */
const LOG_MESSAGES: Readonly<Record<LogTrouble['of'], readonly [string, string]>> = {
  log: [
    'the log of sqlite cannot be moved into its file; it grows meanwhile',
    'the log of sqlite is moved into its file again',
  ],
  length: [
    'the log of sqlite grows: somebody has been reading what is older for long, e.g. a backup',
    'the log of sqlite is short again',
  ],
  thread: [
    'no thread moves the log of sqlite into its file, so that some writes take longer',
    'a thread moves the log of sqlite into its file again',
  ],
};

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** One worker thread with the questions it still owes an answer. A thread that died is started by the next question. */
export class SqliteThread {
  readonly #host: Host;
  readonly #data: SqliteWorkerData;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #exited: Promise<void> | undefined;
  #startedAt = Number.NEGATIVE_INFINITY;
  #questions = 0;
  #isStopped = false;
  readonly #onCommitted: () => void;

  /** `onCommitted`: a reader that watches has seen that somebody committed. */
  constructor(host: Host, data: SqliteWorkerData, onCommitted = () => {}) {
    this.#host = host;
    this.#data = data;
    this.#onCommitted = onCommitted;
  }

  /** Asks once and waits for as long as it takes; `BusyError` when another process is in the way. */
  askOnce<Call extends keyof SqliteCalls>(
    call: Call,
    ...args: Parameters<SqliteCalls[Call]>
  ): Promise<ReturnType<SqliteCalls[Call]>> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    if (this.#pending.size >= QUESTIONS_PENDING_MAX) {
      reject(new StoreError('unavailable', `${this.#pending.size} calls already wait for ${this.#data.path}`));
    } else {
      const id = ++this.#questions;
      this.#pending.set(id, { resolve, reject });
      try {
        this.#running().post({ id, call, args } satisfies SqliteQuestion);
      } catch (error) {
        this.#pending.delete(id);
        reject(error as Error);
      }
    }
    return promise as Promise<ReturnType<SqliteCalls[Call]>>;
  }

  /** Asks until answered, at most for the deadline. */
  async ask<Call extends keyof SqliteCalls>(
    call: Call,
    ...args: Parameters<SqliteCalls[Call]>
  ): Promise<ReturnType<SqliteCalls[Call]>> {
    const deadline = this.#host.clock.monotonic() + OPERATION_DEADLINE_MS;
    const late = Promise.withResolvers<never>();
    const message = `sqlite file ${this.#data.path}: no answer within ${OPERATION_DEADLINE_MS} ms`;
    const timer = this.#host.clock.after(OPERATION_DEADLINE_MS, () => {
      late.reject(new StoreError('unavailable', message));
    });
    try {
      for (;;) {
        try {
          return await Promise.race([this.askOnce(call, ...args), late.promise]);
        } catch (error) {
          if (!(error instanceof BusyError)) throw error;
          if (this.#host.clock.monotonic() >= deadline) throw new StoreError('unavailable', error.message);
        }
        await this.pause();
      }
    } finally {
      timer.cancel();
    }
  }

  /** A random moment, so that processes which met once do not meet again. */
  pause(): Promise<void> {
    return this.#host.clock.sleep(this.#host.random.float() * BUSY_RETRY_MS);
  }

  endOfTurn(): Promise<void> {
    return endOfTurn();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    const worker = this.#worker;
    // A writer has something to do before it ends.
    if (this.#data.role === 'writer') worker?.post(END);
    else void worker?.stop();
    await this.#exited;
    this.#rejectAll(new StoreError('unavailable', `the store on ${this.#data.path} was stopped`));
  }

  #running(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const nowMs = this.#host.clock.monotonic();
    if (this.#isStopped || nowMs < this.#startedAt + RESTART_DELAY_MS) {
      throw new StoreError('unavailable', `the ${this.#data.role} of ${this.#data.path} is not running`);
    }
    this.#startedAt = nowMs;
    const worker = startWorker(new URL('./sqlite-worker.ts', import.meta.url), this.#data);
    worker.onMessage((answer) => {
      if (answer === COMMITTED) this.#onCommitted();
      else if (typeof answer === 'object' && 'of' in answer!) this.#tell(answer as LogTrouble);
      else this.#settle(answer as SqliteAnswer);
    });
    const exited = Promise.withResolvers<void>();
    this.#exited = exited.promise;
    worker.onExit((why) => {
      exited.resolve();
      if (this.#worker === worker) this.#worker = undefined;
      if (this.#isStopped) return;
      this.#host.log.error('a worker of sqlite ended', { path: this.#data.path, role: this.#data.role, why });
      const message = `the ${this.#data.role} of ${this.#data.path} ended; a write may have been stored`;
      this.#rejectAll(new StoreError('unavailable', message, { cause: why }));
    });
    this.#worker = worker;
    return worker;
  }

  #tell({ of, why }: LogTrouble): void {
    const { path } = this.#data;
    const [trouble, over] = LOG_MESSAGES[of];
    if (why === undefined) this.#host.log.info(over, { path });
    else this.#host.log[of === 'log' ? 'error' : 'warn'](trouble, { path, why });
  }

  #settle(answer: SqliteAnswer): void {
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if ('value' in answer) pending?.resolve(answer.value);
    else pending?.reject(errorOf(answer.failure));
  }

  #rejectAll(error: StoreError): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(error);
  }
}
