import { integer, lenientBoolean, optional, required } from '../http/parameters.ts';
import { badRequest } from '../http/protocol-error.ts';
import type { Form } from '../http/route.ts';
import { ID_GENERATOR_KEY, type Instance, type Metadata } from '../model/instance.ts';
import { DEFAULT_CLUSTER, type ServiceId } from '../model/names.ts';
import { javaDouble } from './java-numbers.ts';
import type { Agent } from './naming-agent.ts';
import { decodeMetadata, encodeMetadata } from './naming-metadata.ts';
import {
  ADDRESS_CHARS_MAX,
  checkIdentity,
  checkNewService,
  checkText,
  decodeCluster,
  decodeService,
} from './naming-names.ts';

export const DEFAULT_APP = 'DEFAULT';
export const WEIGHT_MAX = 10_000;
/** What lies between 0 and this is raised to it. */
export const WEIGHT_MIN = 0.01;

export interface RegisterRequest {
  readonly service: ServiceId;
  /** With the simple id; one that is registered keeps the id it has, and `wantsSnowflakeId` asks for another. */
  readonly instance: Instance;
}

/** Where an instance is, within its service and kind. */
export interface InstanceAddress {
  readonly ip: string;
  readonly port: number;
  readonly cluster: string;
}

export interface DeregisterRequest extends InstanceAddress {
  readonly service: ServiceId;
  readonly ephemeral: boolean;
}

/** Replaces the whole instance. */
export interface UpdateRequest extends RegisterRequest {
  /** An instance with this ip, port and kind must be there, in whatever cluster; else it is a registration. */
  readonly mustExist: boolean;
}

export interface PatchRequest extends InstanceAddress {
  readonly service: ServiceId;
  readonly changes: Partial<Pick<Instance, 'metadata' | 'app' | 'weight' | 'healthy' | 'enabled'>>;
}

export interface InstanceRequest extends InstanceAddress {
  readonly service: ServiceId;
}

/** PUT /health: says how a persistent instance is that nobody probes. */
export interface HealthRequest extends InstanceRequest {
  readonly healthy: boolean;
}

/** `isEphemeralDefault`: the kind of an instance that names none. */
export function decodeRegister(form: Form, isEphemeralDefault = true): RegisterRequest {
  const request = decodeWhole(form, isEphemeralDefault);
  checkNewService(request.service);
  return request;
}

export function decodeDeregister(form: Form, isEphemeralDefault = true): DeregisterRequest {
  const service = decodeService(form);
  return { service, ...decodeAddress(form, service), ephemeral: decodeEphemeral(form, isEphemeralDefault) };
}

export function decodeUpdate(form: Form, agent: Agent, isEphemeralDefault = true): UpdateRequest {
  const request = decodeWhole(form, isEphemeralDefault);
  if (!agent.isJavaSinceOne) checkNewService(request.service);
  return { ...request, mustExist: agent.isJavaSinceOne };
}

/** Only what is given, and not blank, changes. */
export function decodePatch(form: Form): PatchRequest {
  const service = decodeService(form);
  const given = <T>(name: string, decode: (value: string) => T): { readonly value: T } | undefined => {
    const value = optional(form, name, '');
    return value === '' ? undefined : { value: decode(value) };
  };
  const metadata = given('metadata', decodeMetadata);
  const app = given('app', decodeApp);
  const weight = given('weight', decodeWeight);
  const healthy = given('healthy', lenientBoolean);
  const enabled = given('enabled', lenientBoolean);
  return {
    service,
    ...decodeAddress(form, service),
    changes: {
      ...(metadata && { metadata: metadata.value }),
      ...(app && { app: app.value }),
      ...(weight && { weight: weight.value }),
      ...(healthy && { healthy: healthy.value }),
      ...(enabled && { enabled: enabled.value }),
    },
  };
}

export function decodeInstanceRequest(form: Form): InstanceRequest {
  const service = decodeService(form);
  const ip = decodeIp(required(form, 'ip'));
  const port = decodePort(required(form, 'port'));
  return { service, ip, port, cluster: optional(form, 'clusterName', DEFAULT_CLUSTER) };
}

export function decodeHealth(form: Form): HealthRequest {
  const healthy = optional(form, 'healthy', '') || optional(form, 'valid', '');
  if (healthy === '') throw badRequest("Param 'healthy' is required.");
  return { ...decodeInstanceRequest(form), healthy: lenientBoolean(healthy) };
}

/** The answer to GET /instance. */
export function encodeInstance(name: string, instance: Instance): string {
  const { ip, port, cluster, weight, healthy, instanceId, metadata } = instance;
  return (
    `{"service":${JSON.stringify(name)},"ip":${JSON.stringify(ip)},"port":${port}` +
    `,"clusterName":${JSON.stringify(cluster)},"weight":${javaDouble(weight)},"healthy":${healthy}` +
    `,"instanceId":${JSON.stringify(instanceId)},"metadata":${encodeMetadata(metadata)}}`
  );
}

export function simpleInstanceId(name: string, { ip, port, cluster }: InstanceAddress): string {
  return `${ip}#${port}#${cluster}#${name}`;
}

/** Then the id is the smallest number, as a text, that no instance of its kind in the service has. */
export function wantsSnowflakeId(metadata: Metadata): boolean {
  return metadata.get(ID_GENERATOR_KEY)?.toLowerCase() === 'snowflake';
}

export function decodeIp(text: string): string {
  checkText(text, 'ip', ADDRESS_CHARS_MAX);
  // Joined anew, else the part of a query keeps the whole query alive as long as the instance lives.
  return text.length < 13 ? text : Buffer.from(text).toString();
}

export function decodePort(text: string): number {
  return integer(text, 'port', 1, 65_535);
}

/** NaN and the infinities are numbers to Java and out of range to everyone. */
export function decodeWeight(text: string): number {
  if (text === '1' || text === '1.0') return 1; // what nearly all say
  const isNumber = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[dDfF]?|NaN|Infinity)$/.test(text);
  if (!isNumber) throw badRequest(`For input string: "${text}"`);
  return checkWeight(Number(text.replace(/(?<=[\d.])[dDfF]$/, '')));
}

export function checkWeight(weight: number): number {
  if (!(weight >= 0 && weight <= WEIGHT_MAX)) {
    throw badRequest('instance format invalid: The weights range from 0.0 to 10000.0');
  }
  // A negative zero would print as such.
  if (weight === 0) return 0;
  return Math.max(weight, WEIGHT_MIN);
}

export function decodeApp(text: string): string {
  return checkText(text, 'app', ADDRESS_CHARS_MAX);
}

function decodeWhole(form: Form, isEphemeralDefault: boolean): RegisterRequest {
  const service = decodeService(form);
  const address = decodeAddress(form, service);
  return {
    service,
    instance: {
      ...address,
      weight: decodeWeight(optional(form, 'weight', '1')),
      healthy: lenientBoolean(optional(form, 'healthy', 'true')),
      enabled: lenientBoolean(optional(form, 'enabled', '') || optional(form, 'enable', 'true')),
      ephemeral: decodeEphemeral(form, isEphemeralDefault),
      metadata: decodeMetadata(optional(form, 'metadata', '')),
      instanceId: simpleInstanceId(service.name, address),
      app: decodeApp(optional(form, 'app', DEFAULT_APP)),
    },
  };
}

function decodeAddress(form: Form, service: ServiceId): InstanceAddress {
  const ip = decodeIp(required(form, 'ip'));
  const address = { ip, port: decodePort(required(form, 'port')), cluster: decodeCluster(form) };
  checkIdentity(service, address);
  return address;
}

function decodeEphemeral(form: Form, isEphemeralDefault: boolean): boolean {
  return lenientBoolean(optional(form, 'ephemeral', String(isEphemeralDefault)));
}
