import type { EtcdOrder } from './actions.ts';
import type { EtcdMemberView } from './etcd-views.ts';

/** What is asked of a member, on Kubernetes or on this machine, before one of them leaves. */
export type LeavingView = Pick<EtcdMemberView, 'name' | 'ordinal' | 'id' | 'isUp' | 'isLearner' | 'isLeader'>;

export type LeavingStep<View> =
  /** Nobody is a member that shall be none. */
  | { readonly kind: 'gone' }
  /** One of those that stay has no vote yet: who leaves may be all the quorum that there is. */
  | { readonly kind: 'joining'; readonly member: View }
  | { readonly kind: 'blocked'; readonly why: string }
  | { readonly kind: 'order'; readonly by: View; readonly order: EtcdOrder; readonly note: string };

/**
 * Fewer members of etcd, one at a time: the highest ordinal is removed as a member first, and its data go when it is none
 * any more; not while the rest would be without a quorum, or nobody of those that stay has the data. `views` are by
 * ordinal, and as one with a quorum told.
 */
export function nextLeaving<View extends LeavingView>(wanted: number, views: readonly View[]): LeavingStep<View> {
  const leaving = views.filter((view) => view.ordinal >= wanted && view.id !== undefined);
  const last = leaving.at(-1);
  if (last === undefined) return { kind: 'gone' };
  const joining = views.find((view) => view.isLearner && view.ordinal < wanted);
  if (joining) return { kind: 'joining', member: joining };
  // One that has no vote or is away goes first, for it is in the way of the others: nobody would ever bring it back.
  const next = leaving.findLast((view) => !view.isUp) ?? last;
  const rest = views.filter((view) => view.id !== undefined && !view.isLearner && view !== next);
  const up = rest.filter((view) => view.isUp);
  const by = up[0];
  const heir = up.find((view) => view.ordinal < wanted);
  const isLastWithData = next.isUp && heir === undefined;
  if (by === undefined || isLastWithData) {
    return { kind: 'blocked', why: `without ${next.name} no member that stays has the data` };
  }
  if (up.length < quorumOf(rest.length)) {
    return { kind: 'blocked', why: `without ${next.name} only ${up.length} of ${rest.length} members would be up` };
  }
  if (next.isLeader && heir) {
    const note = `${heir.name} leads instead of ${next.name}, which is to leave`;
    return { kind: 'order', by: next, order: { do: 'move-leader', to: heir.id as string }, note };
  }
  const order = { do: 'remove-member', id: next.id as string } as const;
  return { kind: 'order', by, order, note: `${next.name} is no member any more` };
}

export function quorumOf(members: number): number {
  return Math.floor(members / 2) + 1;
}
