import type { NacosClusterStatus } from '../generated/nacos-cluster.ts';
import type { ResourceType } from '../kube/resource-types.ts';

/** What the operator does next, in order. Each is a value, so that a plan can be read and compared. */
export type Action =
  /** Makes a child as it shall be, by server-side apply. */
  | { readonly kind: 'apply'; readonly type: ResourceType; readonly object: object }
  /** Makes the Secret with a fresh key, unless it is there. */
  | { readonly kind: 'create-cluster-key' }
  /** Deletes this very object, not one that took its name since. */
  | {
      readonly kind: 'delete';
      readonly type: ResourceType;
      readonly name: string;
      readonly uid: string;
      readonly why: string;
    }
  | { readonly kind: 'event'; readonly type: 'Normal' | 'Warning'; readonly reason: EventReason; readonly note: string }
  | { readonly kind: 'status'; readonly status: NacosClusterStatus }
  /** Looks again after this time, whether something changes or not. */
  | { readonly kind: 'recheck'; readonly afterMs: number };

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
  | 'ReconcileError';
