import { compareStamps } from '@nacos-kube/core/model/stamp.ts';
import type { Datum } from './datum.ts';
import type { ProbeVerdict } from './probe-verdicts.ts';
import type { MergeRoles } from './registry-change.ts';
import type { ServiceEntry } from './service-entry.ts';

/** What becomes of a peer's verdict on a persistent instance: one that is to stand from now on, or none. */
export type ProbeMerge =
  | { readonly outcome: 'applied' | 'restamped'; readonly verdict: ProbeVerdict; readonly visible: boolean }
  | { readonly outcome: 'known' | 'older'; readonly verdict?: undefined };

export function mergeProbe(
  entry: ServiceEntry,
  { key, stamp, healthy }: Datum & { readonly kind: 'probed' },
  { senderIsOwner }: MergeRoles,
  writer: string,
  nowMs: number,
): ProbeMerge {
  const known = entry.verdicts.get(key);
  const instance = entry.persistent.get(key);
  if (known === undefined && instance !== undefined && entry.verdicts.isPast(key, stamp)) {
    // The sender, be it the owner, takes it for one on the instance that stands there now, and would do so for ever. Who
    // saw the one before go knows better. Yet an owner whose stamp is another one below the last may have begun anew.
    const isAnew = senderIsOwner && !entry.verdicts.isLastOfPast(key, stamp);
    const stands = isAnew ? healthy : instance.healthy;
    const verdict = { healthy: stands, stamp: entry.nextStamp(writer) };
    return { outcome: 'restamped', verdict, visible: stands !== instance.healthy };
  }
  const order = known === undefined ? 1 : compareStamps(stamp, known.stamp);
  if (order <= 0 || entry.verdicts.isPast(key, stamp)) return { outcome: order < 0 ? 'older' : 'known' };
  entry.see(stamp);
  if (instance === undefined) {
    // It may still be on its way through the store's feed.
    entry.verdicts.wait(key, { healthy, stamp }, nowMs);
    return { outcome: 'known' };
  }
  const before = known?.healthy ?? instance.healthy;
  return { outcome: 'applied', verdict: { healthy, stamp }, visible: before !== healthy };
}
