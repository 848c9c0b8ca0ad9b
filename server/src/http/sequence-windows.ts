/** How far requests of one sender may overtake each other. */
export const SEQUENCE_WINDOW = 4_096;
/** Runs of members that are remembered; each takes about 600 bytes. */
export const SENDERS_MAX = 1_024;

/**
 * Which numbers of which sender were seen: the highest one, and a bit for each of those just below it. So the memory
 * does not grow with the requests, and nothing that was forgotten is taken for new.
 */
export class SequenceWindows {
  readonly #keepMs: number;
  /** The least recently heard first. */
  readonly #senders = new Map<string, SequenceWindow & { heardMs: number }>();

  /** Senders not heard for `keepMs` are forgotten: by then their requests are refused for their age. */
  constructor(keepMs: number) {
    this.#keepMs = keepMs;
  }

  isNew(sender: string, sequence: number, nowMs: number): boolean {
    const known = this.#senders.get(sender);
    const window = known ?? { highest: 0, bits: new Uint32Array(SEQUENCE_WINDOW / 32), heardMs: nowMs };
    window.heardMs = nowMs;
    if (known === undefined) this.#makeRoom(nowMs);
    else this.#senders.delete(sender);
    this.#senders.set(sender, window);
    return mark(window, sequence);
  }

  get size(): number {
    return this.#senders.size;
  }

  #makeRoom(nowMs: number): void {
    for (const [sender, { heardMs }] of this.#senders) {
      if (this.#senders.size < SENDERS_MAX && nowMs - heardMs <= this.#keepMs) return;
      this.#senders.delete(sender);
    }
  }
}

interface SequenceWindow {
  highest: number;
  readonly bits: Uint32Array;
}

/** False when the number was marked before, or is too old to tell. */
function mark(window: SequenceWindow, sequence: number): boolean {
  if (sequence <= window.highest - SEQUENCE_WINDOW) return false;
  if (sequence > window.highest) {
    const from = Math.max(window.highest + 1, sequence - SEQUENCE_WINDOW + 1);
    for (let number = from; number <= sequence; number++) clearBit(window.bits, number);
    window.highest = sequence;
  } else if (hasBit(window.bits, sequence)) return false;
  setBit(window.bits, sequence);
  return true;
}

function hasBit(bits: Uint32Array, number: number): boolean {
  const at = number % SEQUENCE_WINDOW;
  return ((bits[at >>> 5] as number) & (1 << (at & 31))) !== 0;
}

function setBit(bits: Uint32Array, number: number): void {
  const at = number % SEQUENCE_WINDOW;
  bits[at >>> 5] = (bits[at >>> 5] as number) | (1 << (at & 31));
}

function clearBit(bits: Uint32Array, number: number): void {
  const at = number % SEQUENCE_WINDOW;
  bits[at >>> 5] = (bits[at >>> 5] as number) & ~(1 << (at & 31));
}
