import type { EtcdMember } from '../etcd/gateway.ts';
import type { LogIdentity } from '../etcd/log-identity.ts';
import { quorumOf } from '../plan/etcd-leaving.ts';

export interface ModelMember {
  readonly id: string;
  readonly ordinal: number;
  /** Empty from being added until the first start. */
  name: string;
  isLearner: boolean;
  isStarted: boolean;
}

/** One cluster of etcd: who is a member, and what it refuses. Whether a member runs is asked of the machine it is on. */
export class EtcdMembership {
  readonly id: string;
  /** A quorum stood once. */
  hasFormed = false;
  /** The operator has seen that, and so nodes write to it. */
  isUsed = false;
  members: ModelMember[];
  readonly #runs: (ordinal: number, identity: LogIdentity) => boolean;
  #leaderId = '0';
  #added = 0;

  constructor(id: string, ordinals: number, runs: (ordinal: number, identity: LogIdentity) => boolean) {
    this.id = id;
    this.#runs = runs;
    this.members = Array.from({ length: ordinals }, (_, ordinal) => ({
      ...{ id: `${id}0${ordinal}`, ordinal, name: nameOf(ordinal), isLearner: false, isStarted: false },
    }));
  }

  get voters(): readonly ModelMember[] {
    return this.members.filter(({ isLearner }) => !isLearner);
  }

  get hasQuorum(): boolean {
    return this.#isQuorum(this.voters);
  }

  /** `0` while there is none. */
  get leaderId(): string {
    if (!this.hasQuorum) return '0';
    const running = this.voters.filter((member) => this.isRunning(member));
    if (!running.some(({ id }) => id === this.#leaderId)) this.#leaderId = running[0]?.id ?? '0';
    return this.#leaderId;
  }

  isRunning({ id, ordinal }: ModelMember): boolean {
    return this.#runs(ordinal, { clusterId: this.id, memberId: id });
  }

  find(id: string | undefined): ModelMember | undefined {
    return this.members.find((member) => member.id === id);
  }

  at(ordinal: number): ModelMember | undefined {
    return this.members.find((member) => member.ordinal === ordinal);
  }

  /** False when it is refused: the quorum of the rest is not there. */
  remove(id: string): boolean {
    const rest = this.voters.filter((member) => member.id !== id);
    const isVoter = rest.length < this.voters.length;
    if (!this.hasQuorum || (isVoter && !this.#isQuorum(rest))) return false;
    this.members = this.members.filter((member) => member.id !== id);
    return true;
  }

  /** False when it is refused: one learner at a time. */
  addLearner(ordinal: number): boolean {
    if (!this.hasQuorum || this.members.some(({ isLearner }) => isLearner)) return false;
    const id = `${this.id}1${this.#added++}`;
    this.members.push({ id, ordinal, name: '', isLearner: true, isStarted: false });
    return true;
  }

  promote(id: string): void {
    const member = this.find(id);
    if (member?.isStarted && this.hasQuorum && this.isRunning(member)) member.isLearner = false;
  }

  moveLeader(id: string): void {
    const member = this.find(id);
    if (member && this.isRunning(member)) this.#leaderId = id;
  }

  asTold(): readonly EtcdMember[] {
    return this.members.map(({ id, ordinal, name, isLearner, isStarted }) => ({
      ...{ id, name, isLearner, peerUrls: [peerUrlOf(ordinal)] },
      clientUrls: isStarted ? [peerUrlOf(ordinal).replace('2380', '2379')] : [],
    }));
  }

  #isQuorum(voters: readonly ModelMember[]): boolean {
    return voters.length > 0 && voters.filter((member) => this.isRunning(member)).length >= quorumOf(voters.length);
  }
}

export function nameOf(ordinal: number): string {
  return `demo-etcd-${ordinal}`;
}

export function peerUrlOf(ordinal: number): string {
  return `http://${nameOf(ordinal)}.demo-etcd.shop.svc.cluster.local:2380`;
}
