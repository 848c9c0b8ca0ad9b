import type { HttpResponse } from '@nacos-kube/core/host/host.ts';
import type { CachedView } from './view.ts';

export const CONTENT_CACHE_BYTES_MAX = 256 * 1024 * 1024;

/** A content in memory, and what was made of it. */
export interface Kept {
  readonly content: Uint8Array;
  /** The answer to a read of it; whoever builds it first leaves it here. */
  answer: HttpResponse | undefined;
  isUsed: boolean;
}

/**
 * The contents that memory has room for. Those go first that were not asked for since room was last needed: that costs
 * a read one flag, where exact order would cost it a move.
 */
export class Contents {
  readonly #bytesMax: number;
  readonly #kept = new Map<CachedView, Kept>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(view: CachedView): Kept | undefined {
    const kept = this.#kept.get(view);
    if (kept !== undefined) kept.isUsed = true;
    return kept;
  }

  put(view: CachedView, content: Uint8Array): void {
    this.drop(view);
    if (content.byteLength > this.#bytesMax) return;
    this.#makeRoom(this.#bytesMax - content.byteLength);
    this.#kept.set(view, { content, answer: undefined, isUsed: false });
    this.#bytes += content.byteLength;
  }

  drop(view: CachedView): void {
    const kept = this.#kept.get(view);
    if (kept === undefined) return;
    this.#bytes -= kept.content.byteLength;
    this.#kept.delete(view);
  }

  /** Ends, since each one is passed over once at most. */
  #makeRoom(bytesMax: number): void {
    while (this.#bytes > bytesMax) {
      const [view, kept] = this.#kept.entries().next().value!;
      if (!kept.isUsed) {
        this.drop(view);
        continue;
      }
      kept.isUsed = false;
      this.#kept.delete(view);
      this.#kept.set(view, kept);
    }
  }
}
