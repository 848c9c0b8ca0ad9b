import { badRequest, type ProtocolError } from '../http/protocol-error.ts';
import {
  BEAT_INTERVAL_KEY,
  BEAT_INTERVAL_MS,
  BEAT_TIMEOUT_KEY,
  BEAT_TIMEOUT_MS,
  DELETE_TIMEOUT_KEY,
  DELETE_TIMEOUT_MS,
  ID_GENERATOR_KEY,
  type Instance,
  type Metadata,
  preservedMs,
} from '../model/instance.ts';
import { DEFAULT_CLUSTER, parseServiceKey, type ServiceId, serviceKey } from '../model/names.ts';
import { inflateIfGzip } from './gzip.ts';
import { javaDouble, javaHash } from './java-numbers.ts';
import { DEFAULT_APP, simpleInstanceId, WEIGHT_MAX, WEIGHT_MIN } from './naming.ts';
import { encodeMetadata, isObject, metadataOfObject, parseObject } from './naming-metadata.ts';

/** Messages between Java 1.4 members: whole lists of instances under keys (spec: naming 7.4-7.6). */

export const DISTRO_BYTES_MAX = 64 * 1024 * 1024;

const LISTS = 'com.alibaba.nacos.naming.iplist.';
const EPHEMERAL = `${LISTS}ephemeral.`;

export interface InstancesKey {
  readonly service: ServiceId;
  readonly ephemeral: boolean;
}

/** An instance as Java members tell it; a beat is told, yet never counts (F3). */
export interface DatumInstance extends Instance {
  readonly lastBeatMs: number;
  readonly marked: boolean;
}

export type Datums = ReadonlyMap<string, readonly DatumInstance[]>;

export function encodeInstancesKey({ service, ephemeral }: InstancesKey): string {
  return `${ephemeral ? EPHEMERAL : LISTS}${serviceKey(service)}`;
}

/** Undefined for keys of other things: service settings, switches. */
export function decodeInstancesKey(key: string): InstancesKey | undefined {
  const ephemeral = key.startsWith(EPHEMERAL);
  if (!ephemeral && !key.startsWith(LISTS)) return undefined;
  const service = parseServiceKey(key.slice(ephemeral ? EPHEMERAL.length : LISTS.length));
  return service && { service, ephemeral };
}

/** The member that judges a service in a cluster of Java members: all of them that are well, sorted by UTF-16 unit. */
export function distroOwner(name: string, addresses: readonly string[]): string | undefined {
  const sorted = [...addresses].sort();
  return sorted[distroHash(name) % sorted.length];
}

/** Of the grouped name, without its namespace. */
export function distroHash(name: string): number {
  return Math.abs(javaHash(name) % 0x7fffffff);
}

export function encodeDatums(datums: Datums): string {
  const texts: string[] = [];
  for (const [key, instances] of datums) {
    const quoted = JSON.stringify(key);
    const name = decodeInstancesKey(key)?.service.name ?? '';
    const list = instances.map((instance) => encodeDatumInstance(instance, name)).join(',');
    texts.push(`${quoted}:{"key":${quoted},"value":{"instanceList":[${list}]},"timestamp":1}`);
  }
  return `{${texts.join(',')}}`;
}

/** Lists of instances only; keys of other things are passed over. */
export function decodeDatums(body: Uint8Array): Datums {
  const datums = new Map<string, readonly DatumInstance[]>();
  for (const [key, datum] of Object.entries(decodeObject(body))) {
    const id = decodeInstancesKey(key);
    if (id === undefined) continue;
    const value = isObject(datum) && datum.key === key && datum.timestamp !== undefined ? datum.value : undefined;
    const list = isObject(value) ? value.instanceList : undefined;
    if (!Array.isArray(list)) throw refused(key, 'it has no list of instances');
    datums.set(
      key,
      list.map((instance: unknown) => decodeInstance(instance, id, key)),
    );
  }
  return datums;
}

/** PUT /distro/checksum: for each key what `instancesChecksum` says of its list. */
export function encodeChecksums(checksums: ReadonlyMap<string, string>): string {
  return JSON.stringify(Object.fromEntries(checksums));
}

export function decodeChecksums(body: Uint8Array): ReadonlyMap<string, string> {
  const checksums = new Map<string, string>();
  for (const [key, checksum] of Object.entries(decodeObject(body))) {
    if (typeof checksum !== 'string') throw refused(key, 'its checksum is no text');
    checksums.set(key, checksum);
  }
  return checksums;
}

/** The body of GET /distro/datum. */
export function encodeKeys(keys: readonly string[]): string {
  return JSON.stringify({ keys: keys.join(',') });
}

export function decodeKeys(body: Uint8Array): string[] {
  const { keys } = decodeObject(body);
  if (typeof keys !== 'string') throw badRequest("Param 'keys' is required.");
  return keys.split(',').filter((key) => key !== '');
}

/** An instance with every field that Java members know, as the catalog of the console shows it too. */
export function encodeDatumInstance(instance: DatumInstance, name: string): string {
  const { instanceId, ip, port, weight, healthy, enabled, ephemeral, cluster, metadata } = instance;
  const interval = preservedMs(metadata, BEAT_INTERVAL_KEY, BEAT_INTERVAL_MS);
  const timeout = preservedMs(metadata, BEAT_TIMEOUT_KEY, BEAT_TIMEOUT_MS);
  const generator = metadata.size === 0 ? 'simple' : metadata.get(ID_GENERATOR_KEY);
  return (
    `{"instanceId":${JSON.stringify(instanceId)},"ip":${JSON.stringify(ip)},"port":${port}` +
    `,"weight":${javaDouble(weight)},"healthy":${healthy},"enabled":${enabled},"ephemeral":${ephemeral}` +
    `,"clusterName":${JSON.stringify(cluster)},"serviceName":${JSON.stringify(name)}` +
    `,"metadata":${encodeMetadata(metadata)},"lastBeat":${instance.lastBeatMs},"marked":${instance.marked}` +
    `,"app":${JSON.stringify(instance.app)}` +
    `,"ipDeleteTimeout":${preservedMs(metadata, DELETE_TIMEOUT_KEY, DELETE_TIMEOUT_MS)}` +
    `,"instanceHeartBeatInterval":${interval},"instanceHeartBeatTimeOut":${timeout}` +
    `${generator == null ? '' : `,"instanceIdGenerator":${JSON.stringify(generator)}`}}`
  );
}

/** Absent fields have the defaults of the Java class; weights and clusters are set right as when they are applied. */
function decodeInstance(value: unknown, id: InstancesKey, key: string): DatumInstance {
  const { ip, port, weight = 1, clusterName, metadata, ...rest } = isObject(value) ? value : {};
  if (typeof ip !== 'string' || ip === '' || !isPort(port)) throw refused(key, 'an instance has no address');
  if (typeof weight !== 'number' || !(weight >= 0)) throw refused(key, `the weight of ${ip}:${port} is no number`);
  const cluster = typeof clusterName === 'string' ? clusterName.trim() || DEFAULT_CLUSTER : DEFAULT_CLUSTER;
  const simpleId = simpleInstanceId(id.service.name, { ip, port, cluster });
  return {
    ip,
    port,
    cluster,
    weight: weight === 0 ? 0 : Math.min(Math.max(weight, WEIGHT_MIN), WEIGHT_MAX),
    healthy: rest.healthy !== false,
    enabled: rest.enabled !== false,
    ephemeral: rest.ephemeral !== false,
    metadata: decodeInstanceMetadata(metadata, key),
    instanceId: typeof rest.instanceId === 'string' && rest.instanceId !== '' ? rest.instanceId : simpleId,
    app: typeof rest.app === 'string' && rest.app !== '' ? rest.app : DEFAULT_APP,
    lastBeatMs: typeof rest.lastBeat === 'number' ? rest.lastBeat : 0,
    marked: rest.marked === true,
  };
}

function decodeInstanceMetadata(value: unknown, key: string): Metadata {
  const metadata = metadataOfObject(isObject(value) ? value : {}, () => undefined);
  if (metadata === undefined) throw refused(key, 'the metadata of an instance is no map of texts');
  return metadata;
}

function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65_535;
}

function decodeObject(body: Uint8Array): Record<string, unknown> {
  const inflated = inflateIfGzip(body, DISTRO_BYTES_MAX);
  if (inflated === undefined) throw badRequest(`body is broken or larger than ${DISTRO_BYTES_MAX} bytes`);
  const text = Buffer.from(inflated.buffer, inflated.byteOffset, inflated.byteLength).toString();
  const object = parseObject(text);
  if (object === undefined) throw badRequest('body is no JSON object');
  return object;
}

function refused(key: string, why: string): ProtocolError {
  return badRequest(`datum refused: ${why} (${key})`);
}
