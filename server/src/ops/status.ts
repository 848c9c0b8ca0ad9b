import type { Machine } from '@nacos-kube/core/host/host.ts';
import type { ServiceKey } from '@nacos-kube/core/model/names.ts';
import type { Switches } from '@nacos-kube/core/model/switches.ts';
import type { Registry } from '../naming/registry.ts';

export interface StatusOptions {
  readonly registry: Registry;
  readonly switches: Switches;
  readonly machine: Machine;
  readonly isReady: () => boolean;
  readonly isOwn: (service: ServiceKey) => boolean;
}

/** What `getServerStatus` of the clients asks: anything but `UP` tells them that this node is down. */
export function describeStatus({ registry, switches, machine, isReady, isOwn }: StatusOptions) {
  let [responsibleServiceCount, responsibleInstanceCount] = [0, 0];
  for (const { key, instances } of registry.views()) {
    if (!isOwn(key)) continue;
    responsibleServiceCount++;
    responsibleInstanceCount += instances.length;
  }
  const { cpu, load, memory } = machine.load();
  return {
    status: switches.current.overriddenServerStatus ?? (isReady() ? 'UP' : 'DOWN'),
    serviceCount: registry.serviceCount,
    instanceCount: registry.instanceCount,
    raftNotifyTaskCount: 0,
    responsibleServiceCount,
    responsibleInstanceCount,
    ...{ cpu, load, mem: memory },
  };
}
