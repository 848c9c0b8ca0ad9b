import type { EtcdAlarm } from '../etcd/gateway.ts';
import type { NacosClusterStatus } from '../generated/nacos-cluster.ts';
import type { ResourceType } from '../kube/resource-types.ts';

/** What the operator does next, in order. Each is a value, so that a plan can be read and compared. */
export type Action =
  /** Makes a child as it shall be, by server-side apply. */
  | { readonly kind: 'apply'; readonly type: ResourceType; readonly object: object }
  /** Makes the Secret with a fresh key, unless it is there. */
  | { readonly kind: 'create-cluster-key' }
  /** Makes the Secret with the login of the managed etcd, unless it is there. */
  | { readonly kind: 'create-etcd-login' }
  /** Asks a member of the managed etcd to do something. A refusal is told, and the plan goes on. */
  | { readonly kind: 'etcd'; readonly address: string; readonly order: EtcdOrder; readonly note: string }
  /** Deletes this very object, not one that took its name since. */
  | {
      readonly kind: 'delete';
      readonly type: ResourceType;
      readonly name: string;
      readonly uid: string;
      readonly why: string;
    }
  | { readonly kind: 'event'; readonly type: 'Normal' | 'Warning'; readonly reason: EventReason; readonly note: string }
  | {
      readonly kind: 'status';
      readonly status: NacosClusterStatus;
      /** Set where it must fail on a stale view. */
      readonly resourceVersion?: string;
    }
  /** Looks again after this time, whether something changes or not. */
  | { readonly kind: 'recheck'; readonly afterMs: number };

export type EtcdOrder =
  | { readonly do: 'guard' }
  | { readonly do: 'move-leader'; readonly to: string }
  | { readonly do: 'remove-member'; readonly id: string }
  | { readonly do: 'promote'; readonly id: string }
  | { readonly do: 'defragment' }
  | { readonly do: 'disarm'; readonly alarm: EtcdAlarm };

export type EventReason =
  | 'MemberJoined'
  | 'MemberLost'
  | 'MemberListChanged'
  | 'RollingUpdateStarted'
  | 'RollingUpdateFinished'
  | 'ReplacingMember'
  | 'ScaleInBlocked'
  | 'DatabaseSecretInvalid'
  | 'VolumeNotGrown'
  | 'StoreMaintained'
  | 'StoreRefused'
  | 'StoreNotReady'
  | 'ReconcileError';
