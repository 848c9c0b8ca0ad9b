import {
  type Disk,
  DiskError,
  type DiskErrorKind,
  type Endpoint,
  type FileLock,
  type HeldLock,
  type Host,
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  type InboundResponse,
  type Log,
  type LogFacts,
  type LogLevel,
  type Network,
  NetworkError,
  type OutboundRequest,
  type Random,
  type TcpStream,
  type UdpSocket,
} from '../host/host.ts';
import { FakeClock } from './fake-clock.ts';

/**
 * A host for unit tests of one part: time stands still, files are a map, and a test answers what goes out. Whole
 * clusters run on `sim/` instead.
 */
export class FakeHost implements Host {
  readonly name: string;
  readonly clock = new FakeClock();
  readonly random: Random;
  readonly log = new FakeLog();
  readonly levels = new Map<string, LogLevel>();
  readonly logLevels = {
    set: (area: string, level: LogLevel) => void this.levels.set(area, level),
    of: (area: string) => this.levels.get(area) ?? 'info',
  };
  readonly machine = { load: () => ({ cpu: 0.25, load: 1.5, memory: 0.5 }) };
  readonly disk = new FakeDisk();
  readonly network = new FakeNetwork();

  constructor(name = 'test') {
    this.name = name;
    let seed = 1;
    const float = () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed / 2_147_483_648;
    };
    const int = (bound: number) => Math.floor(float() * bound);
    this.random = {
      float,
      int,
      bytes: (length) => Uint8Array.from({ length }, () => int(256)),
      uuid: () => `uuid-${int(1_000_000)}`,
    };
  }

  background(name: string, work: Promise<unknown>): void {
    work.catch((error: unknown) => this.log.error(`${name} failed`, { error }));
  }

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms);
  }
}

export class FakeLog implements Log {
  readonly lines: string[] = [];
  debug(): void {}
  info(message: string): void {
    this.lines.push(`info ${message}`);
  }
  warn(message: string, facts?: LogFacts): void {
    this.lines.push(`warn ${message}${textOf(facts)}`);
  }
  error(message: string, facts?: LogFacts): void {
    this.lines.push(`error ${message}${textOf(facts)}`);
  }
  area(): Log {
    return this;
  }
}

function textOf(facts: LogFacts | undefined): string {
  return facts === undefined ? '' : ` ${Object.entries(facts).map(([name, fact]) => `${name}=${fact}`)}`;
}

export class FakeDisk implements Disk {
  readonly files = new Map<string, string>();
  readonly modes = new Map<string, number | undefined>();
  /** Files that were written without being safe from power loss. */
  readonly unsynced = new Set<string>();
  /** Every write fails so while it is set. */
  fault: DiskErrorKind | undefined;
  /** Files that are locked, and by whom; a test may put others there. */
  readonly locks = new Map<string, string>();
  readonly #watchers = new Set<{ readonly directory: string; readonly run: () => void }>();

  /** As another process would change it. */
  put(path: string, content: string): void {
    this.files.set(path, content);
    this.#tell(path);
  }

  async read(path: string): Promise<Uint8Array> {
    const content = this.files.get(path);
    if (content === undefined) throw new DiskError('missing', `reading ${path}: missing`);
    return new TextEncoder().encode(content);
  }
  async write(path: string, content: string | Uint8Array, options: { sync?: boolean; mode?: number } = {}) {
    if (this.fault !== undefined) throw new DiskError(this.fault, `writing ${path}: ${this.fault}`);
    this.files.set(path, typeof content === 'string' ? content : new TextDecoder().decode(content));
    this.modes.set(path, options.mode);
    if (options.sync === true) this.unsynced.delete(path);
    else this.unsynced.add(path);
    this.#tell(path);
  }
  async append(path: string) {
    const refuseWhenBroken = (doing: string) => {
      if (this.fault !== undefined) throw new DiskError(this.fault, `${doing} ${path}: ${this.fault}`);
    };
    refuseWhenBroken('opening');
    this.files.set(path, this.files.get(path) ?? '');
    return {
      write: async (content: string | Uint8Array) => {
        refuseWhenBroken('appending to');
        const text = typeof content === 'string' ? content : new TextDecoder().decode(content);
        this.files.set(path, (this.files.get(path) ?? '') + text);
      },
      sync: async () => {},
      close: async () => {},
    };
  }
  async list(path: string): Promise<readonly string[]> {
    const below = [...this.files.keys()].filter((file) => file.startsWith(`${path}/`));
    return [...new Set(below.map((file) => file.slice(path.length + 1).split('/')[0] as string))].sort();
  }
  async remove(path: string): Promise<void> {
    for (const file of [...this.files.keys()])
      if (file === path || file.startsWith(`${path}/`)) this.files.delete(file);
    this.#tell(path);
  }
  async sync(path: string): Promise<void> {
    if (this.fault !== undefined) throw new DiskError(this.fault, `syncing ${path}: ${this.fault}`);
    if (!this.files.has(path) && (await this.list(path)).length === 0) {
      throw new DiskError('missing', `syncing ${path}: missing`);
    }
    this.unsynced.delete(path);
  }
  async rename(from: string, to: string): Promise<void> {
    const content = this.files.get(from);
    if (content === undefined) throw new DiskError('missing', `renaming ${from}: missing`);
    this.files.delete(from);
    this.files.set(to, content);
  }
  async stat(path: string) {
    const content = this.files.get(path);
    return content === undefined ? undefined : { bytes: new TextEncoder().encode(content).length, modifiedMs: 0 };
  }
  async makeDirectory(): Promise<void> {}
  watch(directory: string, run: () => void) {
    const watcher = { directory, run };
    this.#watchers.add(watcher);
    return { cancel: () => void this.#watchers.delete(watcher) };
  }
  async lock(path: string): Promise<FileLock | HeldLock> {
    if (this.fault !== undefined) throw new DiskError(this.fault, `locking ${path}: ${this.fault}`);
    const by = this.locks.get(path);
    if (by !== undefined) return { isHeld: true, by };
    this.locks.set(path, 'this process');
    return { isHeld: false, release: async () => void this.locks.delete(path) };
  }

  #tell(path: string): void {
    for (const { directory, run } of this.#watchers) if (path.startsWith(`${directory}/`)) run();
  }
}

export interface FakeCall {
  readonly headers?: Readonly<Record<string, string>>;
  readonly form?: string;
  readonly body?: string | Uint8Array;
}

export class FakeUdpSocket implements UdpSocket {
  readonly port: number;
  readonly sent: { readonly bytes: Uint8Array; readonly target: Endpoint }[] = [];
  #receive: (bytes: Uint8Array, from: Endpoint) => void = () => {};

  constructor(port: number) {
    this.port = port;
  }
  async send(bytes: Uint8Array, target: Endpoint): Promise<void> {
    this.sent.push({ bytes, target });
  }
  onMessage(run: (bytes: Uint8Array, from: Endpoint) => void): void {
    this.#receive = run;
  }
  async close(): Promise<void> {}

  receive(bytes: Uint8Array, from: Endpoint): void {
    this.#receive(bytes, from);
  }
}

export class FakeNetwork implements Network {
  readonly sockets: FakeUdpSocket[] = [];
  readonly requests: OutboundRequest[] = [];
  /** Ports that are taken: serving or listening there fails. */
  readonly taken = new Set<number>();
  readonly handlers = new Map<number, HttpHandler>();
  readonly listeners = new Map<number, (stream: TcpStream) => void>();
  answer: (request: OutboundRequest) => InboundResponse | Promise<InboundResponse> = (request) => {
    throw new NetworkError('refused', `nobody listens on ${request.address}:${request.port}`);
  };
  accept: (target: Endpoint) => TcpStream | Promise<TcpStream> = ({ address, port }) => {
    throw new NetworkError('refused', `nobody listens on ${address}:${port}`);
  };

  async request(request: OutboundRequest): Promise<InboundResponse> {
    this.requests.push(request);
    return this.answer(request);
  }
  async serve(at: Endpoint, handler: HttpHandler) {
    this.#take(at);
    this.handlers.set(at.port, handler);
    return { port: at.port, retire: async () => {}, stop: async () => void this.handlers.delete(at.port) };
  }
  async connect(target: Endpoint): Promise<TcpStream> {
    return this.accept(target);
  }
  async listen(at: Endpoint, onConnection: (stream: TcpStream) => void) {
    this.#take(at);
    this.listeners.set(at.port, onConnection);
    return { port: at.port, stop: async () => void this.listeners.delete(at.port) };
  }
  async udp({ port }: { readonly port: number }): Promise<FakeUdpSocket> {
    const socket = new FakeUdpSocket(port);
    this.sockets.push(socket);
    return socket;
  }
  addresses(): readonly string[] {
    return ['127.0.0.1'];
  }

  /** Asks a server that was started on this host; `target` is path and query. */
  async ask(port: number, target: string, method = 'GET', more: FakeCall = {}): Promise<HttpResponse> {
    const handler = this.handlers.get(port);
    if (handler === undefined) throw new NetworkError('refused', `nobody listens on ${port}`);
    const [path = '', query = ''] = target.split('?', 2);
    const form = more.form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' };
    const request: HttpRequest = {
      method,
      path,
      query,
      headers: { ...form, ...more.headers },
      body: more.body instanceof Uint8Array ? more.body : new TextEncoder().encode(more.form ?? more.body ?? ''),
      remote: { address: '127.0.0.1', port: 40_000 },
      onGone() {},
    };
    return handler(request);
  }

  #take({ address, port }: Endpoint): void {
    if (this.taken.has(port) || this.handlers.has(port) || this.listeners.has(port)) {
      throw new NetworkError('in-use', `${address}:${port} is taken`);
    }
  }
}

export function httpAnswer(body: unknown, status = 200): InboundResponse {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { status, headers: {}, body: new TextEncoder().encode(text) };
}
