import type { Host } from '@nacos-kube/core/host/host.ts';
import type { EtcdClient, Patience } from './client.ts';
import type { Keys } from './keys.ts';
import { KEYS_PER_READ_MAX, put, readEach, remove } from './kv.ts';
import type { RequestOp } from './protocol.ts';
import { type Room, Slots } from './turns.ts';
import { type Blob, DamagedValueError, md5Of } from './values.ts';

/** Below what etcd takes in one request unless told (1.5 MiB), with room for all else of a write. */
const PIECE_BYTES_MAX = 1024 * 1024;
/** Pieces whose write never came vanish after it. */
const UPLOAD_LEASE_S = 60;
const UPLOAD_PATIENCE_MS = 20_000;
const PIECES_AT_ONCE = 4;
/** Of contents, each with some pieces under way. */
const UPLOADS_AT_ONCE = 4;
const READ_BYTES_MAX = 4 * 1024 * 1024;
const ID_BYTES = 12;

/** A content that a transaction can make last. */
export interface Upload {
  readonly blob: Blob;
  readonly operations: readonly RequestOp[];
}

/**
 * Contents, each under a name of its own and never changed, so that a past write names the content instead of copying it.
 * What is too large for one request is written before, in pieces under a lease; the write that names it takes the lease
 * off, and without that write they vanish.
 */
export class Blobs {
  readonly #host: Host;
  readonly #client: EtcdClient;
  readonly #keys: Keys;
  readonly #slots: Slots;

  constructor(host: Host, client: EtcdClient, keys: Keys, room: Room) {
    this.#host = host;
    this.#client = client;
    this.#keys = keys;
    this.#slots = new Slots(room, UPLOADS_AT_ONCE);
  }

  async upload(content: string): Promise<Upload> {
    const bytes = Buffer.byteLength(content);
    const id = Buffer.from(this.#host.random.bytes(ID_BYTES)).toString('hex');
    const pieces = Math.max(1, Math.ceil(bytes / PIECE_BYTES_MAX));
    const blob = { id, pieces, bytes, length: content.length };
    if (pieces === 1) return { blob, operations: [put(this.#keys.blob(id, 0), Buffer.from(content))] };
    const patience = this.#client.patience(UPLOAD_PATIENCE_MS);
    await this.#slots.take(patience, bytes, () => this.#writePieces(patience, blob, Buffer.from(content)));
    const operations = numbers(pieces).map((piece): RequestOp => {
      return { request_put: { key: this.#keys.blob(id, piece), ignore_value: true } };
    });
    return { blob, operations };
  }

  removed(blobId: string): RequestOp {
    return remove(this.#keys.blobOf(blobId));
  }

  /** As they stood at the revision; damaged ones are undefined and told to `onDamage`. */
  async read(
    patience: Patience,
    heads: readonly { readonly blob: Blob; readonly md5: string }[],
    revision: number,
    onDamage: (index: number, error: DamagedValueError) => void,
  ): Promise<readonly (string | undefined)[]> {
    const contents: (string | undefined)[] = [];
    for (let start = 0; start < heads.length; ) {
      const part = takeUpTo(heads, start);
      const ranges = part.map(({ blob }) => this.#keys.blobOf(blob.id));
      const reads = await readEach(this.#client, patience, ranges, revision);
      for (const [i, { blob, md5 }] of part.entries()) {
        const bytes = Buffer.concat(reads[i]!.kvs.map((kv) => kv.value));
        const fits = bytes.length === blob.bytes && md5Of(bytes) === md5;
        contents.push(fits ? bytes.toString() : undefined);
        if (!fits) onDamage(start + i, new DamagedValueError(`content ${blob.id} does not fit its md5`));
      }
      start += part.length;
    }
    return contents;
  }

  async #writePieces(patience: Patience, { id, pieces }: Blob, bytes: Buffer): Promise<void> {
    const grant = await this.#client.repeat('Lease/LeaseGrant', { TTL: UPLOAD_LEASE_S, ID: '0' }, patience);
    const left = numbers(pieces);
    const writeSome = async () => {
      for (let piece = left.shift(); piece !== undefined; piece = left.shift()) {
        const value = bytes.subarray(piece * PIECE_BYTES_MAX, (piece + 1) * PIECE_BYTES_MAX);
        const request_put = { key: this.#keys.blob(id, piece), value, lease: grant.ID };
        await this.#client.repeat('KV/Txn', { success: [{ request_put }] }, patience);
      }
    };
    await Promise.all(Array.from({ length: PIECES_AT_ONCE }, writeSome));
  }
}

/** At least one, and no more than a read may bring. */
export function takeUpTo<T extends { readonly blob: Blob }>(heads: readonly T[], start: number): readonly T[] {
  let bytes = 0;
  let end = start;
  while (end < heads.length && end - start < KEYS_PER_READ_MAX) {
    bytes += heads[end]!.blob.bytes;
    if (end > start && bytes > READ_BYTES_MAX) break;
    end += 1;
  }
  return heads.slice(start, end);
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
