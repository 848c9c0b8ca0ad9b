import type { Prng } from '@nacos-kube/core/sim/prng.ts';
import type { LogIdentity } from '../etcd/log-identity.ts';
import { nextStartStep } from '../etcd/member-start.ts';
import type { ConfigMap, PersistentVolumeClaim } from '../kube/objects.ts';
import type { Action, EtcdOrder } from '../plan/actions.ts';
import { planEtcd } from '../plan/etcd.ts';
import { etcdActions } from '../plan/etcd-children.ts';
import type { EtcdReport, Snapshot } from '../snapshot.ts';
import { anEtcdCluster, etcdPod, etcdReport, etcdSet } from './etcd-fixtures.ts';
import { EtcdMembership, nameOf, peerUrlOf } from './etcd-membership.ts';
import { aSnapshot, DEFAULTS, NOW } from './fixtures.ts';

export const ORDINALS_MAX = 5;
const FORMED = 'nacos-kube.dev/etcd-formed';
/** Of the container `prepare`, see etcd/prepare.ts, and of the kubelet that starts it again. */
const ENDS_AFTER_S = { wait: 60, leave: 10 } as const;
const BACK_OFF_S = 10;
const BACK_OFF_S_MAX = 300;
const STOP_S = 4;
const READY_AFTER_S = 2;

interface Settings {
  readonly state: string;
  readonly members: number;
}

interface ModelPod {
  readonly uid: string;
  readonly revision: number;
  phase: 'preparing' | 'running' | 'ended';
  told: Settings;
  /** Since when `prepare` looks; undefined while it waits to be started, which it is at `startsAtS`. */
  looksSinceS: number | undefined;
  startsAtS: number;
  backOffS: number;
  ends: number;
  isReady: boolean;
  readySinceS: number;
  initializedS: number;
  downUntilS: number;
  goneAtS: number | undefined;
}

interface Volume {
  identity: LogIdentity | undefined;
  formed: string | undefined;
}

/**
 * A managed etcd as Kubernetes, its operator and etcd itself make it, a second at each step, with whatever may happen to
 * it: so that plans meet what becomes of them.
 */
export class EtcdWorld {
  readonly log: string[] = [];
  readonly #random: Prng;
  readonly #clusters = new Map<string, EtcdMembership>();
  readonly #pods = new Map<number, ModelPod>();
  readonly #volumes = new Map<number, Volume>();
  #seconds = 0;
  #wanted: number;
  #revision = 1;
  #brokenRevision: number | undefined;
  #operatorAwayUntilS = 0;
  #scarceUntilS = 0;
  #machines = ORDINALS_MAX;
  #owner = 1;
  #uids = 0;
  #settings: Settings | undefined;
  #replicas: number | undefined;
  #isFormed = false;

  constructor(random: Prng, wanted: number) {
    this.#random = random;
    this.#wanted = wanted;
  }

  /** Throws when the operator, or what it told Kubernetes, costs the quorum or the data of a member. */
  step(): void {
    this.#seconds++;
    this.#kubernetes();
    if (this.#seconds < this.#operatorAwayUntilS) return;
    const before = this.#current;
    const hadQuorum = before?.hasQuorum === true && before.voters.length > 1;
    this.#operator();
    if (hadQuorum && !before.hasQuorum) throw new Error('the operator took the quorum');
  }

  run(seconds: number): void {
    for (let i = 0; i < seconds; i++) this.step();
  }

  /** Whether it comes to be as the manifest says, when nothing more happens to it. */
  becomesWhole(withinSeconds: number): boolean {
    this.#operatorAwayUntilS = 0;
    if (this.#brokenRevision === this.#revision) this.#revision++;
    for (let i = 0; i < withinSeconds && !this.#isWhole; i++) this.step();
    return this.#isWhole;
  }

  // ------------------------------------------------------------------------------------ what may happen

  want(members: number): void {
    this.#note(`${members} members are wanted`);
    this.#wanted = members;
  }

  newImage(isBroken: boolean): void {
    this.#revision++;
    if (isBroken) this.#brokenRevision = this.#revision;
    this.#note(`revision ${this.#revision}, ${isBroken ? 'broken' : 'good'}`);
  }

  operatorIsAway(seconds: number): void {
    this.#note(`the operator is away for ${seconds} s`);
    this.#operatorAwayUntilS = this.#seconds + seconds;
  }

  /** Pods from this ordinal on that are made meanwhile find no machine. */
  machinesAreScarce(count: number, seconds: number): void {
    this.#note(`for ${seconds} s there are machines for ${count} pods`);
    [this.#machines, this.#scarceUntilS] = [count, this.#seconds + seconds];
  }

  machineIsDown(ordinal: number, seconds: number): void {
    const pod = this.#pods.get(ordinal);
    if (pod === undefined) return;
    this.#note(`${ordinal} is down for ${seconds} s`);
    pod.downUntilS = this.#seconds + seconds;
  }

  podIsDeleted(ordinal: number): void {
    const pod = this.#pods.get(ordinal);
    if (pod === undefined) return;
    this.#note(`pod ${ordinal} is deleted`);
    pod.goneAtS ??= this.#seconds + STOP_S;
  }

  /** Only where the others hold all that was acknowledged. */
  volumeIsLost(ordinal: number): void {
    const volume = this.#volumes.get(ordinal);
    if (volume?.identity === undefined || !this.#canSpare(ordinal)) return;
    this.#note(`volume ${ordinal} is lost`);
    volume.identity = undefined;
    this.#pods.delete(ordinal);
  }

  memberIsRemovedByHand(ordinal: number): void {
    const member = this.#current?.at(ordinal);
    if (member === undefined || !this.#canSpare(ordinal) || !this.#current?.remove(member.id)) return;
    this.#note(`member ${ordinal} is removed by hand`);
  }

  /** The NacosCluster is deleted, its volumes stay, and one of its name is made. */
  isMadeAnew(members: number): void {
    this.#note(`made anew with ${members} members`);
    for (const pod of this.#pods.values()) pod.goneAtS ??= this.#seconds + 1;
    this.#operatorAwayUntilS = this.#seconds + STOP_S;
    this.#owner++;
    [this.#settings, this.#replicas, this.#isFormed, this.#wanted] = [undefined, undefined, false, members];
  }

  // -------------------------------------------------------------------------------------------- inside

  get #current(): EtcdMembership | undefined {
    return [...this.#clusters.values()].findLast(({ hasFormed }) => hasFormed);
  }

  get #isWhole(): boolean {
    const { members = [], hasQuorum = false } = this.#current ?? {};
    const isUp = (ordinal: number) => {
      const pod = this.#pods.get(ordinal);
      return pod?.isReady === true && pod.revision === this.#revision;
    };
    const areRight = members.every(({ ordinal, isLearner }) => !isLearner && ordinal < this.#wanted && isUp(ordinal));
    return hasQuorum && areRight && members.length === this.#wanted && this.#replicas === this.#wanted;
  }

  #canSpare(ordinal: number): boolean {
    const voters = this.#current?.voters ?? [];
    const rest = voters.filter((one) => one.ordinal !== ordinal);
    const withData = rest.filter(({ id, ordinal: at }) => this.#volumes.get(at)?.identity?.memberId === id);
    return withData.length > voters.length / 2;
  }

  #isAlive(ordinal: number): boolean {
    const pod = this.#pods.get(ordinal);
    return (
      pod?.phase === 'running' &&
      pod.goneAtS === undefined &&
      pod.downUntilS <= this.#seconds &&
      pod.revision !== this.#brokenRevision
    );
  }

  #membershipOf(ordinal: number): EtcdMembership | undefined {
    return this.#clusters.get(this.#volumes.get(ordinal)?.identity?.clusterId ?? '');
  }

  /** Where one answers that votes and has a quorum. */
  #heardFrom(ordinal: number): EtcdMembership | undefined {
    const membership = this.#isAlive(ordinal) ? this.#membershipOf(ordinal) : undefined;
    const self = membership?.find(this.#volumes.get(ordinal)?.identity?.memberId);
    return self?.isLearner === false && membership?.hasQuorum ? membership : undefined;
  }

  #kubernetes(): void {
    for (const [ordinal, { goneAtS = Number.POSITIVE_INFINITY }] of this.#pods) {
      if (goneAtS > this.#seconds) continue;
      this.#pods.delete(ordinal);
      if (this.#replicas !== undefined && ordinal >= this.#replicas) this.#scaledAway(ordinal);
    }
    if (this.#replicas === undefined || this.#settings === undefined) return;
    for (let ordinal = 0; ordinal < this.#replicas; ordinal++) {
      if (!this.#volumes.has(ordinal)) this.#volumes.set(ordinal, { identity: undefined, formed: undefined });
      if (!this.#pods.has(ordinal)) this.#pods.set(ordinal, this.#newPod(ordinal, this.#settings));
    }
    for (const [ordinal, pod] of this.#pods) {
      if (ordinal >= this.#replicas) pod.goneAtS ??= this.#seconds + STOP_S;
      this.#kubelet(ordinal, pod);
    }
  }

  #scaledAway(ordinal: number): void {
    if (this.#isOfUse(ordinal)) throw new Error(`the volume of ${ordinal} went, which has a vote`);
    this.#volumes.delete(ordinal);
  }

  /** What it holds may have been acknowledged by its vote. */
  #isOfUse(ordinal: number): boolean {
    const membership = this.#membershipOf(ordinal);
    const member = membership?.find(this.#volumes.get(ordinal)?.identity?.memberId);
    return membership?.isUsed === true && member?.isLearner === false;
  }

  #newPod(ordinal: number, told: Settings): ModelPod {
    const placedAtS = ordinal < this.#machines ? this.#seconds : Math.max(this.#seconds, this.#scarceUntilS);
    return {
      ...{ uid: `pod-${this.#uids++}`, revision: this.#revision, phase: 'preparing', told },
      ...{ looksSinceS: undefined, startsAtS: placedAtS + 1 + this.#random.int(4), backOffS: BACK_OFF_S, ends: 0 },
      ...{ isReady: false, readySinceS: this.#seconds, initializedS: this.#seconds },
      ...{ downUntilS: 0, goneAtS: undefined },
    };
  }

  #kubelet(ordinal: number, pod: ModelPod): void {
    if (pod.goneAtS === undefined && pod.downUntilS <= this.#seconds) {
      if (pod.phase === 'preparing') this.#prepare(ordinal, pod);
      else if (pod.phase === 'running' && this.#isAlive(ordinal)) this.#serve(ordinal, pod);
    }
    const member = this.#membershipOf(ordinal)?.find(this.#volumes.get(ordinal)?.identity?.memberId);
    const answers = this.#isAlive(ordinal) && member !== undefined && this.#membershipOf(ordinal)?.hasQuorum === true;
    const isReady = answers && this.#seconds - pod.initializedS >= READY_AFTER_S;
    if (isReady !== pod.isReady) [pod.isReady, pod.readySinceS] = [isReady, this.#seconds];
  }

  /** What its etcd does: it tells its address once it has a quorum, and ends when it is no member. */
  #serve(ordinal: number, pod: ModelPod): void {
    const membership = this.#membershipOf(ordinal);
    if (!membership?.hasQuorum) return;
    membership.hasFormed = true;
    const member = membership.find(this.#volumes.get(ordinal)?.identity?.memberId);
    if (member) {
      [member.isStarted, member.name] = [true, nameOf(ordinal)];
      return;
    }
    this.#note(`${ordinal} ends: it was removed`);
    pod.phase = 'ended';
    pod.ends++;
  }

  #prepare(ordinal: number, pod: ModelPod): void {
    if (pod.looksSinceS === undefined) {
      if (pod.startsAtS > this.#seconds) return;
      [pod.looksSinceS, pod.told] = [this.#seconds, this.#settings ?? pod.told];
    }
    const { told } = pod;
    const volume = this.#volumes.get(ordinal) as Volume;
    const wanted = Array.from({ length: told.members }, (_, at) => ({ name: nameOf(at), peerUrl: peerUrlOf(at) }));
    const others = wanted.map((_, at) => at).filter((at) => at !== ordinal);
    const heard = others.map((at) => this.#heardFrom(at)).find((one) => one !== undefined);
    const step = nextStartStep({
      ...{ name: nameOf(ordinal), peerUrl: peerUrlOf(ordinal), wanted, isFormed: told.state === 'existing' },
      ...{ hasData: volume.identity !== undefined, identity: volume.identity, joining: undefined },
      foundedId: `${this.#owner}${told.members}`,
      membership: heard && { clusterId: heard.id, members: heard.asTold() },
    });
    switch (step.kind) {
      case 'wait':
      case 'leave':
        if (this.#seconds - pod.looksSinceS < ENDS_AFTER_S[step.kind]) return;
        [pod.looksSinceS, pod.startsAtS] = [undefined, this.#seconds + pod.backOffS];
        pod.backOffS = Math.min(BACK_OFF_S_MAX, pod.backOffS * 2);
        return;
      case 'forget':
        if (this.#isOfUse(ordinal)) throw new Error(`${ordinal} forgets what it has acknowledged`);
        volume.identity = undefined;
        break;
      case 'remove':
        if (!heard?.remove(step.id)) return;
        break;
      case 'add':
        if (!heard?.addLearner(ordinal)) return;
        break;
      case 'start':
        volume.identity ??= this.#identityOf(ordinal, told.members, heard);
        [pod.phase, pod.initializedS, pod.readySinceS] = ['running', this.#seconds, this.#seconds];
        return;
    }
    this.#note(`${ordinal}: ${step.kind}`);
    this.#prepare(ordinal, pod);
  }

  /** As etcd gives it: those that begin with the same members under the same token are of one cluster. */
  #identityOf(ordinal: number, members: number, heard: EtcdMembership | undefined): LogIdentity {
    const id = heard?.id ?? `${this.#owner}${members}`;
    const membership =
      heard ??
      this.#clusters.get(id) ??
      new EtcdMembership(id, members, (at, { clusterId, memberId }) => {
        const identity = this.#volumes.get(at)?.identity;
        return this.#isAlive(at) && identity?.clusterId === clusterId && identity.memberId === memberId;
      });
    this.#clusters.set(id, membership);
    return { clusterId: id, memberId: membership.at(ordinal)?.id ?? '' };
  }

  #operator(): void {
    const snapshot = this.#snapshot();
    const progress = planEtcd(snapshot, true, this.#ms(this.#seconds));
    if (progress === undefined) return;
    this.#isFormed ||= progress.isFormed;
    // From now on the nodes write to it.
    const serving = this.#answering().map((ordinal) => this.#heardFrom(ordinal));
    for (const membership of serving) if (membership) membership.isUsed = true;
    for (const action of etcdActions(snapshot, progress, DEFAULTS)) this.#perform(action);
  }

  #perform(action: Action): void {
    if (action.kind === 'apply' && action.type.kind === 'ConfigMap') {
      const { state = '', members = '' } = (action.object as ConfigMap).data ?? {};
      this.#settings = { state, members: Number(members) };
    } else if (action.kind === 'apply' && action.type.kind === 'StatefulSet') {
      const { replicas } = (action.object as { readonly spec: { readonly replicas: number } }).spec;
      if (replicas !== this.#replicas) this.#note(`the operator wants ${replicas} pods`);
      this.#replicas = replicas;
    } else if (action.kind === 'apply' && action.type.kind === 'PersistentVolumeClaim') {
      const { name, annotations } = (action.object as PersistentVolumeClaim).metadata;
      const volume = this.#volumes.get(Number(name.at(-1)));
      if (volume) volume.formed = annotations?.[FORMED];
    } else if (action.kind === 'delete' && action.type.kind === 'Pod') {
      const pod = this.#pods.get(Number(action.name.at(-1)));
      this.#note(`the operator deletes ${action.name}: ${action.why}`);
      if (pod?.uid === action.uid) pod.goneAtS ??= this.#seconds + STOP_S;
    } else if (action.kind === 'etcd') {
      const membership = this.#heardFrom(Number(action.address.split('.').at(-1)) - 10);
      this.#note(`the operator: ${action.note}`);
      if (membership) obey(membership, action.order);
    }
  }

  #snapshot(): Snapshot {
    const cluster = anEtcdCluster(this.#wanted);
    const storage = { kind: 'etcd', managed: true, formed: this.#isFormed } as const;
    const ordinals = [...this.#pods.keys()].sort();
    const answers = this.#answering();
    const { members, state } = this.#settings ?? {};
    const settings = state === undefined ? undefined : { data: { state, members: String(members) } };
    const heard = answers.map((ordinal) => this.#heardFrom(ordinal)).find((one) => one !== undefined);
    return aSnapshot(
      { ...cluster, status: { readyReplicas: 0, storage } },
      {
        claims: [...this.#volumes].map(([ordinal, volume]) => claimOf(ordinal, volume)),
        etcd: {
          settings: settings as ConfigMap | undefined,
          statefulSet: this.#replicas === undefined ? undefined : etcdSet(this.#replicas, `r${this.#revision}`),
          disruptionBudget: undefined,
          hasLogin: true,
          pods: ordinals.map((ordinal) => this.#podOf(ordinal)),
          members: heard?.asTold(),
          alarms: [],
          guard: heard ? 'on' : 'unknown',
          reports: new Map(answers.map((ordinal) => [nameOf(ordinal), this.#reportOf(ordinal)])),
        },
      },
    );
  }

  #answering(): readonly number[] {
    return [...this.#pods.keys()].filter((ordinal) => this.#isAlive(ordinal)).sort();
  }

  #podOf(ordinal: number) {
    const { uid, revision, phase, isReady, readySinceS, initializedS, ends, goneAtS } = this.#pods.get(
      ordinal,
    ) as ModelPod;
    const pod = etcdPod(ordinal, {
      ...{ isReady, isInitialized: phase !== 'preparing', revision: `r${revision}`, restarts: ends },
      ...{ readySinceMs: this.#ms(readySinceS), initializedSinceMs: this.#ms(initializedS) },
      isTerminating: goneAtS !== undefined,
    });
    return { ...pod, metadata: { ...pod.metadata, uid } };
  }

  #reportOf(ordinal: number): EtcdReport {
    const { clusterId = '', memberId = '' } = this.#volumes.get(ordinal)?.identity ?? {};
    return etcdReport(ordinal, { clusterId, memberId, leaderId: this.#clusters.get(clusterId)?.leaderId ?? '0' });
  }

  #ms(seconds: number): number {
    return NOW + seconds * 1_000;
  }

  #note(what: string): void {
    this.log.push(`${this.#seconds} ${what}`);
  }
}

function obey(membership: EtcdMembership, order: EtcdOrder): void {
  if (order.do === 'remove-member') membership.remove(order.id);
  if (order.do === 'promote') membership.promote(order.id);
  if (order.do === 'move-leader') membership.moveLeader(order.to);
}

function claimOf(ordinal: number, { formed }: Volume): PersistentVolumeClaim {
  const annotations = formed === undefined ? {} : { annotations: { [FORMED]: formed } };
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: `data-${nameOf(ordinal)}`, ...annotations },
    spec: { resources: { requests: { storage: '4Gi' } } },
  };
}
