import { integer, optional } from '../http/parameters.ts';
import { badRequest } from '../http/protocol-error.ts';
import type { Form } from '../http/route.ts';
import {
  BEAT_INTERVAL_KEY,
  BEAT_INTERVAL_MS,
  type Instance,
  type Metadata,
  NO_METADATA,
  preservedMs,
} from '../model/instance.ts';
import { DEFAULT_CLUSTER, type ServiceId } from '../model/names.ts';
import {
  checkWeight,
  DEFAULT_APP,
  decodeIp,
  decodePort,
  decodeWeight,
  type InstanceAddress,
  simpleInstanceId,
} from './naming.ts';
import { isObject, METADATA_BYTES_MAX, metadataOfObject, parseObject } from './naming-metadata.ts';
import {
  ADDRESS_CHARS_MAX,
  checkCluster,
  checkIdentity,
  checkNewService,
  checkText,
  decodeService,
} from './naming-names.ts';

/** Characters of the JSON: the largest metadata, and room for the rest. */
export const BEAT_CHARS_MAX = METADATA_BYTES_MAX + 16 * 1024;

export interface BeatRequest extends InstanceAddress {
  readonly service: ServiceId;
  /** What to register when nobody knows the instance; a light beat has none, and its port may be 0. */
  readonly instance?: Instance;
}

export function decodeBeat(form: Form): BeatRequest {
  const service = decodeService(form);
  const beat = optional(form, 'beat', '');
  if (beat !== '' && beat !== 'null') return decodeFullBeat(form, service, beat);
  const ip = checkText(optional(form, 'ip', ''), 'ip', ADDRESS_CHARS_MAX);
  const port = integer(optional(form, 'port', '0'), 'port', 0, 65_535);
  return { service, ip, port, cluster: decodeBeatCluster(form) };
}

/** How often the instance is to beat: what its own metadata says, else the default. */
export function beatIntervalMs(metadata: Metadata): number {
  return preservedMs(metadata, BEAT_INTERVAL_KEY, BEAT_INTERVAL_MS);
}

/** Of a beat that found its instance, or registered it. */
export function encodeBeatAnswer(intervalMs: number, isLightBeatEnabled: boolean): string {
  return `{"clientBeatInterval":${intervalMs},"code":10200,"lightBeatEnabled":${isLightBeatEnabled}}`;
}

/** Of a light beat that found none: the client registers again. It must not say whether light beats are welcome. */
export function encodeUnknownBeat(intervalMs: number): string {
  return `{"clientBeatInterval":${intervalMs},"code":20404}`;
}

function decodeFullBeat(form: Form, service: ServiceId, text: string): BeatRequest {
  if (text.length > BEAT_CHARS_MAX) throw badBeat(`it is longer than ${BEAT_CHARS_MAX} characters`);
  const beat = parseObject(text);
  if (beat === undefined) throw badBeat('it is no JSON object');
  const cluster = stringOf(beat, 'cluster')?.trim();
  const address: InstanceAddress = {
    ip: ipOf(beat),
    port: decodePort(numberText(beat, 'port') ?? '0'),
    cluster: cluster ? checkCluster(cluster) : decodeBeatCluster(form),
  };
  checkNewService(service);
  checkIdentity(service, address);
  const instance: Instance = {
    ...address,
    weight: weightOf(beat),
    healthy: true,
    enabled: true,
    ephemeral: booleanOf(beat, 'ephemeral') ?? true,
    metadata: metadataOf(beat, text),
    instanceId: simpleInstanceId(service.name, address),
    app: DEFAULT_APP,
  };
  return { service, ...address, instance };
}

function decodeBeatCluster(form: Form): string {
  return checkCluster(optional(form, 'clusterName', DEFAULT_CLUSTER));
}

function ipOf(beat: Record<string, unknown>): string {
  const ip = stringOf(beat, 'ip')?.trim();
  if (!ip) throw badRequest("Param 'ip' is required.");
  return decodeIp(ip);
}

/** A beat without a weight counts as 0, unlike a registration. */
function weightOf(beat: Record<string, unknown>): number {
  const weight = beat.weight ?? 0;
  if (typeof weight === 'number') return checkWeight(weight);
  if (typeof weight === 'string') return decodeWeight(weight.trim());
  throw badBeat('weight is no number');
}

function metadataOf(beat: Record<string, unknown>, text: string): Metadata {
  const given = beat.metadata ?? undefined;
  if (given === undefined) return NO_METADATA;
  const again = () => {
    const metadata = parseObject(text, 'texts')?.metadata;
    return isObject(metadata) ? metadata : undefined;
  };
  const metadata = isObject(given) ? metadataOfObject(given, again) : undefined;
  if (metadata === undefined) throw badBeat('metadata is no object of plain values');
  return metadata;
}

function stringOf(beat: Record<string, unknown>, name: string): string | undefined {
  const value = beat[name] ?? undefined;
  if (value !== undefined && typeof value !== 'string') throw badBeat(`${name} is no text`);
  return value;
}

function numberText(beat: Record<string, unknown>, name: string): string | undefined {
  const value = beat[name] ?? undefined;
  if (value === undefined || typeof value === 'number') return value?.toString();
  if (typeof value === 'string') return value.trim();
  throw badBeat(`${name} is no number`);
}

function booleanOf(beat: Record<string, unknown>, name: string): boolean | undefined {
  const value = beat[name] ?? undefined;
  if (value === undefined || typeof value === 'boolean') return value;
  if (value === 'true' || value === 'True') return true;
  if (value === 'false' || value === 'False') return false;
  throw badBeat(`${name} is neither true nor false`);
}

function badBeat(why: string) {
  return badRequest(`beat format incorrect: ${why}`);
}
