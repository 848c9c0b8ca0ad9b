import { hash } from 'node:crypto';
import type { Instance } from '../model/instance.ts';
import type { ClusterSettings } from '../model/service.ts';
import { javaDouble, javaFloat, javaMapOrder } from './java-numbers.ts';
import { encodeUntypedHealthChecker } from './naming-cluster.ts';
import { instanceSortText } from './naming-errors.ts';

/** `marked` is a flag of Java members only. */
export type ChecksummedInstance = Omit<Instance, 'instanceId' | 'app'> & { readonly marked?: boolean };

export interface ChecksummedService {
  /** Grouped. */
  readonly name: string;
  readonly protectThreshold: number;
  /** In the order in which they came into being. */
  readonly clusters: readonly ClusterSettings[];
  readonly instances: readonly ChecksummedInstance[];
}

/** What Java members compare to find lists of instances that differ. */
export function instancesChecksum(instances: readonly ChecksummedInstance[]): string {
  return hash('md5', instancesText(instances));
}

/** The `checksum` of a list, and what Java members compare to find services whose health differs. */
export function serviceChecksum(service: ChecksummedService): string {
  return hash('md5', serviceText(service));
}

export function instancesText(instances: readonly ChecksummedInstance[]): string {
  let text = '';
  for (const { ip, port, weight, healthy, enabled, cluster, metadata } of sorted(instances)) {
    text += `${ip}:${port}_${javaDouble(weight)}_${healthy}_${enabled}_${cluster}_`;
    for (const key of [...metadata.keys()].sort()) text += `${key}:${metadata.get(key)},`;
    text += ',';
  }
  return text;
}

export function serviceText(service: ChecksummedService): string {
  const { name, protectThreshold, clusters, instances } = service;
  const unhealthy = instances.filter((instance) => !instance.healthy).length;
  let text =
    `{"invalidIPCount":${unhealthy},"name":${JSON.stringify(name)},"ipCount":${instances.length},"owners":[]` +
    `,"protectThreshold":${javaFloat(protectThreshold)},"clusters":[${clustersText(clusters)}]}`;
  for (const { ip, port, weight, healthy, cluster } of sorted(instances)) {
    text += `${ip}:${port}_${javaDouble(weight)}_${healthy}_${cluster},`;
  }
  return text;
}

function clustersText(clusters: readonly ClusterSettings[]): string {
  const byName = new Map(clusters.map((cluster) => [cluster.name, cluster]));
  return javaMapOrder([...byName.keys()])
    .map((name) => {
      const { healthChecker, checkPort, useInstancePort } = byName.get(name)!;
      return (
        `{"healthChecker":${encodeUntypedHealthChecker(healthChecker)},"defIPPort":${checkPort},"defCkport":${checkPort}` +
        `,"name":${JSON.stringify(name)},"useIPPort4Check":${useInstancePort},"sitegroup":""}`
      );
    })
    .join(',');
}

/** By UTF-16 units, each text made once. */
function sorted(instances: readonly ChecksummedInstance[]): ChecksummedInstance[] {
  return instances
    .map((instance) => ({ instance, text: instanceSortText(instance) }))
    .sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0))
    .map(({ instance }) => instance);
}
