import { DATA_VOLUME, ordinalOf } from '../resources/names.ts';
import { claimSize } from '../resources/stateful-set.ts';
import { storageOf } from '../resources/storage.ts';
import type { Snapshot } from '../snapshot.ts';
import { quantityBytes } from './quantity.ts';

/**
 * Claims that are smaller than the manifest asks. The template of a StatefulSet can't be changed, so each claim is grown
 * itself, those that a later scale-out makes too.
 */
export function claimGrowth({ cluster, claims }: Snapshot): readonly object[] {
  const wantedText = storageOf(cluster).volume.size;
  const wanted = quantityBytes(wantedText);
  if (wanted === undefined) return [];
  return claims
    .filter(({ metadata, spec }) => {
      const is = quantityBytes(spec.resources?.requests?.storage ?? '');
      const isOurs = ordinalOf(metadata.name, cluster.metadata.name, `${DATA_VOLUME}-`) !== undefined;
      return isOurs && is !== undefined && is < wanted;
    })
    .map(({ metadata }) => claimSize(cluster, metadata.name, wantedText));
}
