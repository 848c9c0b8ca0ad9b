import { type Instance, instanceKey } from '@nacos-kube/core/model/instance.ts';
import { parseServiceKey } from '@nacos-kube/core/model/names.ts';
import type { Stamp } from '@nacos-kube/core/model/stamp.ts';
import { WEIGHT_MAX } from '@nacos-kube/core/wire/naming.ts';
import type { Datum } from '../naming/datum.ts';
import type { InstanceChanges, Operation, OperationResult } from '../naming/operation.ts';

/**
 * Messages between members, as JSON: schema-checked into plain data, without type names (S7). A message that breaks the
 * schema is refused whole: it comes from a member of another version, or from nobody's member.
 */
export class BadMessageError extends Error {
  override readonly name = 'BadMessageError';
}

const PORT_MAX = 65_535;

/** `[ip, port, cluster, weight, flags, instanceId, app, metadata?]`, flags: 1 healthy, 2 enabled, 4 ephemeral. */
export type InstanceWire = readonly [string, number, string, number, number, string, string, MetadataWire?];
type MetadataWire = readonly (readonly [string, string | null])[];
/** `[service, key, epoch, sequence, owner, kind, value?]`; value: the instance, or the verdict of a probe. */
export type DatumWire = readonly [string, string, number, number, string, Datum['kind'], (InstanceWire | boolean)?];

export function encodeDatum(datum: Datum): DatumWire {
  const { service, key, stamp, kind } = datum;
  switch (kind) {
    case 'live':
    case 'unhealthy':
      return [service, key, stamp.epoch, stamp.sequence, stamp.owner, kind, encodeInstance(datum.instance)];
    case 'probed':
      return [service, key, stamp.epoch, stamp.sequence, stamp.owner, kind, datum.healthy];
    case 'left':
    case 'expired':
      return [service, key, stamp.epoch, stamp.sequence, stamp.owner, kind];
  }
}

export function decodeDatum(value: unknown): Datum {
  const [service, key, epoch, sequence, owner, kind, what] = list(value, 'a datum');
  const base = {
    service: serviceText(service),
    key: text(key, 'a key'),
    stamp: { epoch: count(epoch, 'an epoch'), sequence: count(sequence, 'a sequence'), owner: text(owner, 'an owner') },
  } satisfies { stamp: Stamp } & Record<string, unknown>;
  switch (kind) {
    case 'live':
    case 'unhealthy':
      return { ...base, kind, instance: ephemeralAt(base.key, decodeInstance(what)) };
    case 'probed':
      if (typeof what !== 'boolean') throw new BadMessageError('a probed datum without verdict');
      return { ...base, kind, healthy: what };
    case 'left':
    case 'expired':
      return { ...base, kind };
    default:
      throw new BadMessageError(`a datum of unknown kind ${JSON.stringify(kind)}`);
  }
}

export function encodeInstance(instance: Instance): InstanceWire {
  const { ip, port, cluster, weight, healthy, enabled, ephemeral, instanceId, app, metadata } = instance;
  const flags = (healthy ? 1 : 0) | (enabled ? 2 : 0) | (ephemeral ? 4 : 0);
  if (metadata.size === 0) return [ip, port, cluster, weight, flags, instanceId, app];
  return [ip, port, cluster, weight, flags, instanceId, app, [...metadata]];
}

export function decodeInstance(value: unknown): Instance {
  const [ip, port, cluster, weight, flags, instanceId, app, metadata] = list(value, 'an instance');
  const bits = count(flags, 'flags');
  return {
    ip: text(ip, 'an ip'),
    port: count(port, 'a port', PORT_MAX),
    cluster: text(cluster, 'a cluster'),
    weight: weightOf(weight),
    healthy: (bits & 1) !== 0,
    enabled: (bits & 2) !== 0,
    ephemeral: (bits & 4) !== 0,
    instanceId: text(instanceId, 'an id'),
    app: text(app, 'an app'),
    metadata: decodeMetadata(metadata),
  };
}

function weightOf(value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= WEIGHT_MAX) return value;
  throw new BadMessageError('an instance without weight');
}

/** Two identities for one instance would be an entry that nobody can find again. */
function ephemeralAt(key: string, instance: Instance): Instance {
  if (!instance.ephemeral) throw new BadMessageError(`an instance at ${JSON.stringify(key)} that is not ephemeral`);
  if (instanceKey(instance) !== key) throw new BadMessageError(`an instance that is not at ${JSON.stringify(key)}`);
  return instance;
}

function decodeMetadata(value: unknown): Instance['metadata'] {
  if (value === undefined) return new Map();
  return new Map(
    list(value, 'metadata').map((pair) => {
      const [name, content] = list(pair, 'a pair of metadata');
      if (content !== null && typeof content !== 'string') throw new BadMessageError('metadata that is no text');
      return [text(name, 'a name of metadata'), content];
    }),
  );
}

export function encodeOperation(operation: Operation): unknown {
  const { kind, service } = operation;
  const place = [service.namespaceId, service.name];
  switch (kind) {
    case 'register':
      return [kind, ...place, encodeInstance(operation.instance)];
    case 'deregister':
      return [kind, ...place, operation.key];
    case 'judge':
      return [kind, ...place, operation.key, operation.healthy];
    case 'clear':
      return [kind, ...place];
    case 'change':
      return [kind, ...place, operation.key, encodeChanges(operation.changes), operation.isSignOfLife];
    case 'beat':
      return [kind, ...place, operation.key, ...(operation.full ? [encodeInstance(operation.full)] : [])];
  }
}

export function decodeOperation(value: unknown): Operation {
  const [kind, namespaceId, name, what, full, last] = list(value, 'an operation');
  const service = { namespaceId: text(namespaceId, 'a namespace'), name: text(name, 'a service') };
  if (service.namespaceId.includes('##')) throw new BadMessageError('a namespace that holds a ##');
  switch (kind) {
    case 'register': {
      const instance = decodeInstance(what);
      return { kind, service, instance: ephemeralAt(instanceKey(instance), instance) };
    }
    case 'deregister':
      return { kind, service, key: text(what, 'a key') };
    case 'judge':
      return { kind, service, key: text(what, 'a key'), healthy: flag(full, 'a verdict') };
    case 'clear':
      return { kind, service };
    case 'change': {
      const isSignOfLife = flag(last, 'a sign of life');
      return { kind, service, key: text(what, 'a key'), changes: decodeChanges(full), isSignOfLife };
    }
    case 'beat': {
      const key = text(what, 'a key');
      if (full === undefined) return { kind, service, key };
      return { kind, service, key, full: ephemeralAt(key, decodeInstance(full)) };
    }
    default:
      throw new BadMessageError(`an operation of unknown kind ${JSON.stringify(kind)}`);
  }
}

/** An object of what changes, by the names of the model; metadata in pairs. */
function encodeChanges({ metadata, added, ...changes }: InstanceChanges): unknown {
  return { ...changes, ...(metadata && { metadata: [...metadata] }), ...(added && { added: [...added] }) };
}

function decodeChanges(value: unknown): InstanceChanges {
  const given = <T>(name: string, decode: (value: unknown) => T): { readonly [name: string]: T } => {
    const part = field(value, name);
    return part === undefined ? {} : { [name]: decode(part) };
  };
  return {
    ...given('weight', weightOf),
    ...given('healthy', (part) => flag(part, 'a verdict')),
    ...given('enabled', (part) => flag(part, 'a flag')),
    ...given('app', (part) => text(part, 'an app')),
    ...given('metadata', decodeMetadata),
    ...given('added', decodeMetadata),
    ...given('dropped', (part) => list(part, 'names of metadata').map((name) => text(name, 'a name of metadata'))),
  };
}

/** The beat interval in ms, or -1 when the instance is unknown. */
export function encodeResult(result: OperationResult): number {
  return result.outcome === 'done' ? result.beatIntervalMs : -1;
}

export function decodeResult(value: unknown): OperationResult {
  if (typeof value !== 'number') throw new BadMessageError('a result that is no number');
  return value < 0 ? { outcome: 'unknown' } : { outcome: 'done', beatIntervalMs: value };
}

// -------------------------------------------------------------------------------- pieces of checked JSON

export function list(value: unknown, what: string, lengthMax = Number.POSITIVE_INFINITY): readonly unknown[] {
  if (!Array.isArray(value)) throw new BadMessageError(`${what} is no list`);
  if (value.length > lengthMax) throw new BadMessageError(`${what} is longer than ${lengthMax}`);
  return value;
}

export function text(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new BadMessageError(`${what} is no text`);
  return value;
}

export function flag(value: unknown, what: string): boolean {
  if (typeof value !== 'boolean') throw new BadMessageError(`${what} is neither true nor false`);
  return value;
}

export function count(value: unknown, what: string, max = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > max) {
    throw new BadMessageError(`${what} is no count`);
  }
  return value;
}

export function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BadMessageError('a message is no object');
  }
  return (value as Record<string, unknown>)[name];
}

export function serviceText(value: unknown): string {
  const key = text(value, 'a service');
  if (parseServiceKey(key) === undefined) throw new BadMessageError(`${JSON.stringify(key)} is no key of a service`);
  return key;
}
