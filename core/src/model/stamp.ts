/**
 * The version of a replicated ephemeral instance (F2). `epoch` is a Lamport number per service: a member that takes a
 * service over uses the highest it has seen plus one; `sequence` counts within it; the owner's name breaks ties.
 */
export interface Stamp {
  readonly epoch: number;
  readonly sequence: number;
  readonly owner: string;
}

/** Negative when a is older than b. */
export function compareStamps(a: Stamp, b: Stamp): number {
  return a.epoch - b.epoch || a.sequence - b.sequence || (a.owner < b.owner ? -1 : a.owner > b.owner ? 1 : 0);
}

/**
 * Below all that members write, who begin with epoch 1. The sequence keeps the epoch, so that whoever has nothing but this
 * still writes above it.
 */
export function doubtedStamp(stamp: Stamp): Stamp {
  return stamp.epoch === 0 ? stamp : { epoch: 0, sequence: stamp.epoch, owner: stamp.owner };
}

/** The epoch in which it was written, also of a doubted one. */
export function epochOf({ epoch, sequence }: Stamp): number {
  return epoch === 0 ? sequence : epoch;
}

/** An owner is a member and its run, as in `node-0:8848~1f3a`. */
export function memberOf(owner: string): string {
  const end = owner.lastIndexOf('~');
  return end < 0 ? owner : owner.slice(0, end);
}
