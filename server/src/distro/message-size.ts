import { type Instance, type Metadata, NO_METADATA } from '@nacos-kube/core/model/instance.ts';
import type { Datum } from '../naming/datum.ts';
import type { InstanceChanges, Operation } from '../naming/operation.ts';

/** Of texts in one message. JSON spends six bytes at most on each, so it stays below what peers take (16 MiB). */
export const MESSAGE_CHARS_MAX = 2 * 1024 * 1024;
/** Numbers, brackets and quotes of one datum or operation, roughly. */
const FRAME_CHARS = 120;

export function datumChars(datum: Datum): number {
  const { service, key, stamp } = datum;
  const instance = 'instance' in datum ? instanceChars(datum.instance) : 0;
  return FRAME_CHARS + service.length + key.length + stamp.owner.length + instance;
}

export function operationChars(operation: Operation): number {
  const { namespaceId, name } = operation.service;
  const base = FRAME_CHARS + namespaceId.length + name.length;
  switch (operation.kind) {
    case 'register':
      return base + instanceChars(operation.instance);
    case 'deregister':
    case 'judge':
      return base + operation.key.length;
    case 'clear':
      return base;
    case 'change':
      return base + operation.key.length + changesChars(operation.changes);
    case 'beat':
      return base + operation.key.length + (operation.full === undefined ? 0 : instanceChars(operation.full));
  }
}

/** Cuts things into messages, in order: as many in each as fit, and never none. */
export function* inMessages<T>(things: Iterable<T>, charsOf: (thing: T) => number, countMax: number): Iterable<T[]> {
  let message: T[] = [];
  let chars = 0;
  for (const thing of things) {
    const more = charsOf(thing);
    if (message.length > 0 && (message.length >= countMax || chars + more > MESSAGE_CHARS_MAX)) {
      yield message;
      message = [];
      chars = 0;
    }
    message.push(thing);
    chars += more;
  }
  if (message.length > 0) yield message;
}

function changesChars({ app = '', metadata, added, dropped = [] }: InstanceChanges): number {
  const names = dropped.reduce((sum, name) => sum + name.length + 8, 0);
  return FRAME_CHARS + app.length + names + metadataChars(metadata) + metadataChars(added);
}

function instanceChars({ ip, cluster, instanceId, app, metadata }: Instance): number {
  return ip.length + cluster.length + instanceId.length + app.length + metadataChars(metadata);
}

function metadataChars(metadata: Metadata = NO_METADATA): number {
  let chars = 0;
  for (const [name, value] of metadata) chars += name.length + (value?.length ?? 0) + 8;
  return chars;
}
