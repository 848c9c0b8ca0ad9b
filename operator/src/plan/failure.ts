import { isDeepStrictEqual } from 'node:util';
import type { NacosCluster } from '../generated/nacos-cluster.ts';
import type { Action } from './actions.ts';
import { conditionOf, withTimes } from './conditions.ts';

const MESSAGE_CHARS_MAX = 1_000;

/** What is told when a plan could not be carried out: the members go on, but what was asked for is not there. */
export function planFailure(
  cluster: NacosCluster,
  failure: { readonly isInvalid: boolean; readonly message: string },
  nowMs: number,
): readonly Action[] {
  const reason = failure.isInvalid ? 'SpecInvalid' : 'ReconcileError';
  const message = failure.message.slice(0, MESSAGE_CHARS_MAX);
  const [ready] = withTimes(cluster, [{ type: 'Ready', status: 'False', reason, message }], nowMs);
  if (!ready || isDeepStrictEqual(ready, conditionOf(cluster, 'Ready'))) return [];
  const others = (cluster.status?.conditions ?? []).filter(({ type }) => type !== 'Ready');
  const status = { readyReplicas: 0, ...cluster.status, conditions: [ready, ...others] };
  return [
    { kind: 'event', type: 'Warning', reason: 'ReconcileError', note: message },
    { kind: 'status', status },
  ];
}
