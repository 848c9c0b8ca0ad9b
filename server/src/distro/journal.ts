import { type AppendFile, DiskError, type Host, type Timer } from '@nacos-kube/core/host/host.ts';
import type { Datum } from '../naming/datum.ts';
import { decodeDatum, encodeDatum } from './codec.ts';

/** Lines are handed to the kernel this often, without fsync: a copy on the peers is worth more than one on this disk. */
export const FLUSH_MS = 200;
/** The journal is written anew when it has this many lines more than twice what is registered. */
export const COMPACT_SLACK_LINES = 10_000;
/** Lines that wait while the disk does not take them; beyond it the journal is written anew once it does. */
export const WAITING_LINES_MAX = 100_000;
/** After a failure the disk is left alone this long. */
export const RETRY_MS = 5_000;
const FILE = 'instances.jsonl';

/**
 * Ephemeral instances and tombstones on this node's disk, so that a restart of all members at once loses none
 * (design: ephemeral data at a restart). Format: one JSON datum a line (`DatumWire`), the last line of a key counts; a
 * torn or foreign line is skipped.
 */
export class Journal {
  readonly #host: Host;
  readonly #path: string;
  readonly #snapshot: () => Iterable<Datum>;
  #file: AppendFile | undefined;
  #waiting: string[] = [];
  #mustRewrite = false;
  #retryAtMs = 0;
  #lines = 0;
  #kept = 0;
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();
  skippedLines = 0;
  failures = 0;

  /** `snapshot` gives all that is to be kept now, for writing the journal anew. */
  constructor(host: Host, directory: string, snapshot: () => Iterable<Datum>) {
    this.#host = host;
    this.#path = `${directory}/${FILE}`;
    this.#snapshot = snapshot;
  }

  /** What an earlier run left, in the order in which it was written. */
  async read(): Promise<Datum[]> {
    let content: string;
    try {
      content = new TextDecoder().decode(await this.#host.disk.read(this.#path));
    } catch (error) {
      if (error instanceof DiskError && error.kind === 'missing') return [];
      this.#host.log.warn('the journal of instances is not readable, peers have to do', { path: this.#path, error });
      this.failures++;
      return [];
    }
    const datums: Datum[] = [];
    for (const line of content.split('\n')) {
      if (line === '') continue;
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

  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.flush();
    await this.#file?.close();
    this.#file = undefined;
  }

  add(datums: Iterable<Datum>): void {
    if (this.#timer === undefined || this.#mustRewrite) return;
    for (const datum of datums) this.#waiting.push(JSON.stringify(encodeDatum(datum)));
    if (this.#waiting.length <= WAITING_LINES_MAX) return;
    this.#waiting = [];
    this.#mustRewrite = true;
  }

  /** One write at a time; a failed one is made good by writing the journal anew. */
  flush(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    if (this.#host.clock.monotonic() < this.#retryAtMs) return;
    try {
      if (this.#mustRewrite || this.#lines > 2 * this.#kept + COMPACT_SLACK_LINES) await this.#rewrite();
      else await this.#append();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (!this.#mustRewrite) this.#host.log.warn('the journal of instances cannot be written', { error });
      this.failures++;
      this.#mustRewrite = true;
      this.#retryAtMs = this.#host.clock.monotonic() + RETRY_MS;
    }
  }

  async #append(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const lines = this.#waiting;
    this.#waiting = [];
    this.#file ??= await this.#host.disk.append(this.#path);
    await this.#file.write(`${lines.join('\n')}\n`);
    this.#lines += lines.length;
  }

  async #rewrite(): Promise<void> {
    // From here on changes are appended to the new file, so none falls between the two.
    this.#mustRewrite = false;
    this.#waiting = [];
    const lines = Array.from(this.#snapshot(), (datum) => JSON.stringify(encodeDatum(datum)));
    await this.#file?.close();
    this.#file = undefined;
    await this.#host.disk.write(this.#path, lines.length === 0 ? '' : `${lines.join('\n')}\n`);
    this.#lines = lines.length;
    this.#kept = lines.length;
  }
}
