import { isTerminating, type PersistentVolumeClaim } from '../kube/objects.ts';
import { childNames, DATA_VOLUME, ETCD_FORMED_ANNOTATION, ordinalOf } from '../resources/names.ts';
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

/**
 * The same of the managed etcd, and whether it has formed. Both at once, for what one apply leaves out of what the last
 * one said is taken away; and each claim is marked before it grows, which its storage class may refuse.
 */
export function etcdClaimWishes(snapshot: Snapshot, { volume }: ManagedEtcd, isFormed: boolean): readonly object[] {
  const wanted = quantityBytes(volume.size);
  const mark = String(isFormed);
  return etcdClaims(snapshot).flatMap((claim) => {
    const { name, annotations } = claim.metadata;
    const size = claim.spec.resources?.requests?.['storage'];
    if (size === undefined) return [];
    const isMarked = annotations?.[ETCD_FORMED_ANNOTATION] === mark;
    if (isMarked && (wanted === undefined || !isSmaller(claim, wanted))) return [];
    const marks = { [ETCD_FORMED_ANNOTATION]: mark };
    return [claimSize(snapshot.cluster, name, isMarked ? volume.size : size, marks)];
  });
}

/** Volumes outlive their NacosCluster, and so may be of one that had its name before. */
export function etcdClaims({ cluster, claims }: Snapshot): readonly PersistentVolumeClaim[] {
  const { etcd } = childNames(cluster.metadata.name);
  return claims.filter(
    (claim) => ordinalOf(claim.metadata.name, etcd, `${DATA_VOLUME}-`) !== undefined && !isTerminating(claim),
  );
}

function growth({ cluster, claims }: Snapshot, statefulSet: string, wantedText: string): readonly object[] {
  const wanted = quantityBytes(wantedText);
  if (wanted === undefined) return [];
  return claims
    .filter((claim) => ordinalOf(claim.metadata.name, statefulSet, `${DATA_VOLUME}-`) !== undefined)
    .filter((claim) => isSmaller(claim, wanted))
    .map(({ metadata }) => claimSize(cluster, metadata.name, wantedText));
}

function isSmaller({ spec }: PersistentVolumeClaim, wanted: number): boolean {
  const is = quantityBytes(spec.resources?.requests?.['storage'] ?? '');
  return is !== undefined && is < wanted;
}
