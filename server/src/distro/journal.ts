import { type AppendFile, DiskError, type Host, type Timer } from '@nacos-kube/core/host/host.ts';
import type { InstanceKey } from '@nacos-kube/core/model/instance.ts';
import type { ServiceKey } from '@nacos-kube/core/model/names.ts';
import type { Stamp } from '@nacos-kube/core/model/stamp.ts';
import type { Datum } from '../naming/datum.ts';
import { decodeDatum, encodeDatum } from './codec.ts';

/** Lines are handed to the kernel this often, without fsync: a copy on the peers is worth more than one on this disk. */
export const FLUSH_MS = 200;
/** The journal is written anew when it has this many lines more than twice what is registered. */
export const COMPACT_SLACK_LINES = 50_000;
/** Changes that wait while the disk does not take it; beyond it the journal is written anew once it does. */
export const WAITING_MAX = 100_000;
/** After a failure the disk is left alone this long. */
export const RETRY_MS = 5_000;
/** Lines that are put together and written at once; others have their turn between. */
export const PIECE_LINES = 2_000;
const FILE = 'instances.jsonl';

/** What is registered, tombstones included. */
export interface JournalSource {
  allDatums(): Iterable<Datum>;
  datumsOfInstance(service: ServiceKey, key: InstanceKey): readonly Datum[];
}

/**
 * Ephemeral instances and tombstones on this node's disk, so that a restart of all members at once loses none
 * (design: ephemeral data at a restart). Format: one JSON datum a line (`DatumWire`), the last line of a key counts; a
 * torn or foreign line is skipped.
 */
export class Journal {
  readonly #host: Host;
  readonly #path: string;
  readonly #source: JournalSource;
  #file: AppendFile | undefined;
  /** What changed since the last flush: a service, an instance of it, and so on. What is there then is written, once. */
  #waiting: string[] = [];
  #mustRewrite = false;
  #isFailing = false;
  #retryAtMs = 0;
  #lines = 0;
  #kept = 0;
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();
  skippedLines = 0;
  failures = 0;

  constructor(host: Host, directory: string, source: JournalSource) {
    this.#host = host;
    this.#path = `${directory}/${FILE}`;
    this.#source = source;
  }

  /** What an earlier run left, in the order in which it was written. */
  async read(): Promise<Datum[]> {
    let content: Uint8Array;
    try {
      content = await this.#host.disk.read(this.#path);
    } catch (error) {
      if (error instanceof DiskError && error.kind === 'missing') return [];
      this.#host.log.warn('the journal of instances is not readable, peers have to do', { path: this.#path, error });
      this.failures++;
      return [];
    }
    const datums: Datum[] = [];
    for (const line of linesOf(content)) {
      try {
        datums.push(decodeDatum(JSON.parse(line)));
      } catch {
        this.skippedLines++;
      }
    }
    if (this.skippedLines > 0) this.#host.log.warn('lines of the journal were skipped', { lines: this.skippedLines });
    return datums;
  }

  /** Starts anew with what is registered now, then follows. */
  start(): void {
    this.#mustRewrite = true;
    this.#timer = this.#host.clock.every(FLUSH_MS, () => this.#host.background('journal', this.flush()));
  }

  get isStarted(): boolean {
    return this.#timer !== undefined;
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.flush();
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  /** To be told after the registry. */
  changed(service: ServiceKey, keys: readonly InstanceKey[]): void {
    if (this.#timer === undefined || this.#mustRewrite || keys.length === 0) return;
    for (const key of keys) this.#waiting.push(service, key);
    if (this.#waiting.length <= 2 * WAITING_MAX) return;
    this.#waiting = [];
    this.#mustRewrite = true;
  }

  /** One write at a time; a failed one is made good by writing the journal anew. */
  flush(): Promise<void> {
    const write = () => this.#write();
    this.#writing = this.#writing.then(write, write);
    return this.#writing;
  }

  async #write(): Promise<void> {
    if (this.#host.clock.monotonic() < this.#retryAtMs) return;
    try {
      if (this.#mustRewrite || this.#lines > 2 * this.#kept + COMPACT_SLACK_LINES) await this.#rewrite();
      else await this.#append();
      if (this.#isFailing) this.#host.log.info('the journal of instances is written again');
      this.#isFailing = false;
    } catch (error) {
      this.failures++;
      this.#mustRewrite = true;
      this.#retryAtMs = this.#host.clock.monotonic() + RETRY_MS;
      if (!(error instanceof DiskError)) throw error;
      if (!this.#isFailing) this.#host.log.warn('the journal of instances cannot be written', { error });
      this.#isFailing = true;
    }
  }

  async #append(): Promise<void> {
    if (this.#waiting.length === 0) return;
    this.#file ??= await this.#host.disk.append(this.#path);
    const waiting = this.#waiting;
    this.#waiting = [];
    const pieces = new Pieces(this.#file);
    // Each write has a stamp of its own, so what is there already is known by that.
    const given = new Set<Stamp>();
    for (let at = 0; at < waiting.length; at += 2) {
      const datums = this.#source.datumsOfInstance(waiting[at]!, waiting[at + 1]!);
      // Forgotten altogether: a line of what it was must not bring it back.
      if (datums.length === 0) this.#mustRewrite = true;
      for (const datum of datums) if (given.size < given.add(datum.stamp).size) pieces.add(datum);
      if (pieces.isFull) await pieces.write();
    }
    this.#lines += await pieces.end();
  }

  async #rewrite(): Promise<void> {
    // From here on changes are appended to the new file, so none falls between the two.
    this.#mustRewrite = false;
    this.#waiting = [];
    const old = this.#file;
    this.#file = undefined;
    await old?.close();
    await this.#host.disk.remove(`${this.#path}.new`);
    const file = await this.#host.disk.append(`${this.#path}.new`);
    try {
      const pieces = new Pieces(file);
      for (const datum of this.#source.allDatums()) {
        pieces.add(datum);
        if (pieces.isFull) await pieces.write();
      }
      this.#lines = await pieces.end();
    } finally {
      await file.close();
    }
    this.#kept = this.#lines;
    await this.#host.disk.rename(`${this.#path}.new`, this.#path);
  }
}

/**
 * Lines for a file, in pieces: all of it may be more than one text can hold, and takes longer than others should wait.
 * They are bytes from the first on: texts, kept until all are there, would be moved about in memory.
 */
class Pieces {
  readonly #file: AppendFile;
  #written = 0;
  #lines = 0;
  #buffer = Buffer.allocUnsafe(0);
  #end = 0;

  constructor(file: AppendFile) {
    this.#file = file;
  }

  add(datum: Datum): void {
    const line = JSON.stringify(encodeDatum(datum));
    const endMax = this.#end + UNIT_BYTES_MAX * line.length + 1;
    if (endMax > this.#buffer.length) this.#grow(endMax);
    this.#end += this.#buffer.write(line, this.#end);
    this.#buffer[this.#end++] = LINE_END;
    this.#lines++;
  }

  get isFull(): boolean {
    return this.#lines >= PIECE_LINES;
  }

  async write(): Promise<void> {
    const bytes = this.#buffer.subarray(0, this.#end);
    this.#written += this.#lines;
    this.#lines = 0;
    this.#buffer = Buffer.allocUnsafe(0);
    this.#end = 0;
    await this.#file.write(bytes);
  }

  /** How many lines there were. */
  async end(): Promise<number> {
    if (this.#lines > 0) await this.write();
    return this.#written;
  }

  #grow(bytes: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, bytes, 2 * this.#buffer.length));
    this.#buffer.copy(larger, 0, 0, this.#end);
    this.#buffer = larger;
  }
}

const FIRST_BYTES = 16 * 1024;
/** Of UTF-8, for a unit of UTF-16. */
const UNIT_BYTES_MAX = 3;

/** One by one: all of it may be more than one text can hold. */
function* linesOf(content: Uint8Array): Iterable<string> {
  const decoder = new TextDecoder();
  for (let start = 0; start < content.length; ) {
    const at = content.indexOf(LINE_END, start);
    const end = at < 0 ? content.length : at;
    if (end > start) yield decoder.decode(content.subarray(start, end));
    start = end + 1;
  }
}

const LINE_END = 0x0a;
