import type { Clock } from '@nacos-kube/core/host/host.ts';
import type { MoveRow } from './move-row.ts';

const TELL_EVERY_MS = 2_000;
const DAMAGED_TOLD_MAX = 20;

const NAMES: Readonly<Record<MoveRow['what'], string>> = {
  record: 'records',
  config: 'configs',
  variant: 'variants',
  history: 'past writes',
  gone: 'removals',
};

/** Says now and then how far it is. */
export class Progress {
  readonly counts: Map<string, number>;
  readonly damagedRows = new Set<string>();
  readonly #clock: Clock;
  readonly #tell: (line: string) => void;
  #doing = '';
  #toldMs: number;
  #rows = 0;
  #startMs: number;

  constructor(clock: Clock, tell: (line: string) => void, counts: Readonly<Record<string, number>> = {}) {
    this.#clock = clock;
    this.#tell = tell;
    this.counts = new Map(Object.entries(counts));
    this.#startMs = clock.monotonic();
    this.#toldMs = this.#startMs;
  }

  /** What the lines from now on speak of, e.g. `copied`. */
  begin(doing: string): void {
    this.#doing = doing;
    this.#startMs = this.#clock.monotonic();
    this.#rows = 0;
    this.counts.clear();
  }

  moved(rows: readonly MoveRow[]): void {
    for (const { what } of rows) this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
    this.#rows += rows.length;
    const nowMs = this.#clock.monotonic();
    if (this.#rows === 0 || nowMs - this.#toldMs < TELL_EVERY_MS) return;
    this.#toldMs = nowMs;
    const perSecond = Math.round((this.#rows * 1000) / Math.max(1, nowMs - this.#startMs));
    this.#tell(`${this.#doing} ${this.summary()} (${perSecond} rows/s)`);
  }

  damaged(rows: readonly string[]): void {
    for (const row of rows) {
      if (this.damagedRows.has(row)) continue;
      this.damagedRows.add(row);
      if (this.damagedRows.size <= DAMAGED_TOLD_MAX) this.#tell(`left out, damaged in the source: ${row}`);
    }
  }

  tell(line: string): void {
    this.#tell(line);
  }

  summary(): string {
    const texts = [...this.counts].map(([what, count]) => `${count} ${NAMES[what as MoveRow['what']] ?? what}`);
    return texts.length === 0 ? 'nothing' : texts.join(', ');
  }
}
