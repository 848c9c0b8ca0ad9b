import type { Instance, InstanceKey } from '@nacos-kube/core/model/instance.ts';
import type { ServiceKey } from '@nacos-kube/core/model/names.ts';
import type { Stamp } from '@nacos-kube/core/model/stamp.ts';
import type { Ephemeral, ServiceEntry } from './service-entry.ts';

/**
 * What members tell each other about one instance: the newest stamp wins (F2).
 *
 * - `live`: registered, by a client or by a beat.
 * - `left`: a client deregistered it: a tombstone, kept for `TOMBSTONE_TTL_MS`.
 * - `unhealthy`, `expired`: verdicts of the owner, who missed its beats. A verdict counts only where nobody knows better:
 *   a member that took a beat within the time-out refuses it and stamps the instance anew (P3).
 * - `probed`: the owner's verdict on a persistent instance, which itself lives in the store.
 */
export type Datum = {
  readonly service: ServiceKey;
  readonly key: InstanceKey;
  readonly stamp: Stamp;
} & (
  | { readonly kind: 'live' | 'unhealthy'; readonly instance: Instance }
  | { readonly kind: 'left' | 'expired' }
  | { readonly kind: 'probed'; readonly healthy: boolean }
);

export type EphemeralDatum = Exclude<Datum, { readonly kind: 'probed' }>;

export const TOMBSTONE_TTL_MS = 24 * 3_600_000;

export function isVerdict(datum: Datum): boolean {
  return datum.kind === 'unhealthy' || datum.kind === 'expired';
}

/** All that is to be told of a service. */
export function* datumsOf(entry: ServiceEntry): Iterable<Datum> {
  const { ephemeral, tombstones, verdicts } = entry;
  if (tombstones.size === 0 && verdicts.isNone) {
    // As nearly everywhere. A copy, since who takes its time must not go round with what changes meanwhile.
    for (const key of [...ephemeral.keys()]) yield* datumsOfKey(entry, key);
    return;
  }
  const keys = new Set([...ephemeral.keys(), ...tombstones.keys(), ...verdicts.keys()]);
  for (const key of keys) yield* datumsOfKey(entry, key);
}

/** The ephemeral instance (or its tombstone), and the verdict on a persistent one of the same key. */
export function datumsOfKey(entry: ServiceEntry, key: InstanceKey): Datum[] {
  const service = entry.key;
  const datums: Datum[] = [];
  const ephemeral = entry.ephemeral.get(key);
  const tombstone = ephemeral === undefined ? entry.tombstones.get(key) : undefined;
  if (ephemeral !== undefined) datums.push(liveDatum(ephemeral));
  else if (tombstone !== undefined) datums.push({ service, key, stamp: tombstone.stamp, kind: tombstone.kind });
  if (entry.verdicts.isNone) return datums;
  const verdict = entry.verdicts.get(key);
  if (verdict !== undefined) {
    datums.push({ service, key, stamp: verdict.stamp, kind: 'probed', healthy: verdict.healthy });
  }
  return datums;
}

function liveDatum({ entry, key, stamp, instance, isUnhealthyByVerdict }: Ephemeral): Datum {
  const kind = isUnhealthyByVerdict && !instance.healthy ? 'unhealthy' : 'live';
  return { service: entry.key, key, stamp, kind, instance };
}
