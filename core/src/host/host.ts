/**
 * Everything a program of ours asks of the machine it runs on, as one object. `host/node` is the real one,
 * `sim/` gives each simulated process its own, so whole clusters run in one process from one seed.
 */
export interface Host {
  /** Stable name of this process, e.g. `node-1`; used in logs. */
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  readonly disk: Disk;
  readonly log: Log;
  readonly logLevels: LogLevels;
  readonly machine: Machine;
  /** Adopts a promise nobody awaits: a rejection is logged under `name` and counted, never unhandled. */
  background(name: string, work: Promise<unknown>): void;
}

export interface Clock {
  /** Wall clock, ms since the epoch; may jump. For texts and timestamps that people or clients read. */
  now(): number;
  /** Milliseconds from an arbitrary origin; never goes back. For every duration and deadline. */
  monotonic(): number;
  after(delayMs: number, run: () => void): Timer;
  /** First run after one period. A run that throws is logged; the next one still comes. */
  every(periodMs: number, run: () => void): Timer;
  sleep(delayMs: number): Promise<void>;
}

export interface Timer {
  cancel(): void;
}

export interface Random {
  /** Uniform in [0, 1). */
  float(): number;
  /** Uniform integer in [0, bound). */
  int(bound: number): number;
  bytes(length: number): Uint8Array;
  uuid(): string;
}

export interface Log {
  debug(message: string, facts?: LogFacts): void;
  info(message: string, facts?: LogFacts): void;
  warn(message: string, facts?: LogFacts): void;
  error(message: string, facts?: LogFacts): void;
  /** A log whose lines carry the area, e.g. `distro`. */
  area(name: string): Log;
}
export type LogFacts = Readonly<Record<string, unknown>>;

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'off';

/** From which level on lines are written; it may change while the program runs. */
export interface LogLevels {
  /** Until the program ends; `main` is the log that belongs to no area. */
  set(area: string, level: LogLevel): void;
  of(area: string): LogLevel;
}

export interface Machine {
  load(): MachineLoad;
}

/** Of the whole machine, not of this process alone; -1 where it is not known. */
export interface MachineLoad {
  /** Share of all cores that was busy since it was asked before, 0 to 1. */
  readonly cpu: number;
  /** Runnable tasks, mean of the last minute. */
  readonly load: number;
  /** Share of the memory that is in use, 0 to 1. */
  readonly memory: number;
}

export const UNKNOWN_LOAD: MachineLoad = { cpu: -1, load: -1, memory: -1 };

// ---------------------------------------------------------------------------------------------- network

export interface Network {
  /** One HTTP/1.1 exchange over pooled keep-alive connections. Rejects with `NetworkError` only. */
  request(request: OutboundRequest): Promise<InboundResponse>;
  /** Serves HTTP/1.1 until stopped. Rejects with `NetworkError` when the address cannot be taken. */
  serve(options: ServeOptions, handler: HttpHandler): Promise<HttpListener>;
  udp(options: { readonly address: string; readonly port: number }): Promise<UdpSocket>;
  /** Opens a TCP connection; rejects with `NetworkError` (`refused`, `timeout`, `unreachable`). */
  connect(target: Endpoint, timeoutMs: number): Promise<TcpStream>;
  listen(target: Endpoint, onConnection: (stream: TcpStream) => void): Promise<TcpListener>;
  /** This machine's own addresses, without zone, loopback included. */
  addresses(): readonly string[];
}

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export type NetworkErrorKind = 'refused' | 'timeout' | 'reset' | 'unreachable' | 'in-use' | 'closed' | 'protocol';

export class NetworkError extends Error {
  override readonly name = 'NetworkError';
  readonly kind: NetworkErrorKind;
  constructor(kind: NetworkErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

export interface OutboundRequest extends Endpoint {
  readonly method: string;
  /** Path with query, starting with `/`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Bounds the whole exchange, connecting included. */
  readonly timeoutMs: number;
  /** Bounds connecting alone; `timeoutMs` then counts from when the connection is there. */
  readonly connectTimeoutMs?: number;
  /** A larger answer is refused with kind `protocol`; default 64 MiB. */
  readonly bodyBytesMax?: number;
  /** Resolves, with an empty body, when the head of the answer is there; of the body at most `bodyBytesMax` are taken. */
  readonly isHeadEnough?: boolean;
}

export interface InboundResponse {
  readonly status: number;
  readonly headers: HttpHeaders;
  readonly body: Uint8Array;
}

/** Lower-case names; of a repeated header the first value. */
export type HttpHeaders = Readonly<Record<string, string | undefined>>;

/** A whole request as a value: the body is read, within the bound, before the handler sees it. */
export interface HttpRequest {
  readonly method: string;
  /** As sent: not decoded, without the query. */
  readonly path: string;
  /** As sent, without the `?`; empty when there is none. */
  readonly query: string;
  readonly headers: HttpHeaders;
  readonly body: Uint8Array;
  readonly remote: Endpoint;
  /** Calls back once if the caller goes away before the answer was sent; a held poll frees itself by it. */
  onGone(run: () => void): void;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A string is sent as UTF-8. */
  readonly body: string | Uint8Array;
  /** Follows the body: so that long bytes which many answers share are sent as they are, not copied for their ends. */
  readonly tail?: string;
}

/** A rejected or thrown error is answered 500 with an empty body and logged: handlers map their own errors. */
export type HttpHandler = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>;

export interface ServeOptions extends Endpoint {
  /** A larger body is answered 413 and the connection closed. */
  readonly bodyBytesMax: number;
  /** Connections beyond it, from one address, are closed at once. */
  readonly connectionsPerAddressMax?: number;
  /** Idle time after which a kept connection is closed; default 75 s, above what proxies keep. */
  readonly keepAliveMs?: number;
}

export interface HttpListener {
  /** The port taken, of use when 0 was asked for. */
  readonly port: number;
  /**
   * From now on each answer is the last on its connection, so that callers move to whoever else is there; new ones are
   * still taken. Resolves once no connection is left, or after `lingerMs`, when those that idle are closed.
   */
  retire(lingerMs: number): Promise<void>;
  /** Takes no new connection, lets answers under way finish for `graceMs`, then cuts what is left. */
  stop(graceMs: number): Promise<void>;
}

export interface UdpSocket {
  readonly port: number;
  /** Resolves when handed to the kernel; rejects with `NetworkError`. Delivery is never promised. */
  send(bytes: Uint8Array, target: Endpoint): Promise<void>;
  onMessage(run: (bytes: Uint8Array, from: Endpoint) => void): void;
  close(): Promise<void>;
}

export interface TcpStream {
  readonly remote: Endpoint;
  /**
   * Copies both ways with back-pressure until either side ends; resolves when both are closed. When the other ends before
   * it has sent a byte, `again` is told all that it was sent, if that is little, and may give one that is sent it instead.
   * `onWaiting` gets what has `again` asked at once, each time one is waited for; without another it is waited for still.
   */
  join(
    other: TcpStream,
    again?: (sent: Uint8Array) => Promise<TcpStream | undefined>,
    onWaiting?: (leave: () => void) => void,
  ): Promise<void>;
  close(): void;
}

export interface TcpListener {
  readonly port: number;
  /** Stops listening and cuts the streams it accepted. */
  stop(): Promise<void>;
}

// ------------------------------------------------------------------------------------------------- disk

/** Paths are absolute or relative to the working directory; errors are `DiskError`. */
export interface Disk {
  read(path: string): Promise<Uint8Array>;
  /** Replaces the file as a whole: temporary name, (sync,) rename(, sync of the directory). Makes directories. */
  write(path: string, content: string | Uint8Array, options?: WriteOptions): Promise<void>;
  /** Opens for appending, making it (and its directories) when missing. */
  append(path: string): Promise<AppendFile>;
  /** Names in a directory, sorted; a missing directory is empty. */
  list(path: string): Promise<readonly string[]>;
  /** Removes a file or a whole directory; missing is fine. */
  remove(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /**
   * What a file holds now, and its name, survive power loss once resolved; of a directory, which names there are in it.
   * After a failure nobody knows whether they do, whatever another try says: it has to be written again.
   */
  sync(path: string): Promise<void>;
  stat(path: string): Promise<{ readonly bytes: number; readonly modifiedMs: number } | undefined>;
  makeDirectory(path: string): Promise<void>;
  /** Calls back soon after anything in the directory changed (also behind a `..data` link); may call too often. */
  watch(directory: string, run: () => void): Timer;
  /**
   * Takes a file, made with its directories when missing, for this process alone: until it is released, and at the
   * latest until the process ends, however it does. Does not wait for another that has it. Nobody reads or writes it.
   */
  lock(path: string): Promise<FileLock | HeldLock>;
}

export interface FileLock {
  readonly isHeld: false;
  release(): Promise<void>;
}

/** Another has it. */
export interface HeldLock {
  readonly isHeld: true;
  /** For people, as far as it is known: `process 17 on nacos-0`. */
  readonly by: string | undefined;
}

export interface WriteOptions {
  /** Survives power loss once resolved. */
  readonly sync?: boolean;
  /** Permission bits, e.g. 0o600 for a key. */
  readonly mode?: number;
}

export interface AppendFile {
  write(content: string | Uint8Array): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export type DiskErrorKind = 'missing' | 'full' | 'denied' | 'io';

export class DiskError extends Error {
  override readonly name = 'DiskError';
  readonly kind: DiskErrorKind;
  constructor(kind: DiskErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
