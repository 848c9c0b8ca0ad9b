/** The namespace of naming when a caller names none. Configuration writes the same one as the empty text. */
export const PUBLIC_NAMESPACE = 'public';
export const DEFAULT_GROUP = 'DEFAULT_GROUP';
export const DEFAULT_CLUSTER = 'DEFAULT';

/** A service of a namespace; `name` is the grouped form `GROUP@@service`. */
export interface ServiceId {
  readonly namespaceId: string;
  readonly name: string;
}

/** `namespace##GROUP@@service`: the key of a service in maps, hashes and on the wire between members. */
export type ServiceKey = string;

export function serviceKey(id: ServiceId): ServiceKey {
  return `${id.namespaceId}##${id.name}`;
}

export function parseServiceKey(key: ServiceKey): ServiceId | undefined {
  const at = key.indexOf('##');
  return at < 0 ? undefined : { namespaceId: key.slice(0, at), name: key.slice(at + 2) };
}

export function groupedName(group: string, service: string): string {
  return `${group}@@${service}`;
}

/** Group and bare name of `GROUP@@service`. */
export function splitGroupedName(name: string): { readonly group: string; readonly service: string } {
  const at = name.indexOf('@@');
  return at < 0 ? { group: DEFAULT_GROUP, service: name } : { group: name.slice(0, at), service: name.slice(at + 2) };
}
