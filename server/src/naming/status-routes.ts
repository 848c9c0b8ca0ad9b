import { json } from '@nacos-kube/core/http/answers.ts';
import { OPEN, type Route } from '@nacos-kube/core/http/route.ts';
import type { ServiceKey } from '@nacos-kube/core/model/names.ts';
import type { Registry } from './registry.ts';

export interface StatusOptions {
  readonly registry: Registry;
  readonly isReady: () => boolean;
  readonly isOwn: (service: ServiceKey) => boolean;
}

/**
 * What `getServerStatus` of the clients asks: anything but `UP` tells them that this node is down. Open as in the
 * reference, and it gives counts alone. The load of the machine that the reference adds is left to the metrics.
 */
export function statusRoutes(options: StatusOptions): Route[] {
  const handler = () => json(status(options));
  return ['/v1/ns/operator/metrics', '/v1/ns/ops/metrics'].map((path) => ({
    method: 'GET',
    path,
    policy: OPEN,
    handler,
  }));
}

function status({ registry, isReady, isOwn }: StatusOptions) {
  const own = [...registry.views()].filter(({ key }) => isOwn(key));
  return {
    status: isReady() ? 'UP' : 'DOWN',
    serviceCount: registry.serviceCount,
    instanceCount: registry.instanceCount,
    raftNotifyTaskCount: 0,
    responsibleServiceCount: own.length,
    responsibleInstanceCount: own.reduce((sum, { instances }) => sum + instances.length, 0),
  };
}
