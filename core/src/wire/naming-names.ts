import { optional } from '../http/parameters.ts';
import { badRequest, type ProtocolError } from '../http/protocol-error.ts';
import type { Form } from '../http/route.ts';
import {
  DEFAULT_CLUSTER,
  DEFAULT_GROUP,
  groupedName,
  PUBLIC_NAMESPACE,
  parseServiceKey,
  type ServiceId,
} from '../model/names.ts';

export const NAMESPACE_CHARS_MAX = 128;
/** Of the grouped name. */
export const SERVICE_NAME_CHARS_MAX = 512;
export const CLUSTER_CHARS_MAX = 128;
/** Of an `ip` (names are taken too, as by the reference) and of an application's name. */
export const ADDRESS_CHARS_MAX = 255;
/** UTF-8 bytes of `namespace##GROUP@@service##ip:port:cluster`: what stores can take as a key. */
export const IDENTITY_BYTES_MAX = 700;

/** The service that the parameters `namespaceId`, `groupName` and `serviceName` (or the old `dom`) name. */
export function decodeService(form: Form): ServiceId {
  const given = optional(form, 'serviceName', '') || optional(form, 'dom', '');
  if (given === '') throw badRequest("Param 'serviceName' is required.");
  return decodeNamed(form, given);
}

/** `namespace##GROUP@@service`, or `GROUP@@service` of the public namespace: how members name a service to each other. */
export function parseStatusKey(key: string): ServiceId {
  const id = parseServiceKey(key) ?? { namespaceId: PUBLIC_NAMESPACE, name: key };
  checkText(id.namespaceId, 'key', NAMESPACE_CHARS_MAX);
  checkText(id.name, 'key', SERVICE_NAME_CHARS_MAX);
  return id;
}

/** A parameter that calls of the other kind must have; the reference has two wordings for the same. */
export function declared(form: Form, name: string): string {
  const value = optional(form, name, '');
  if (value === '') throw badRequest(`Parameter '${name}' is missing`);
  return value;
}

/** The same for calls whose missing parameters are reported in the other wording of the reference. */
export function decodeDeclaredService(form: Form): ServiceId {
  return decodeNamed(form, declared(form, 'serviceName'));
}

/**
 * Any text without `#` and control characters: `##` ends a namespace in keys, so that one service could pass for
 * another's otherwise.
 */
export function decodeNamespace(form: Form): string {
  const namespaceId = optional(form, 'namespaceId', PUBLIC_NAMESPACE);
  if (namespaceId === PUBLIC_NAMESPACE) return PUBLIC_NAMESPACE;
  if (namespaceId.includes('#')) throw badRequest("Param 'namespaceId' is illegal, it must not contain '#'");
  return checkText(namespaceId, 'namespaceId', NAMESPACE_CHARS_MAX);
}

/** What a service must be called to come into being; those that exist are so. */
export function checkNewService(service: ServiceId): void {
  if (!/^[0-9a-zA-Z@.:_-]+$/.test(service.name)) {
    throw badRequest(`dom name can only have these characters: 0-9a-zA-Z-._:, current: ${service.name}`);
  }
}

/** `clusterName`, else `cluster`, else the default. */
export function decodeCluster(form: Form): string {
  return checkCluster(optional(form, 'clusterName', '') || optional(form, 'cluster', DEFAULT_CLUSTER));
}

export function checkCluster(name: string): string {
  if (name === DEFAULT_CLUSTER) return DEFAULT_CLUSTER;
  if (name.length > CLUSTER_CHARS_MAX) throw tooLong('clusterName', CLUSTER_CHARS_MAX);
  if (!/^[0-9a-zA-Z-]+$/.test(name)) {
    throw badRequest(`cluster name can only have these characters: 0-9a-zA-Z-, current: ${name}`);
  }
  return name;
}

export function checkIdentity(service: ServiceId, address: { ip: string; port: number; cluster: string }): void {
  const { ip, cluster } = address;
  const chars = service.namespaceId.length + service.name.length + ip.length + cluster.length;
  // Most are far from the bound, whatever their characters.
  if (chars < 200) return;
  const bytes = Buffer.byteLength(`${service.namespaceId}##${service.name}##${ip}:${address.port}:${cluster}`);
  if (bytes > IDENTITY_BYTES_MAX) {
    throw badRequest(`namespace, service, ip and cluster are longer than ${IDENTITY_BYTES_MAX} bytes together`);
  }
}

/** Refuses what would forge a line or hide in a list: control and format characters, halves of a character. */
export function checkText(value: string, name: string, charsMax: number): string {
  if (value === '') return value;
  if (value.length > charsMax) throw tooLong(name, charsMax);
  if (/[^\x20-\x7e]/.test(value) && /[\p{Cc}\p{Cf}\p{Cs}]/u.test(value)) {
    throw badRequest(`Param '${name}' is illegal, it must not contain control characters`);
  }
  return value;
}

function decodeNamed(form: Form, given: string): ServiceId {
  const name = given.includes('@@') ? given : groupedName(optional(form, 'groupName', DEFAULT_GROUP), given);
  checkFormat(name);
  return { namespaceId: decodeNamespace(form), name };
}

function checkFormat(name: string): void {
  const at = name.indexOf('@@');
  // Java's split drops empty parts at the end, so a name of nothing but separators is no name.
  if (name[at + 2] === undefined || (name[at + 2] === '@' && /^(?:@@)*$/.test(name.slice(at + 2)))) {
    throw badRequest("Param 'serviceName' is illegal, it should be format as 'groupName@@serviceName'");
  }
  if (name.slice(0, at).trim() === '') {
    throw badRequest("Param 'serviceName' is illegal, groupName can't be empty");
  }
  if (name.length > SERVICE_NAME_CHARS_MAX) throw tooLong('serviceName', SERVICE_NAME_CHARS_MAX);
}

function tooLong(name: string, charsMax: number): ProtocolError {
  return badRequest(`Param '${name}' is illegal, it is longer than ${charsMax} characters`);
}
