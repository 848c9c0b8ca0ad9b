import type { Changes } from '@nacos-kube/core/changes.ts';
import type { Instance, InstanceKey, Metadata } from '@nacos-kube/core/model/instance.ts';
import { parseServiceKey, type ServiceKey } from '@nacos-kube/core/model/names.ts';
import type { Registry } from './registry.ts';
import type { RegistryChange } from './registry-change.ts';
import type { ServiceView } from './service-entry.ts';

/** Of the instances that a question asked for, those that the asking one is shown. */
export type Selection = (asked: readonly Instance[]) => readonly Instance[];

/**
 * Which instances of a service with a `label` selector a consumer sees: those that have the consumer's value of every
 * label, or all of them when there are none. There is no CMDB: the labels of an instance are its metadata, and those of a
 * consumer the metadata of the instances that its namespace has at its address. A label that it has not leaves nothing
 * out; of several values any will do.
 */
export class Selections {
  readonly #registry: Registry;
  readonly #changes: Changes<RegistryChange>;
  /** Metadata of all instances, by namespace and address; made when the first selector asks for it, then followed. */
  #byAddress: Map<string, Map<string, Metadata>> | undefined;

  constructor(registry: Registry, changes: Changes<RegistryChange>) {
    this.#registry = registry;
    this.#changes = changes;
  }

  /** Undefined where nothing is left out, as nearly everywhere. */
  of(view: ServiceView, clientIp: string): Selection | undefined {
    const { selector } = view.settings;
    if (selector.type === 'none' || clientIp === '') return undefined;
    const wanted = selector.labels
      .map((label) => ({ label, values: this.#values(view.id.namespaceId, clientIp, label) }))
      .filter(({ values }) => values.size > 0);
    if (wanted.length === 0) return undefined;
    return (asked) => {
      const kept = asked.filter(({ metadata }) =>
        wanted.every(({ label, values }) => values.has(metadata.get(label) ?? '')),
      );
      return kept.length === 0 ? asked : kept;
    };
  }

  #values(namespaceId: string, ip: string, label: string): ReadonlySet<string> {
    this.#byAddress ??= this.#follow();
    const values = new Set<string>();
    for (const metadata of this.#byAddress.get(addressKey(namespaceId, ip))?.values() ?? []) {
      const value = metadata.get(label);
      if (value != null && value.trim() !== '') values.add(value);
    }
    return values;
  }

  #follow(): Map<string, Map<string, Metadata>> {
    const byAddress = new Map<string, Map<string, Metadata>>();
    for (const { id, key, instances } of this.#registry.views()) {
      for (const one of instances) {
        const { ip, port, cluster, ephemeral, metadata } = one;
        put(byAddress, addressKey(id.namespaceId, ip), `${ephemeral} ${port}:${cluster} ${key}`, metadata);
      }
    }
    this.#changes.subscribe(({ service, keys }) => {
      for (const key of keys) this.#changed(byAddress, service, key);
    });
    return byAddress;
  }

  #changed(byAddress: Map<string, Map<string, Metadata>>, service: ServiceKey, key: InstanceKey): void {
    const namespaceId = parseServiceKey(service)?.namespaceId ?? '';
    const [, ip = '', rest = ''] = /^(.*):(\d+:[^:]*)$/.exec(key) ?? [];
    for (const ephemeral of [true, false]) {
      const metadata = this.#registry.find(service, key, ephemeral)?.metadata;
      put(byAddress, addressKey(namespaceId, ip), `${ephemeral} ${rest} ${service}`, metadata);
    }
  }
}

/** Undefined metadata: it is gone. */
function put(
  byAddress: Map<string, Map<string, Metadata>>,
  address: string,
  slot: string,
  metadata: Metadata | undefined,
): void {
  const slots = byAddress.get(address);
  if (metadata !== undefined && slots !== undefined) slots.set(slot, metadata);
  else if (metadata !== undefined) byAddress.set(address, new Map([[slot, metadata]]));
  else if (slots?.delete(slot) && slots.size === 0) byAddress.delete(address);
}

function addressKey(namespaceId: string, ip: string): string {
  return `${namespaceId}##${ip}`;
}
