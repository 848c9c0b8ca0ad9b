import { optional, required } from '../http/parameters.ts';
import type { Form } from '../http/route.ts';
import type { Instance, Metadata } from '../model/instance.ts';
import { DEFAULT_CLUSTER, type ServiceId } from '../model/names.ts';
import type { InstanceAddress } from './naming.ts';
import { datumKeyOf } from './naming-errors.ts';
import { decodeMetadata, isObject, parseObject } from './naming-metadata.ts';
import { decodeService } from './naming-names.ts';

/** Of the list of instances in one batch. */
export const BATCH_CHARS_MAX = 256 * 1024;
export const BATCH_INSTANCES_MAX = 1_000;

/** PUT and DELETE /instance/metadata/batch. */
export interface MetadataBatch {
  readonly service: ServiceId;
  readonly metadata: Metadata;
  /** All instances of a kind, or those that are named. */
  readonly targets: { readonly all: 'ephemeral' | 'persistent' } | { readonly named: readonly BatchTarget[] };
}

export interface BatchTarget extends InstanceAddress {
  readonly ephemeral: boolean;
}

/** A list that cannot be read names nobody, as in the reference: the answer says who was changed. */
export function decodeMetadataBatch(form: Form): MetadataBatch {
  const service = decodeService(form);
  const metadata = decodeMetadata(required(form, 'metadata'));
  return { service, metadata, targets: decodeTargets(form) };
}

export function encodeUpdated(changed: readonly Pick<Instance, 'ip' | 'port' | 'cluster' | 'ephemeral'>[]): string {
  return JSON.stringify({
    updated: changed.map((one) => `${datumKeyOf(one)}:${one.ephemeral ? 'ephemeral' : 'persist'}`),
  });
}

function decodeTargets(form: Form): MetadataBatch['targets'] {
  switch (optional(form, 'consistencyType', '')) {
    case 'ephemeral':
      return { all: 'ephemeral' };
    case 'persist':
      return { all: 'persistent' };
    case '':
      return { named: decodeNamed(optional(form, 'instances', '')) };
    default:
      return { named: [] };
  }
}

function decodeNamed(text: string): readonly BatchTarget[] {
  if (text.length > BATCH_CHARS_MAX || !text.startsWith('[')) return [];
  // In an object, so that the bound on nesting holds for it too.
  const list = parseObject(`{"list":${text}}`)?.list;
  if (!Array.isArray(list) || list.length > BATCH_INSTANCES_MAX) return [];
  const targets = list.map(targetOf);
  return targets.every((one) => one !== undefined) ? targets : [];
}

function targetOf(value: unknown): BatchTarget | undefined {
  if (!isObject(value)) return undefined;
  const { ip, port, clusterName, ephemeral = true } = value;
  const cluster = clusterName ?? DEFAULT_CLUSTER;
  if (typeof ip !== 'string' || !Number.isInteger(port)) return undefined;
  if (typeof cluster !== 'string' || typeof ephemeral !== 'boolean') return undefined;
  return { ip, port: port as number, cluster: cluster || DEFAULT_CLUSTER, ephemeral };
}
