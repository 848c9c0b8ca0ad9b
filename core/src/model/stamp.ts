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
