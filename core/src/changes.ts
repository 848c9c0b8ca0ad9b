/**
 * A feed from one writer to many readers inside a process: knowledge flows up by it, calls go down.
 * Readers run in order of subscription, in the caller's turn; they take note and return, work happens later.
 */
export class Changes<T> {
  readonly #readers = new Set<(change: T) => void>();

  subscribe(reader: (change: T) => void): () => void {
    this.#readers.add(reader);
    return () => this.#readers.delete(reader);
  }

  publish(change: T): void {
    for (const reader of this.#readers) reader(change);
  }
}
