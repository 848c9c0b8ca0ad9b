import type { EtcdAlarm, EtcdMember, EtcdStatus } from './etcd/gateway.ts';
import type { NacosCluster } from './generated/nacos-cluster.ts';
import type { ConfigMap, KubeObject, PersistentVolumeClaim, Pod, StatefulSet } from './kube/objects.ts';

/** Everything a plan is made from, seen at one time. */
export interface Snapshot {
  readonly cluster: NacosCluster;
  readonly memberList: ConfigMap | undefined;
  readonly statefulSet: StatefulSet | undefined;
  readonly disruptionBudget: KubeObject | undefined;
  readonly hasClusterKey: boolean;
  /** What is wrong with the Secrets of the database; undefined when they are fine or none is named. */
  readonly databaseSecretProblem: string | undefined;
  readonly claims: readonly PersistentVolumeClaim[];
  readonly pods: readonly Pod[];
  /** By pod name; only of those that answered. */
  readonly reports: ReadonlyMap<string, MemberReport>;
  /** The managed etcd; undefined where the store is another one. */
  readonly etcd: EtcdSnapshot | undefined;
}

export interface EtcdSnapshot {
  readonly settings: ConfigMap | undefined;
  readonly statefulSet: StatefulSet | undefined;
  readonly disruptionBudget: KubeObject | undefined;
  readonly hasLogin: boolean;
  readonly pods: readonly Pod[];
  /** As one says that has a quorum; undefined when none does. */
  readonly members: readonly EtcdMember[] | undefined;
  readonly alarms: readonly EtcdAlarm[];
  /** Whether it asks for its login; `refused`: for another one than in its Secret. */
  readonly guard: 'on' | 'off' | 'refused' | 'unknown';
  /** By pod name; only of those that answered. */
  readonly reports: ReadonlyMap<string, EtcdReport>;
}

export interface EtcdReport extends EtcdStatus {
  /** Where it was asked. */
  readonly address: string;
}

/** What a member said when it was asked. */
export interface MemberReport {
  readonly isReady: boolean;
  /** The members it knows, itself included. */
  readonly members: readonly ReportedMember[];
}

export interface ReportedMember {
  readonly address: string;
  readonly state: string;
  readonly version: string | undefined;
}
