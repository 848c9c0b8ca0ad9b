import type { NacosCluster } from './generated/nacos-cluster.ts';
import type { ConfigMap, KubeObject, PersistentVolumeClaim, Pod, StatefulSet } from './kube/objects.ts';

/** Everything a plan is made from, seen at one time. */
export interface Snapshot {
  readonly cluster: NacosCluster;
  readonly memberList: ConfigMap | undefined;
  readonly statefulSet: StatefulSet | undefined;
  readonly disruptionBudget: KubeObject | undefined;
  readonly hasClusterKey: boolean;
  /** What is wrong with the Secret of the database; undefined when it is fine or none is named. */
  readonly databaseSecretProblem: string | undefined;
  readonly claims: readonly PersistentVolumeClaim[];
  readonly pods: readonly Pod[];
  /** By pod name; only of those that answered. */
  readonly reports: ReadonlyMap<string, MemberReport>;
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
