/** Steps of a publish at which a node can be made to end. */
export const STEPS = ['before commit', 'after commit', 'after cache', 'before dump', 'before rename'] as const;
export type Step = (typeof STEPS)[number];

/** A content with this in it ends the node that has it at that step. */
export function stopAt(step: Step): string {
  return `end here: ${step}.`;
}
