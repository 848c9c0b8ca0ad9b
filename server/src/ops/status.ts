import type { Clock, Machine } from '@nacos-kube/core/host/host.ts';
import type { ServiceKey } from '@nacos-kube/core/model/names.ts';
import type { Switches } from '@nacos-kube/core/model/switches.ts';
import type { Registry } from '../naming/registry.ts';

/** So long the counts of all services hold: anybody may ask, and each count looks at every service. */
export const COUNTS_KEPT_MS = 1_000;

export interface StatusOptions {
  readonly clock: Clock;
  readonly registry: Registry;
  readonly switches: Switches;
  readonly machine: Machine;
  readonly isReady: () => boolean;
  readonly isOwn: (service: ServiceKey) => boolean;
}

interface Counts {
  readonly serviceCount: number;
  readonly own: { readonly services: number; readonly instances: number };
}

/** What `getServerStatus` of the clients asks: anything but `UP` tells them that this node is down. */
export class NodeStatus {
  readonly #options: StatusOptions;
  #counts: Counts | undefined;
  #countedMs = 0;

  constructor(options: StatusOptions) {
    this.#options = options;
  }

  describe() {
    const { clock, registry, switches, machine, isReady } = this.#options;
    const nowMs = clock.monotonic();
    if (this.#counts === undefined || nowMs - this.#countedMs >= COUNTS_KEPT_MS) {
      this.#counts = this.#count();
      this.#countedMs = nowMs;
    }
    const { serviceCount, own } = this.#counts;
    const { cpu, load, memory } = machine.load();
    return {
      status: switches.current.overriddenServerStatus ?? (isReady() ? 'UP' : 'DOWN'),
      serviceCount,
      instanceCount: registry.instanceCount,
      raftNotifyTaskCount: 0,
      responsibleServiceCount: own.services,
      responsibleInstanceCount: own.instances,
      ...{ cpu, load, mem: memory },
    };
  }

  #count(): Counts {
    const { registry, isOwn } = this.#options;
    return { serviceCount: registry.serviceCount, own: registry.countsOf(isOwn) };
  }
}
