import type { EtcdMembership } from './gateway.ts';
import type { LogIdentity } from './log-identity.ts';

/** What is known before a member of the managed etcd starts. */
export interface StartFacts {
  readonly name: string;
  readonly peerUrl: string;
  /** Whether its volume holds what it had when it ran before. */
  readonly hasData: boolean;
  /** Whether the members have found together once: from then on nobody may begin anew. */
  readonly isFormed: boolean;
  /** Who shall be a member. */
  readonly wanted: readonly { readonly name: string; readonly peerUrl: string }[];
  /** Whose its data are; undefined when there are none, or they do not say. */
  readonly identity: LogIdentity | undefined;
  /** As one that has a quorum says; undefined when none of the others does. */
  readonly membership: EtcdMembership | undefined;
  /** The members as they were when a version without learners added it, with a vote; undefined when none did. */
  readonly joining: string | undefined;
}

export type StartStep =
  | { readonly kind: 'start'; readonly clusterState: 'new' | 'existing'; readonly initialCluster: string }
  /** Its number is of a member that had a log, which is lost. */
  | { readonly kind: 'remove'; readonly id: string }
  /** Its log is of a number that was removed, and etcd would end with it at each start. */
  | { readonly kind: 'forget' }
  | { readonly kind: 'add' }
  | { readonly kind: 'wait'; readonly why: string }
  /** It may be asked for again meanwhile, so who told it shall be asked anew. */
  | { readonly kind: 'leave'; readonly why: string };

/**
 * How a member of etcd starts.
 *
 *   volume with data, of a number that was removed -----------------> forget, then as if it were empty
 *   volume with data else ------------------------------------------> start: it goes on as who it was
 *   empty, shall be no member --------------------------------------> leave
 *   empty, nothing formed yet, nobody answers ----------------------> start, state new
 *   empty, a quorum answers: known, never started ------------------> start, state existing
 *                            known, it ran before, a learner joins --> wait
 *                            known, it ran before --> remove --> add --> start, state existing
 *                            not known ------------------------> add --> start, state existing
 *   empty, nobody answers, it was added with a vote ----------------> start, state existing: it may be the quorum
 *   empty, formed, no quorum answers -------------------------------> wait, for a while, then it is told anew
 *
 * It is added as a learner, which counts for no quorum: whether it ever starts is nobody else's concern, and the second
 * of two does not stop the first. Who runs etcd promotes it when it has caught up.
 *
 * A member that has lost its volume must never come back under its old number: it would have forgotten for whom it
 * voted and what it acknowledged, and with it two of three could lose what they promised to keep. One that was removed
 * has nothing to keep: etcd gives no number twice, so its log is of no use to anybody.
 */
export function nextStartStep(facts: StartFacts): StartStep {
  const { name, peerUrl, hasData, isFormed, wanted, membership, joining } = facts;
  const planned = wanted.map((one) => `${one.name}=${one.peerUrl}`).join();
  if (hasData) {
    return wasRemoved(facts)
      ? { kind: 'forget' }
      : { kind: 'start', clusterState: 'existing', initialCluster: planned };
  }
  if (!wanted.some((one) => one.name === name)) return { kind: 'leave', why: `${name} shall be no member any more` };
  if (membership === undefined) {
    if (joining !== undefined) return { kind: 'start', clusterState: 'existing', initialCluster: joining };
    if (!isFormed) return { kind: 'start', clusterState: 'new', initialCluster: planned };
    return { kind: 'wait', why: whyAlone(facts) };
  }
  const self = membership.members.find((member) => member.peerUrls.includes(peerUrl));
  if (self === undefined) return { kind: 'add' };
  if (self.clientUrls.length > 0) {
    const joining = membership.members.find((member) => member.isLearner && member !== self);
    if (joining === undefined) return { kind: 'remove', id: self.id };
    const why = `member ${joining.name || joining.id} joins first: etcd takes one learner at a time, and it was told of this one`;
    return { kind: 'wait', why };
  }
  // One that was added since has no name before its first start; those of the first hour have.
  const clusterState = isFormed || self.name === '' ? 'existing' : 'new';
  return { kind: 'start', clusterState, initialCluster: current(name, wanted, membership.members) };
}

/** What it was told may be of a number of members that is on its way, so nothing is given up for lost here. */
function whyAlone({ name, wanted }: StartFacts): string {
  const others = wanted.filter((one) => one.name !== name).map((one) => one.name);
  return others.length === 0
    ? `the volume is empty, and nobody was asked, for ${name} was told that it is the only member: if there were more before, set their number again, and it joins them; what no other member has is only in a backup`
    : `the volume is empty, and ${others.join(', ')} were asked, of whom none answers with a quorum yet: this one can only join them`;
}

/** Only its own cluster can tell, so one of another identity never does. */
function wasRemoved({ identity, membership }: StartFacts): boolean {
  if (identity === undefined || membership === undefined) return false;
  return (
    identity.clusterId === membership.clusterId && !membership.members.some((member) => member.id === identity.memberId)
  );
}

/** The members as etcd compares them: it asks for a name of each, and one that has not started has none yet. */
function current(name: string, wanted: StartFacts['wanted'], members: EtcdMembership['members']): string {
  return members
    .flatMap((member) =>
      member.peerUrls.map((url) => {
        const known = wanted.find(({ peerUrl }) => peerUrl === url)?.name ?? member.name;
        return `${known || `${name}-${member.id}`}=${url}`;
      }),
    )
    .join();
}
