import { hash } from './prng.ts';

/** Keeps the last lines to be read, and a fingerprint over all to tell two runs apart. */
export class Trace {
  readonly #linesMax: number;
  readonly #echo: ((line: string) => void) | undefined;
  #lines: string[] = [];
  #fingerprint = 0;

  constructor(linesMax: number, echo: ((line: string) => void) | undefined) {
    this.#linesMax = linesMax;
    this.#echo = echo;
  }

  /** Nobody reads it: lines are dropped, and the fingerprint stays as it is. */
  get isOff(): boolean {
    return this.#linesMax === 0;
  }

  add(nowMs: number, text: string): void {
    if (this.isOff) return;
    const line = `${(nowMs / 1000).toFixed(4).padStart(10)} ${text}`;
    this.#fingerprint = hash(line, this.#fingerprint);
    this.#lines.push(line);
    // Cut now and then instead of shifting each time.
    if (this.#lines.length >= 2 * this.#linesMax) this.#lines = this.#lines.slice(-this.#linesMax);
    this.#echo?.(line);
  }

  lines(): readonly string[] {
    return this.#lines.slice(-this.#linesMax);
  }

  fingerprint(): string {
    return this.#fingerprint.toString(16).padStart(8, '0');
  }
}
