import type { PersistentVolumeClaim } from '../kube/objects.ts';
import { childNames, DATA_VOLUME, ordinalOf } from '../resources/names.ts';
import { claimSize } from '../resources/stateful-set.ts';
import { type ManagedEtcd, storageOf } from '../resources/storage.ts';
import type { Snapshot } from '../snapshot.ts';
import { quantityBytes } from './quantity.ts';

/**
 * Claims that are smaller than the manifest asks. The template of a StatefulSet can't be changed, so each claim is grown
 * itself, those that a later scale-out makes too.
 */
export function claimGrowth(snapshot: Snapshot): readonly object[] {
  return growth(snapshot, snapshot.cluster.metadata.name, storageOf(snapshot.cluster).volume.size);
}

/** The same of the managed etcd. */
export function etcdClaimGrowth(snapshot: Snapshot, { volume }: ManagedEtcd): readonly object[] {
  return growth(snapshot, childNames(snapshot.cluster.metadata.name).etcd, volume.size);
}

function growth({ cluster, claims }: Snapshot, statefulSet: string, wantedText: string): readonly object[] {
  const wanted = quantityBytes(wantedText);
  if (wanted === undefined) return [];
  const isSmaller = ({ metadata, spec }: PersistentVolumeClaim) => {
    const is = quantityBytes(spec.resources?.requests?.storage ?? '');
    const isOurs = ordinalOf(metadata.name, statefulSet, `${DATA_VOLUME}-`) !== undefined;
    return isOurs && is !== undefined && is < wanted;
  };
  return claims.filter(isSmaller).map(({ metadata }) => claimSize(cluster, metadata.name, wantedText));
}
