import { flushCompileCache } from 'node:module';
import { parentPort, receiveMessageOnPort, type Transferable, Worker, workerData } from 'node:worker_threads';

/** A thread of its own for work that would hold up the loop, e.g. the writer of the sqlite store. */
export interface WorkerThread<ToWorker, FromWorker> {
  post(message: ToWorker, transfer?: readonly Transferable[]): void;
  /** Call it in the turn of the start: messages that nobody reads are lost. */
  onMessage(run: (message: FromWorker) => void): void;
  /** Calls back once, with the error when one ended it. Without a reader an error is unhandled. */
  onExit(run: (error: Error | undefined) => void): void;
  /** Cuts it in the middle of whatever it does; ask it by a message first to end well. */
  stop(): Promise<void>;
}

/** The data must suit the structured clone; the module calls `workerPort`. */
export function startWorker<ToWorker, FromWorker>(module: URL, data: unknown): WorkerThread<ToWorker, FromWorker> {
  const worker = new Worker(module, { workerData: data });
  let isStopped = false;
  return {
    post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
    onMessage: (run) => void worker.on('message', run),
    onExit(run) {
      let failure: Error | undefined;
      worker.on('error', (error) => {
        failure = error instanceof Error ? error : new Error(String(error));
      });
      worker.on('exit', (code) => {
        const failed = code !== 0 && failure === undefined && !isStopped;
        run(failed ? new Error(`the worker ended with code ${code}`) : failure);
      });
    },
    async stop() {
      isStopped = true;
      await worker.terminate();
    },
  };
}

/** Behind all that is ready to be read now: who gathers work until then hands it over together, and nobody waits. */
export function endOfTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export interface WorkerPort<ToWorker, FromWorker> {
  readonly data: unknown;
  post(message: FromWorker, transfer?: readonly Transferable[]): void;
  /** Keeps the worker alive until `close`. */
  onMessage(run: (message: ToWorker) => void): void;
  /** The next message if it is here already; its call is left out. */
  take(): ToWorker | undefined;
  /** Until the worker ends; it is not kept alive by it. */
  every(periodMs: number, run: () => void): void;
  /** No more messages: the worker ends when its work does. */
  close(): void;
}

/** The other end of `startWorker`, inside the worker. */
export function workerPort<ToWorker, FromWorker>(): WorkerPort<ToWorker, FromWorker> {
  const port = parentPort;
  if (port === null) throw new Error('not inside a worker');
  // As the main thread does: a worker has what it compiled for itself, and may be cut.
  flushCompileCache();
  return {
    data: workerData,
    post: (message, transfer = []) => port.postMessage(message, [...transfer]),
    onMessage: (run) => void port.on('message', run),
    take: () => receiveMessageOnPort(port)?.message as ToWorker | undefined,
    every: (periodMs, run) => void setInterval(run, periodMs).unref(),
    close: () => port.close(),
  };
}
