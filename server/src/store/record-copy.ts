import { DiskError, type Host, type Log, type Timer } from '@nacos-kube/core/host/host.ts';
import { BackupDecoder, BackupEncoder, BackupError } from './move/backup-file.ts';
import type { RecordKind, StoredRecord } from './store.ts';

/** Changes within it are one write of all rows. */
export const COPY_DELAY_MS = 1_000;
/** And so many times what the last write took: many rows that change all the time must not keep the node busy. */
const REST_PER_WRITE = 20;
const RETRY_MS = 5_000;
const WARN_EVERY_MS = 60_000;
const ROWS_PER_PIECE = 2_000;
const LINE_END = 10;

/**
 * The rows of one kind on this node's disk, for a start without the store (F12): one file in the form of a backup,
 * replaced as a whole, so that there is always one that is whole. Written behind; a full or broken disk costs the copy
 * and never the service (F14).
 */
export class RecordCopy {
  readonly kind: RecordKind;
  readonly path: string;
  readonly #host: Host;
  readonly #log: Log;
  #rows: (() => Iterable<StoredRecord>) | undefined;
  #isDirty = false;
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;
  #restMs = 0;
  #isFailing = false;
  #warnedMs = Number.NEGATIVE_INFINITY;
  writes = 0;
  failures = 0;
  damaged = 0;

  constructor(host: Host, directory: string, kind: RecordKind) {
    this.#host = host;
    this.#log = host.log.area('records');
    this.kind = kind;
    this.path = `${directory}/${kind}`;
  }

  get isFailing(): boolean {
    return this.#isFailing;
  }

  /** What an earlier run left; undefined when there is no whole copy. */
  async read(): Promise<readonly StoredRecord[] | undefined> {
    try {
      return decodeCopy(await this.#host.disk.read(this.path), this.kind);
    } catch (error) {
      if (error instanceof DiskError && error.kind === 'missing') return undefined;
      if (!(error instanceof DiskError) && !(error instanceof BackupError)) throw error;
      this.damaged += 1;
      this.#log.warn('the copy of records on the disk is not used', { file: this.path, error });
      return undefined;
    }
  }

  /** From now on what `rows` gives is kept; until then the last copy stays as it is. */
  follow(rows: () => Iterable<StoredRecord>): void {
    this.#rows = rows;
    this.changed();
  }

  changed(): void {
    if (this.#rows === undefined) return;
    this.#isDirty = true;
    this.#writeIn(Math.max(COPY_DELAY_MS, this.#restMs));
  }

  /** Writes what is due at once, unless the disk fails. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#writing;
    if (this.#isDirty && !this.#isFailing) await this.#write();
    this.#timer?.cancel();
    this.#rows = undefined;
  }

  #writeIn(delayMs: number): void {
    if (this.#timer !== undefined || this.#writing !== undefined) return;
    this.#timer = this.#host.clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#writing = this.#write().finally(() => {
        this.#writing = undefined;
        if (this.#isDirty) this.#writeIn(this.#isFailing ? RETRY_MS : Math.max(COPY_DELAY_MS, this.#restMs));
      });
      this.#host.background(`copy ${this.kind} records`, this.#writing);
    });
  }

  async #write(): Promise<void> {
    const rows = this.#rows;
    if (rows === undefined) return;
    this.#isDirty = false;
    const startMs = this.#host.clock.monotonic();
    try {
      await this.#host.disk.write(this.path, await this.#encode(rows()), { sync: true });
      this.writes += 1;
      if (this.#isFailing) this.#log.info('the copy of records is written again', { file: this.path });
      this.#isFailing = false;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#isDirty = true;
      this.#isFailing = true;
      this.failures += 1;
      this.#warn('the copy of records cannot be written, trying again', { file: this.path, error });
    }
    this.#restMs = REST_PER_WRITE * (this.#host.clock.monotonic() - startMs);
  }

  /** In pieces: others have their turn between. */
  async #encode(rows: Iterable<StoredRecord>): Promise<Uint8Array> {
    const encoder = new BackupEncoder();
    const pieces: Uint8Array[] = [];
    let text = encoder.header({ from: this.#host.name, kind: this.kind, atMs: this.#host.clock.now() });
    for (const row of rows) {
      text += encoder.row({ what: 'record', row });
      if (encoder.rows % ROWS_PER_PIECE > 0) continue;
      pieces.push(Buffer.from(text));
      text = '';
      await this.#host.clock.sleep(0);
    }
    return Buffer.concat([...pieces, Buffer.from(text + encoder.end())]);
  }

  #warn(message: string, facts: Readonly<Record<string, unknown>>): void {
    const nowMs = this.#host.clock.monotonic();
    if (nowMs - this.#warnedMs < WARN_EVERY_MS) return;
    this.#warnedMs = nowMs;
    this.#log.warn(message, { ...facts, failures: this.failures });
  }
}

/** Throws `BackupError` for what is not, whole and unaltered, a copy of that kind. */
function decodeCopy(bytes: Uint8Array, kind: RecordKind): readonly StoredRecord[] {
  const decoder = new BackupDecoder();
  const records: StoredRecord[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(LINE_END, start);
    const line = decoder.take(bytes.subarray(start, end < 0 ? bytes.length : end), end >= 0);
    if (line.kind === 'row' && line.row.what === 'record' && line.row.row.kind === kind) records.push(line.row.row);
    else if (line.kind === 'row') throw new BackupError(`it holds something else than records of kind ${kind}`);
    start = end < 0 ? bytes.length : end + 1;
  }
  decoder.finish();
  return records;
}
