import type { Stamp } from '@nacos-kube/core/model/stamp.ts';

/**
 * A digest of a set that follows each addition and removal: the exclusive or of 64-bit hashes of its elements, so the
 * order in which members learned of them does not matter. Guards against mistakes, not against forgers.
 */
export class Digest {
  static readonly EMPTY = '0.0';
  #high = 0;
  #low = 0;
  #size = 0;

  add(key: string, stamp: Stamp): void {
    this.#size++;
    this.#toggle(key, stamp);
  }

  remove(key: string, stamp: Stamp): void {
    this.#size--;
    this.#toggle(key, stamp);
  }

  get isEmpty(): boolean {
    return this.#size === 0;
  }

  get text(): string {
    return `${(this.#high >>> 0).toString(36)}.${(this.#low >>> 0).toString(36)}`;
  }

  #toggle(key: string, stamp: Stamp): void {
    hash.start();
    hash.take(key);
    hash.take(' ');
    hash.take(String(stamp.epoch));
    hash.take(' ');
    hash.take(String(stamp.sequence));
    hash.take(' ');
    hash.take(stamp.owner);
    this.#high ^= finish(hash.high);
    this.#low ^= finish(hash.low ^ hash.high);
  }
}

/** Of texts one after the other as if they were one: to join them would cost more than to look at them. */
class Hash {
  high = 0;
  low = 0;

  start(): void {
    this.high = 0x811c9dc5 | 0;
    this.low = 0x9747b28c | 0;
  }

  take(text: string): void {
    let { high, low } = this;
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      high = Math.imul(high ^ unit, 0x01000193);
      low = Math.imul(low ^ unit, 0x5bd1e995) ^ (low >>> 15);
    }
    this.high = high;
    this.low = low;
  }
}

const hash = new Hash();

/** Spreads each bit over the whole word, so that like keys do not cancel out. */
function finish(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
