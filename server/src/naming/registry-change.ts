import type { InstanceKey } from '@nacos-kube/core/model/instance.ts';
import type { ServiceKey } from '@nacos-kube/core/model/names.ts';

/** What a call changed: instances of one service. */
export interface RegistryChange {
  readonly service: ServiceKey;
  readonly keys: readonly InstanceKey[];
  /**
   * `here`: this member made new data, its peers must hear of it. `peer`: a peer's data, already told to all by its
   * maker. `store`: from the change feed, which every member follows itself.
   */
  readonly origin: 'here' | 'peer' | 'store';
  /** Subscribers would see another list. */
  readonly visible: boolean;
}

/** How the members stand to a service, as the merging one sees it. */
export interface MergeRoles {
  readonly iAmOwner: boolean;
  readonly senderIsOwner: boolean;
}

/** `restamped`: ours stays and was stamped anew, so that the sender learns better. */
export type Merged =
  | { readonly outcome: 'applied' | 'restamped'; readonly change: RegistryChange }
  | { readonly outcome: 'known' | 'older' | 'refused' };

/** Who knows of a beat: of several who may judge perhaps this member alone, so a second one in a row is told to all. */
export type HeardBy = 'the judge' | 'one of several' | 'this member alone';

export type Verdict = 'unhealthy' | 'expired';
