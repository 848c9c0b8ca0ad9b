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

  /** A reader that throws is a fault, and thrown on; the others have heard of the change all the same. */
  publish(change: T): void {
    let errors: unknown[] | undefined;
    for (const reader of this.#readers) {
      try {
        reader(change);
      } catch (error) {
        errors = [...(errors ?? []), error];
      }
    }
    if (errors === undefined) return;
    throw errors.length === 1 ? errors[0] : new AggregateError(errors, 'readers of a feed failed');
  }
}
