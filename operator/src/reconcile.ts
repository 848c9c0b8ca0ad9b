import type { Host } from '@nacos-kube/core/host/host.ts';
import type { Applier } from './apply.ts';
import type { EtcdGateway } from './etcd/gateway.ts';
import type { KubeApi } from './kube/api.ts';
import { isInvalid, KubeError } from './kube/api.ts';
import type { Mirror } from './kube/mirror.ts';
import type { ObjectKey } from './kube/objects.ts';
import { observe } from './observe.ts';
import { planFailure } from './plan/failure.ts';
import { plan } from './plan/plan.ts';
import type { PodDefaults } from './resources/pod.ts';

/** Looks at one NacosCluster, plans and acts. Rejects to be tried again; resolves with when to look anyway. */
export async function reconcile(
  host: Host,
  api: KubeApi,
  mirror: Mirror,
  applier: Applier,
  gateway: EtcdGateway,
  defaults: PodDefaults,
  key: ObjectKey,
): Promise<{ readonly recheckMs?: number }> {
  const snapshot = await observe(host, api, mirror, gateway, key);
  if (!snapshot) return {};
  const actions = plan(snapshot, host.clock.now(), defaults);
  try {
    return await applier.perform(snapshot.cluster, actions);
  } catch (error) {
    if (isWorthTelling(error)) {
      const failure = { isInvalid: isInvalid(error), message: (error as Error).message };
      await applier
        .perform(snapshot.cluster, planFailure(snapshot.cluster, failure, host.clock.now()))
        .catch((second) => {
          host.log.debug('the failure could not be told', { key, error: second });
        });
    }
    throw error;
  }
}

/** A stale look, a busy server and a lost connection pass by themselves; a refusal needs somebody. */
function isWorthTelling(error: unknown): boolean {
  if (!(error instanceof KubeError)) return true;
  return error.code >= 400 && error.code < 500 && error.code !== 409 && error.code !== 429;
}
