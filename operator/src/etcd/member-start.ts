import type { EtcdMember } from './gateway.ts';

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
  /** The members it was about to join, noted on its volume before it was added; undefined when it never was. */
  readonly joining: string | undefined;
  /** As one that has a quorum says; undefined when none of the others does. */
  readonly members: readonly EtcdMember[] | undefined;
}

export type StartStep =
  | { readonly kind: 'start'; readonly clusterState: 'new' | 'existing'; readonly initialCluster: string }
  /** Its number is of a member that had a log, which is lost. */
  | { readonly kind: 'remove'; readonly id: string }
  /** The note is what it is started with when nobody answers any more after that. */
  | { readonly kind: 'add'; readonly initialCluster: string }
  | { readonly kind: 'wait'; readonly why: string };

/**
 * How a member of etcd starts.
 *
 *   volume with data -----------------------------------------------> start: it goes on as who it was
 *   empty, nothing formed yet, nobody answers ----------------------> start, state new
 *   empty, a quorum answers: known, never started ------------------> start, state existing
 *                            known, it ran before --> remove --> add --> start, state existing
 *                            not known ------------------------> add --> start, state existing
 *   empty, formed, no quorum answers, it was about to join ---------> start, state existing
 *   empty, formed, no quorum answers -------------------------------> wait
 *
 * The second of two members is itself the quorum that is missing once it was added: hence the note.
 *
 * A member that has lost its volume must never come back under its old number: it would have forgotten for whom it
 * voted and what it acknowledged, and with it two of three could lose what they promised to keep.
 */
export function nextStartStep(facts: StartFacts): StartStep {
  const { name, peerUrl, hasData, isFormed, wanted, joining, members } = facts;
  const planned = wanted.map((one) => `${one.name}=${one.peerUrl}`).join();
  if (hasData) return { kind: 'start', clusterState: 'existing', initialCluster: planned };
  if (!wanted.some((one) => one.name === name)) {
    return { kind: 'wait', why: `${name} shall be no member any more` };
  }
  if (members === undefined) {
    if (!isFormed) return { kind: 'start', clusterState: 'new', initialCluster: planned };
    if (joining !== undefined) return { kind: 'start', clusterState: 'existing', initialCluster: joining };
    const why =
      wanted.length === 1
        ? 'the volume of the only member is empty: what it held is lost, restore a backup or make the NacosCluster anew'
        : 'the volume is empty, and no quorum of the other members answers yet: this one can only join them';
    return { kind: 'wait', why };
  }
  const self = members.find((member) => member.peerUrls.includes(peerUrl));
  if (self === undefined) {
    const initialCluster = `${current(name, wanted, members)},${name}=${peerUrl}`;
    return { kind: 'add', initialCluster };
  }
  if (self.clientUrls.length > 0) return { kind: 'remove', id: self.id };
  // One that was added since has no name before its first start; those of the first hour have.
  const clusterState = isFormed || self.name === '' ? 'existing' : 'new';
  return { kind: 'start', clusterState, initialCluster: current(name, wanted, members) };
}

/** The members as etcd compares them: it asks for a name of each, and one that has not started has none yet. */
function current(name: string, wanted: StartFacts['wanted'], members: readonly EtcdMember[]): string {
  return members
    .flatMap((member) =>
      member.peerUrls.map((url) => {
        const known = wanted.find(({ peerUrl }) => peerUrl === url)?.name ?? member.name;
        return `${known || `${name}-${member.id}`}=${url}`;
      }),
    )
    .join();
}
