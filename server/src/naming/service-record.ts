import type { Metadata } from '@nacos-kube/core/model/instance.ts';
import { parseServiceKey, type ServiceId, serviceKey } from '@nacos-kube/core/model/names.ts';
import type { ClusterSettings, HealthChecker, Selector, ServiceSettings } from '@nacos-kube/core/model/service.ts';
import { isObject } from '@nacos-kube/core/wire/naming-metadata.ts';
import type { StoredRecord } from '../store/store.ts';

/** What was set of a service, as a record of the store: key `namespace##GROUP@@service`, value JSON by the model's names. */
export function encodeServiceRecord(service: ServiceId, settings: ServiceSettings): StoredRecord {
  const { protectThreshold, metadata, selector, clusters } = settings;
  return {
    kind: 'service',
    key: serviceKey(service),
    value: JSON.stringify({
      protectThreshold,
      metadata: Object.fromEntries(metadata),
      selector,
      clusters: [...clusters.values()].map((one) => ({ ...one, metadata: Object.fromEntries(one.metadata) })),
    }),
  };
}

export interface StoredService {
  readonly service: ServiceId;
  readonly settings: ServiceSettings;
}

/** Undefined when the row is not one of ours: such a row is skipped and counted, the rest goes on. */
export function decodeServiceRecord(record: StoredRecord): StoredService | undefined {
  const service = parseServiceKey(record.key);
  const value = parse(record.value);
  if (service === undefined || !isObject(value)) return undefined;
  const { protectThreshold, clusters } = value;
  const [metadata, selector] = [metadataOf(value.metadata), selectorOf(value.selector)];
  if (typeof protectThreshold !== 'number' || !Array.isArray(clusters)) return undefined;
  const read = clusters.map(clusterOf);
  if (metadata === undefined || selector === undefined || !read.every((one) => one !== undefined)) return undefined;
  const byName = new Map(read.map((cluster) => [cluster.name, cluster]));
  return { service, settings: { protectThreshold, metadata, selector, clusters: byName } };
}

function clusterOf(value: unknown): ClusterSettings | undefined {
  if (!isObject(value)) return undefined;
  const { name, checkPort, useInstancePort } = value;
  const [metadata, healthChecker] = [metadataOf(value.metadata), healthCheckerOf(value.healthChecker)];
  if (typeof name !== 'string' || typeof checkPort !== 'number' || typeof useInstancePort !== 'boolean')
    return undefined;
  if (metadata === undefined || healthChecker === undefined) return undefined;
  return { name, healthChecker, checkPort, useInstancePort, metadata };
}

function healthCheckerOf(value: unknown): HealthChecker | undefined {
  if (!isObject(value)) return undefined;
  const { type, path, headers, expectedResponseCode, user, pwd, cmd } = value;
  switch (type) {
    case 'TCP':
    case 'NONE':
      return { type };
    case 'HTTP':
      if (typeof path !== 'string' || typeof headers !== 'string') return undefined;
      if (typeof expectedResponseCode !== 'number') return undefined;
      return { type, path, headers, expectedResponseCode };
    case 'MYSQL': {
      const texts = Object.entries({ user, pwd, cmd }).filter(([, text]) => text !== undefined);
      if (!texts.every(([, text]) => typeof text === 'string')) return undefined;
      return { type, ...Object.fromEntries(texts) };
    }
    default:
      return undefined;
  }
}

function selectorOf(value: unknown): Selector | undefined {
  if (!isObject(value)) return undefined;
  const { type, expression, labels } = value;
  if (type === 'none') return { type };
  if (type !== 'label' || typeof expression !== 'string' || !Array.isArray(labels)) return undefined;
  return labels.every((label) => typeof label === 'string') ? { type, expression, labels } : undefined;
}

function metadataOf(value: unknown): Metadata | undefined {
  if (!isObject(value)) return undefined;
  const entries = Object.entries(value);
  const isText = entries.every(([, text]) => text === null || typeof text === 'string');
  return isText ? new Map(entries as [string, string | null][]) : undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
