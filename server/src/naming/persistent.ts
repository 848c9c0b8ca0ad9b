import { type Instance, type InstanceKey, instanceKey, type Metadata } from '@nacos-kube/core/model/instance.ts';
import { parseServiceKey, type ServiceId, serviceKey } from '@nacos-kube/core/model/names.ts';
import type { StoredRecord } from '../store/store.ts';

/**
 * Persistent instances as records of the store. Key: `namespace##GROUP@@service##ip:port:cluster`. Value: JSON with
 * `ip port cluster weight healthy enabled metadata instanceId app`; verdicts of checks are never stored.
 */
export function persistentKey(service: ServiceId, key: InstanceKey): string {
  return `${serviceKey(service)}##${key}`;
}

export function encodePersistent(service: ServiceId, instance: Instance): StoredRecord {
  const { ip, port, cluster, weight, healthy, enabled, instanceId, app } = instance;
  const metadata = Object.fromEntries(instance.metadata);
  return {
    kind: 'instance',
    key: persistentKey(service, instanceKey(instance)),
    value: JSON.stringify({ ip, port, cluster, weight, healthy, enabled, metadata, instanceId, app }),
  };
}

export interface Persistent {
  readonly service: ServiceId;
  readonly instance: Instance;
}

/** Undefined when the row is not one of ours: such a row is skipped and counted, the rest goes on. */
export function decodePersistent(record: StoredRecord): Persistent | undefined {
  const place = parsePersistentKey(record.key);
  if (place === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(record.value);
  } catch {
    return undefined;
  }
  if (!isPersistentValue(value)) return undefined;
  const metadata: Metadata = new Map(Object.entries(value.metadata));
  const { ip, port, cluster, weight, healthy, enabled, instanceId, app } = value;
  const instance = { ip, port, cluster, weight, healthy, enabled, ephemeral: false, metadata, instanceId, app };
  if (instanceKey(instance) !== place.key) return undefined;
  return { service: place.service, instance };
}

export function parsePersistentKey(
  recordKey: string,
): { readonly service: ServiceId; readonly key: InstanceKey } | undefined {
  // Neither a namespace nor the name of a service that was made has a `#`, an address may.
  const at = recordKey.indexOf('##', recordKey.indexOf('##') + 2);
  const service = parseServiceKey(recordKey.slice(0, at));
  return at > 0 && service !== undefined ? { service, key: recordKey.slice(at + 2) } : undefined;
}

interface PersistentValue extends Omit<Instance, 'metadata' | 'ephemeral'> {
  readonly metadata: Record<string, string | null>;
}

function isPersistentValue(value: unknown): value is PersistentValue {
  if (typeof value !== 'object' || value === null) return false;
  const one = value as Record<string, unknown>;
  const texts = ['ip', 'cluster', 'instanceId', 'app'].every((name) => typeof one[name] === 'string');
  const numbers = ['port', 'weight'].every((name) => typeof one[name] === 'number');
  const flags = ['healthy', 'enabled'].every((name) => typeof one[name] === 'boolean');
  const { metadata } = one;
  if (!texts || !numbers || !flags || typeof metadata !== 'object' || metadata === null) return false;
  return Object.values(metadata).every((text) => text === null || typeof text === 'string');
}
