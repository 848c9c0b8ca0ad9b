import type { Random } from '../host/host.ts';

/**
 * Small fast counting generator (sfc32), seeded by a text. One per purpose, split off by name: what one part of the
 * world draws never shifts what another part draws, so a line more in one place leaves a replay elsewhere alone.
 */
export class Prng implements Random {
  readonly #seed: string;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: string) {
    this.#seed = seed;
    this.#a = hash(seed, 0x811c9dc5);
    this.#b = hash(seed, 0x9e3779b9);
    this.#c = hash(seed, 0x85ebca6b);
    // The first draws still show the seed.
    for (let i = 0; i < 12; i++) this.#next();
  }

  split(purpose: string): Prng {
    return new Prng(`${this.#seed}/${purpose}`);
  }

  float(): number {
    return this.#next() / 2 ** 32;
  }

  int(bound: number): number {
    return Math.floor(this.float() * bound);
  }

  between(min: number, max: number): number {
    return min + this.float() * (max - min);
  }

  /** Draws nothing at 0, so that a fault that is switched off costs no draw. */
  chance(probability: number): boolean {
    return probability > 0 && this.float() < probability;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#next() & 0xff);
  }

  uuid(): string {
    const bytes = this.bytes(16);
    bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
    const hex = Buffer.from(bytes).toString('hex');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }
}

/** FNV-1a over UTF-16 units, with a last mix. */
export function hash(text: string, start: number): number {
  let value = start;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x21f0aaad);
  return (value ^ (value >>> 15)) >>> 0;
}
