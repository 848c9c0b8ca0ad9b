/** Things due within one such span count as due together. */
export const SPAN_MS = 100;

/**
 * Things that fall due, in spans of time: adding and taking out cost the same however many there are. What is due and
 * not taken out stays in front of what falls due after it, so that nothing starves when there is too much.
 */
export class DueWheel<T> {
  readonly #spans = new Map<number, T[]>();
  #hand = -1;
  #ready: T[] = [];
  #taken = 0;

  /** A thing is in it as often as it was added; never due in a span that has passed. */
  add(thing: T, dueMs: number): void {
    const span = Math.max(Math.ceil(dueMs / SPAN_MS), this.#hand + 1);
    const things = this.#spans.get(span);
    if (things === undefined) this.#spans.set(span, [thing]);
    else things.push(thing);
  }

  /** Makes ready what is due at `nowMs`. */
  advance(nowMs: number): void {
    this.#hand = Math.max(this.#hand, Math.floor(nowMs / SPAN_MS));
    const passed = [...this.#spans.keys()].filter((span) => span <= this.#hand).sort((a, b) => a - b);
    // Seldom, for it copies what is left.
    if (this.#taken > this.#ready.length / 2) {
      this.#ready = this.#ready.slice(this.#taken);
      this.#taken = 0;
    }
    for (const span of passed) {
      for (const thing of this.#spans.get(span) ?? []) this.#ready.push(thing);
      this.#spans.delete(span);
    }
  }

  /** The one that is ready for longest. */
  shift(): T | undefined {
    if (this.#taken >= this.#ready.length) return undefined;
    return this.#ready[this.#taken++];
  }

  get readyCount(): number {
    return this.#ready.length - this.#taken;
  }

  clear(): void {
    this.#spans.clear();
    this.#ready = [];
    this.#taken = 0;
  }
}
