/** What a program registered about itself, immutable: a change makes a new one, so a reader never sees half of it. */
export interface Instance {
  readonly ip: string;
  /** 0-65535; 0 is legal on the wire and means "no port". */
  readonly port: number;
  readonly cluster: string;
  /** 0-10000; what lies in (0, 0.01) was raised to 0.01. */
  readonly weight: number;
  readonly healthy: boolean;
  readonly enabled: boolean;
  /** Ephemeral ones live by beats and are replicated by Distro; persistent ones live in the store and are probed. */
  readonly ephemeral: boolean;
  readonly metadata: Metadata;
  readonly instanceId: string;
  readonly app: string;
}

/** A value is null when the client sent a JSON null. Keys are the user's, hence a Map. */
export type Metadata = ReadonlyMap<string, string | null>;

export const NO_METADATA: Metadata = new Map();

/** Identity of an instance within its service and kind: `ip:port:cluster`. */
export type InstanceKey = string;

export function instanceKey(instance: Pick<Instance, 'ip' | 'port' | 'cluster'>): InstanceKey {
  return `${instance.ip}:${instance.port}:${instance.cluster}`;
}

export const BEAT_INTERVAL_MS = 5_000;
export const BEAT_TIMEOUT_MS = 15_000;
export const DELETE_TIMEOUT_MS = 30_000;

export const BEAT_INTERVAL_KEY = 'preserved.heart.beat.interval';
export const BEAT_TIMEOUT_KEY = 'preserved.heart.beat.timeout';
export const DELETE_TIMEOUT_KEY = 'preserved.ip.delete.timeout';
export const ID_GENERATOR_KEY = 'preserved.instance.id.generator';

/** A duration that metadata may set: digits only, else the default. */
export function preservedMs(metadata: Metadata, key: string, defaultMs: number): number {
  if (metadata.size === 0) return defaultMs;
  const text = metadata.get(key);
  return text != null && /^\d{1,15}$/.test(text) ? Number(text) : defaultMs;
}

/** Equal in all that a reader can see. */
export function sameInstance(a: Instance, b: Instance): boolean {
  return a.healthy === b.healthy && a.instanceId === b.instanceId && sameRegistration(a, b);
}

/** Equal in all that a registration says of an instance that is there. */
export function sameRegistration(a: Instance, b: Instance): boolean {
  return a.weight === b.weight && a.enabled === b.enabled && a.app === b.app && sameMetadata(a.metadata, b.metadata);
}

function sameMetadata(a: ReadonlyMap<string, string | null>, b: ReadonlyMap<string, string | null>): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value || !b.has(key)) return false;
  return true;
}
