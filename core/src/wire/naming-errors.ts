import { badRequest, ProtocolError } from '../http/protocol-error.ts';
import type { Instance } from '../model/instance.ts';
import type { ServiceId } from '../model/names.ts';
import { javaDouble } from './java-numbers.ts';

/** The exact texts that clients know for things that are not there, or there already. */

export function noService(name: string): ProtocolError {
  return new ProtocolError(404, `no service ${name} found!`);
}

export function noInstancesInCluster(cluster: string, name: string): ProtocolError {
  return new ProtocolError(404, `no ips found for cluster ${cluster} in service ${name}`);
}

export function noMatchedInstance(): ProtocolError {
  return new ProtocolError(404, 'no matched ip found!');
}

/** Of an update by a client that says what it updates must exist. */
export function updatedServiceMissing(service: ServiceId): ProtocolError {
  return badRequest(`service not found, namespace: ${service.namespaceId}, service: ${service.name}`);
}

export function updatedInstanceMissing(instance: PrintedInstance): ProtocolError {
  return badRequest(`instance not exist: ${instanceSortText(instance)}`);
}

/** Of an edit of one of its clusters. */
export function clusteredServiceMissing(name: string): ProtocolError {
  return badRequest(`service not found:${name}`);
}

/** Of a question for its statuses. */
export function statusServiceMissing(name: string): ProtocolError {
  return new ProtocolError(404, `service: ${name} not found.`);
}

/** Of a question for its checksum. */
export function checksumServiceMissing(name: string): ProtocolError {
  return new ProtocolError(404, `serviceName not found: ${name}`);
}

/** Of a question for the times that its checks take. */
export function checkedServiceMissing(): ProtocolError {
  return badRequest("request service doesn't exist");
}

export function patchedInstanceMissing(): ProtocolError {
  return badRequest('instance not found');
}

export function serviceExists(name: string): ProtocolError {
  return badRequest(`specified service already exists, serviceName : ${name}`);
}

/** Of a deletion. */
export function deletedServiceMissing(name: string): ProtocolError {
  return badRequest(`specified service not exist, serviceName : ${name}`);
}

/** Of an update of the service itself. */
export function editedServiceMissing(name: string): ProtocolError {
  return badRequest(`service ${name} not found!`);
}

/** Of a question for the service itself. */
export function serviceIsMissing(name: string): ProtocolError {
  return new ProtocolError(404, `service ${name} is not found!`);
}

export function clusterIsMissing(cluster: string): ProtocolError {
  return new ProtocolError(404, `cluster ${cluster} is not found!`);
}

/** Of PUT /health while something probes the instances. */
export function stillProbed(name: string): ProtocolError {
  return badRequest(`health check is still working, service: ${name}`);
}

/** How the reference names an instance, `ip:port:unknown:cluster`; without a port the part is left out. */
export function datumKeyOf(instance: Pick<Instance, 'ip' | 'port' | 'cluster'>): string {
  const { ip, port, cluster } = instance;
  return port === 0 ? `${ip}:unknown:${cluster}` : `${ip}:${port}:unknown:${cluster}`;
}

type PrintedInstance = Pick<Instance, 'ip' | 'port' | 'cluster' | 'weight' | 'healthy'> & { readonly marked?: boolean };

/** How the reference prints an instance, and by what it sorts them. */
export function instanceSortText(instance: PrintedInstance): string {
  const { weight, healthy, marked = false, cluster } = instance;
  return `${datumKeyOf(instance)}_${javaDouble(weight)}_${healthy}_${marked}_${cluster}`;
}
