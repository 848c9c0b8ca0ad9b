/**
 * So many files are written behind changes each turn, for a file costs more than the publish behind it. Where more
 * change than that, the copy lags; a full read or a stop writes as fast as the disk takes it.
 */
export const DUMP_FILES_PER_TURN = 48;
/** While far more change than any turn writes: what the files would cost is the publishes' then, and they catch up after. */
export const DUMP_FILES_PER_BUSY_TURN = 16;
/** From so many changes a turn on it is busy; a turn is a tenth of a second and what its files take. */
export const BUSY_CHANGES = 200;

/** How many files behind changes are written at once. */
export class DumpPace {
  #changes = 0;

  changed(): void {
    this.#changes += 1;
  }

  /** Of the turn that begins. */
  files(): number {
    const isBusy = this.#changes >= BUSY_CHANGES;
    this.#changes = 0;
    return isBusy ? DUMP_FILES_PER_BUSY_TURN : DUMP_FILES_PER_TURN;
  }
}
