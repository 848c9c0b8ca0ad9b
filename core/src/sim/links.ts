import type { Prng } from './prng.ts';

export interface LinkQuality {
  readonly delayMinMs: number;
  readonly delayMaxMs: number;
  /** Of datagrams that never arrive; what goes over a connection arrives later instead. */
  readonly lossRate: number;
  /** Of datagrams that arrive twice. */
  readonly duplicateRate: number;
}

export const LAN: LinkQuality = { delayMinMs: 0.2, delayMaxMs: 2, lossRate: 0, duplicateRate: 0 };
/** What is held arrives so late that its sender has long given up, and others have said something newer. */
const HOLD_MS = { min: 5_000, max: 60_000 };
const LOOPBACK: LinkQuality = { delayMinMs: 0.02, delayMaxMs: 0.1, lossRate: 0, duplicateRate: 0 };

/** The ways between machines, each direction on its own. Nothing cuts a machine from itself. */
export class Links {
  readonly #prng: Prng;
  readonly #qualities = new Map<string, LinkQuality>();
  readonly #cut = new Set<string>();
  readonly #holdRates = new Map<string, number>();
  /** From where, and to where. */
  readonly #streams = new Map<string, Map<string, Prng>>();
  #ordinary: LinkQuality = LAN;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  setOrdinary(quality: Partial<LinkQuality>): void {
    this.#ordinary = { ...this.#ordinary, ...quality };
  }

  set(from: string, to: string, quality: Partial<LinkQuality>): void {
    this.#qualities.set(wayOf(from, to), { ...this.quality(from, to), ...quality });
  }

  cut(from: string, to: string): void {
    if (from === to) throw new Error(`cannot cut ${from} from itself`);
    this.#cut.add(wayOf(from, to));
  }

  /** One way only, as it was cut. */
  mend(from: string, to: string): void {
    this.#cut.delete(wayOf(from, to));
  }

  /** So many of the packets on this way arrive 5 to 60 s late; with 0 none more. */
  hold(from: string, to: string, rate: number): void {
    this.#holdRates.set(wayOf(from, to), rate);
  }

  /** Mends what was cut; qualities stay. */
  heal(): void {
    this.#cut.clear();
  }

  isCut(from: string, to: string): boolean {
    return this.#cut.size > 0 && this.#cut.has(wayOf(from, to));
  }

  quality(from: string, to: string): LinkQuality {
    if (from === to) return LOOPBACK;
    return (this.#qualities.size > 0 ? this.#qualities.get(wayOf(from, to)) : undefined) ?? this.#ordinary;
  }

  /** Whether a packet sent now arrives. */
  passes(from: string, to: string): boolean {
    return !this.isCut(from, to) && !this.#stream(from, to).chance(this.quality(from, to).lossRate);
  }

  delayMs(from: string, to: string): number {
    const { delayMinMs, delayMaxMs } = this.quality(from, to);
    const stream = this.#stream(from, to);
    const delayMs = stream.between(delayMinMs, delayMaxMs);
    const isHeld = this.#holdRates.size > 0 && stream.chance(this.#holdRates.get(wayOf(from, to)) ?? 0);
    return isHeld ? delayMs + stream.between(HOLD_MS.min, HOLD_MS.max) : delayMs;
  }

  isDoubled(from: string, to: string): boolean {
    return this.#stream(from, to).chance(this.quality(from, to).duplicateRate);
  }

  #stream(from: string, to: string): Prng {
    let streams = this.#streams.get(from);
    if (streams === undefined) {
      streams = new Map();
      this.#streams.set(from, streams);
    }
    let stream = streams.get(to);
    if (stream === undefined) {
      stream = this.#prng.split(`link ${wayOf(from, to)}`);
      streams.set(to, stream);
    }
    return stream;
  }
}

function wayOf(from: string, to: string): string {
  return `${from} > ${to}`;
}
