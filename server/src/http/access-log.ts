import {
  type AppendFile,
  DiskError,
  type Host,
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  type Timer,
} from '@nacos-kube/core/host/host.ts';
import type { Part } from '@nacos-kube/core/lifecycle.ts';
import { endLine, type LineStart, startLine } from './access-line.ts';

/** What waits for the disk; lines beyond it are dropped and counted, as no request waits for its line. */
export const PENDING_BYTES_MAX = 4 * 1024 * 1024;
/** Then the file is put aside as `FILE.1`, which replaces the one before. */
export const FILE_BYTES_MAX = 100 * 1024 * 1024;
const FLUSH_MS = 200;
const STANDARD_OUTPUT = '/dev/stdout';

export interface AccessLogOptions {
  /** A file, or `-` for standard output. */
  readonly to: string;
  readonly clientIp: (request: HttpRequest) => string;
  readonly fileBytesMax?: number;
}

/** One line for each answer of a door, written behind. */
export class AccessLog implements Part {
  readonly name = 'access log';
  /** Lines that were lost: the disk was too slow, or failed. */
  dropped = 0;
  readonly #host: Host;
  readonly #options: AccessLogOptions;
  readonly #path: string;
  readonly #bytesMax: number;
  #pending: string[] = [];
  #pendingBytes = 0;
  #file: AppendFile | undefined;
  #fileBytes = 0;
  #writing: Promise<void> | undefined;
  #isFailing = false;
  #timer: Timer | undefined;

  constructor(host: Host, options: AccessLogOptions) {
    const { to, fileBytesMax = FILE_BYTES_MAX } = options;
    this.#host = host;
    this.#options = options;
    this.#path = to === '-' ? STANDARD_OUTPUT : to;
    this.#bytesMax = to === '-' ? Number.POSITIVE_INFINITY : fileBytesMax;
  }

  start(): void {
    this.#timer = this.#host.clock.every(FLUSH_MS, () => this.#flush());
  }

  /** What is in memory is written; a disk that hangs is left behind at the deadline of the lifecycle. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#writing;
    this.#flush();
    await this.#writing;
    await this.#close();
  }

  around(handler: HttpHandler): HttpHandler {
    const { clock } = this.#host;
    return (request) => {
      const startedMs = clock.monotonic();
      const start = startLine(request, this.#options.clientIp(request), clock.now());
      const answer = handler(request);
      if (!(answer instanceof Promise)) return this.#noted(start, answer, startedMs);
      return answer.then((value) => this.#noted(start, value, startedMs));
    };
  }

  #noted(start: LineStart, answer: HttpResponse, startedMs: number): HttpResponse {
    const line = endLine(start, answer, this.#host.clock.monotonic() - startedMs);
    if (this.#pendingBytes + line.length > PENDING_BYTES_MAX) {
      this.dropped++;
    } else {
      this.#pending.push(line);
      this.#pendingBytes += line.length;
    }
    return answer;
  }

  #flush(): void {
    if (this.#writing !== undefined || this.#pending.length === 0) return;
    const lines = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#writing = this.#write(lines).finally(() => {
      this.#writing = undefined;
    });
    this.#host.background('write the access log', this.#writing);
  }

  async #write(lines: readonly string[]): Promise<void> {
    try {
      const text = lines.join('');
      if (this.#fileBytes >= this.#bytesMax) await this.#rotate();
      this.#file ??= await this.#open();
      await this.#file.write(text);
      this.#fileBytes += text.length;
      if (this.#isFailing) this.#host.log.info('the access log is written again', { dropped: this.dropped });
      this.#isFailing = false;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.dropped += lines.length;
      if (!this.#isFailing) this.#host.log.warn('the access log cannot be written', { path: this.#path, error });
      this.#isFailing = true;
      await this.#close(); // so that the next attempt opens the file anew, should it be gone
    }
  }

  async #open(): Promise<AppendFile> {
    const isFile = Number.isFinite(this.#bytesMax);
    this.#fileBytes = isFile ? ((await this.#host.disk.stat(this.#path))?.bytes ?? 0) : 0;
    if (this.#fileBytes >= this.#bytesMax) await this.#putAside();
    return this.#host.disk.append(this.#path);
  }

  async #rotate(): Promise<void> {
    await this.#close();
    await this.#putAside();
  }

  async #putAside(): Promise<void> {
    await this.#host.disk.rename(this.#path, `${this.#path}.1`);
    this.#fileBytes = 0;
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    try {
      await file?.close();
    } catch (error) {
      this.#host.log.debug('the access log could not be closed', { error });
    }
  }
}
