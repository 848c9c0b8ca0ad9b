/** After this the leaving members go, whether the others were heard to obey the new list or not. */
export const OBEY_WAIT_MS = 30_000;

export interface ScaleFacts {
  /** What the manifest asks for. */
  readonly wanted: number;
  /** What the StatefulSet was last told, not how many pods were seen. */
  readonly told: number | undefined;
  readonly readyOrdinals: readonly number[];
  /** Whether the list that is written names the wanted members, and every ready one of them was heard to obey it. */
  readonly isListObeyed: boolean;
  /** Time since the list was last changed; undefined when it is to be changed now. */
  readonly sinceListChangeMs: number | undefined;
}

export interface ScalePlan {
  /** How many members the list names, from ordinal 0. */
  readonly listed: number;
  /** How many pods the StatefulSet shall have. */
  readonly replicas: number;
  readonly phase: 'steady' | 'out' | 'in' | 'in-blocked';
}

/**
 * Growing: list and pods at once, for a listed member that does not answer yet harms nobody.
 * Shrinking: the highest ordinals leave the list, the others obey, then the pods go. It is refused while it would take
 * the last members that are ready.
 */
export function planScale(facts: ScaleFacts): ScalePlan {
  const { wanted, told, readyOrdinals } = facts;
  if (told === undefined || told === wanted) return { listed: wanted, replicas: wanted, phase: 'steady' };
  if (told < wanted) return { listed: wanted, replicas: wanted, phase: 'out' };

  const takesAllReady = readyOrdinals.length > 0 && readyOrdinals.every((ordinal) => ordinal >= wanted);
  if (takesAllReady) return { listed: told, replicas: told, phase: 'in-blocked' };
  const waitedMs = facts.sinceListChangeMs;
  const mayGo = waitedMs !== undefined && (facts.isListObeyed || waitedMs >= OBEY_WAIT_MS);
  return { listed: wanted, replicas: mayGo ? wanted : told, phase: 'in' };
}
