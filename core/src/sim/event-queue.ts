/** What happens at a moment: the earliest first, of equal moments the one asked for first. */
export interface SimEvent {
  atMs: number;
  order: number;
  readonly run: () => void;
  /** Whose doing it is: a paused one runs late, one of the dead never. */
  readonly owner: EventOwner | undefined;
  /** Runs in its place if the owner has died. */
  readonly whenDead: (() => void) | undefined;
  cancelled: boolean;
}

export interface EventOwner {
  readonly isAlive: boolean;
  readonly pausedUntilMs: number;
  failed(error: unknown): void;
}

/** A binary heap. */
export class EventQueue {
  readonly #heap: SimEvent[] = [];

  get size(): number {
    return this.#heap.length;
  }

  peek(): SimEvent | undefined {
    return this.#heap[0];
  }

  push(event: SimEvent): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(event);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent] as SimEvent;
      if (!isBefore(event, above)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = event;
  }

  pop(): SimEvent | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let i = 0;
    for (;;) {
      const left = 2 * i + 1;
      if (left >= heap.length) break;
      const right = left + 1;
      const isRight = right < heap.length && isBefore(heap[right] as SimEvent, heap[left] as SimEvent);
      const child = isRight ? right : left;
      if (!isBefore(heap[child] as SimEvent, last)) break;
      heap[i] = heap[child] as SimEvent;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

function isBefore(one: SimEvent, other: SimEvent): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
