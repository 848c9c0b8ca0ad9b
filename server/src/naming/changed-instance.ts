import type { Instance, Metadata } from '@nacos-kube/core/model/instance.ts';
import { encodeMetadata, METADATA_BYTES_MAX } from '@nacos-kube/core/wire/naming-metadata.ts';
import type { InstanceChanges } from './operation.ts';

/** Undefined when its metadata would be too large: then it is to stay as it is. */
export function changedInstance(instance: Instance, changes: InstanceChanges): Instance | undefined {
  const { metadata: replaced, added, dropped, ...fields } = changes;
  const metadata = new Map<string, string | null>(replaced ?? instance.metadata);
  for (const [name, value] of added ?? []) metadata.set(name, value);
  for (const name of dropped ?? []) metadata.delete(name);
  return added !== undefined && isTooLarge(metadata) ? undefined : { ...instance, ...fields, metadata };
}

function isTooLarge(metadata: Metadata): boolean {
  return Buffer.byteLength(encodeMetadata(metadata)) > METADATA_BYTES_MAX;
}
