import type { EtcdMember, EtcdMembership } from './gateway.ts';
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
  /** The cluster that those who are wanted would found. */
  readonly foundedId: string;
  /** As one that has a quorum says; undefined when none of the others does. */
  readonly membership: EtcdMembership | undefined;
  /** The members as they were when a version without learners added it, with a vote; undefined when none did. */
  readonly joining: string | undefined;
}

export type StartStep =
  | { readonly kind: 'start'; readonly clusterState: 'new' | 'existing'; readonly initialCluster: string }
  /** Its number is of a member that had a log, which is lost. */
  | { readonly kind: 'remove'; readonly id: string }
  /** With its log it could only stand in the way of itself. */
  | { readonly kind: 'forget'; readonly why: string }
  | { readonly kind: 'add' }
  | { readonly kind: 'wait'; readonly why: string }
  /** It may be asked for again meanwhile, so who told it shall be asked anew. */
  | { readonly kind: 'leave'; readonly why: string };

/**
 * How a member of etcd starts.
 *
 *   volume with data, of a number that was removed -----------------> forget, then as if it were empty
 *   volume with data, of a cluster that never had a quorum ---------> forget, then as if it were empty
 *   volume with data of another cluster, shall be no member --------> leave
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
 *
 * A log can also be of a cluster that never was one, which began under a NacosCluster that is gone, or with another number
 * of members, and found no quorum: nothing was ever promised in it. That is known where nothing has formed yet (by the
 * marks of the volumes, see plan/claims.ts), and it is not what would begin now; or where another cluster has formed
 * since that counted on this member from the first, which it could not have while a volume was of one that formed.
 */
export function nextStartStep(facts: StartFacts): StartStep {
  const { name, peerUrl, hasData, isFormed, wanted, membership, joining } = facts;
  const planned = wanted.map((one) => `${one.name}=${one.peerUrl}`).join();
  const isWanted = wanted.some((one) => one.name === name);
  if (hasData) {
    const why = whyForget(facts);
    if (why !== undefined) return { kind: 'forget', why };
    if (isWanted || !isOfAnother(facts)) return { kind: 'start', clusterState: 'existing', initialCluster: planned };
  }
  if (!isWanted) return { kind: 'leave', why: `${name} shall be no member any more` };
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
  const clusterState = isFormed || isAdded(self) ? 'existing' : 'new';
  return { kind: 'start', clusterState, initialCluster: current(name, wanted, membership.members) };
}

/** What it was told may be of a number of members that is on its way, so nothing is given up for lost here. */
function whyAlone({ name, wanted }: StartFacts): string {
  const others = wanted.filter((one) => one.name !== name).map((one) => one.name);
  return others.length === 0
    ? `the volume is empty, and nobody was asked, for ${name} was told that it is the only member: if there were more before, set their number again, and it joins them; what no other member has is only in a backup`
    : `the volume is empty, and ${others.join(', ')} were asked, of whom none answers with a quorum yet: this one can only join them`;
}

function whyForget(facts: StartFacts): string | undefined {
  const { identity, membership, peerUrl, isFormed, foundedId } = facts;
  if (identity === undefined) return undefined;
  if (identity.clusterId === membership?.clusterId) {
    // Only its own cluster can tell.
    const isMember = membership.members.some((member) => member.id === identity.memberId);
    return isMember ? undefined : 'the data are of a member that was removed';
  }
  const self = membership?.members.find((member) => member.peerUrls.includes(peerUrl));
  const isFounder = self !== undefined && !isAdded(self) && self.clientUrls.length === 0;
  const isStale = isFormed ? isFounder : identity.clusterId !== foundedId;
  return isStale ? 'the data are of a cluster that never had a quorum' : undefined;
}

/** Another than that which answers with a quorum. */
function isOfAnother({ identity, membership }: StartFacts): boolean {
  return identity !== undefined && membership !== undefined && identity.clusterId !== membership.clusterId;
}

/** One that was added since has no name before its first start; those of the first hour have. */
function isAdded({ name, clientUrls }: EtcdMember): boolean {
  return name === '' && clientUrls.length === 0;
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
