import { GROUP, KIND, PLURAL, VERSION } from '../generated/nacos-cluster.ts';

/** Where a kind of object lives in the API. */
export interface ResourceType {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
}

export const NACOS_CLUSTERS: ResourceType = { group: GROUP, version: VERSION, plural: PLURAL, kind: KIND };
export const PODS = core('pods', 'Pod');
export const CONFIG_MAPS = core('configmaps', 'ConfigMap');
export const SECRETS = core('secrets', 'Secret');
export const SERVICES = core('services', 'Service');
export const SERVICE_ACCOUNTS = core('serviceaccounts', 'ServiceAccount');
export const CLAIMS = core('persistentvolumeclaims', 'PersistentVolumeClaim');
export const STATEFUL_SETS: ResourceType = {
  group: 'apps',
  version: 'v1',
  plural: 'statefulsets',
  kind: 'StatefulSet',
};
export const DISRUPTION_BUDGETS: ResourceType = {
  group: 'policy',
  version: 'v1',
  plural: 'poddisruptionbudgets',
  kind: 'PodDisruptionBudget',
};
export const NETWORK_POLICIES: ResourceType = {
  group: 'networking.k8s.io',
  version: 'v1',
  plural: 'networkpolicies',
  kind: 'NetworkPolicy',
};
export const ROLES = rbac('roles', 'Role');
export const ROLE_BINDINGS = rbac('rolebindings', 'RoleBinding');
export const LEASES: ResourceType = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', kind: 'Lease' };
export const EVENTS: ResourceType = { group: 'events.k8s.io', version: 'v1', plural: 'events', kind: 'Event' };

export function apiVersionOf(type: ResourceType): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`;
}

/** Path below the server's address; without `kubeNamespace` that of all namespaces. */
export function resourcePath(type: ResourceType, kubeNamespace?: string, name?: string): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const scope = kubeNamespace === undefined ? '' : `/namespaces/${encodeURIComponent(kubeNamespace)}`;
  return `${root}${scope}/${type.plural}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`;
}

function core(plural: string, kind: string): ResourceType {
  return { group: '', version: 'v1', plural, kind };
}

function rbac(plural: string, kind: string): ResourceType {
  return { group: 'rbac.authorization.k8s.io', version: 'v1', plural, kind };
}
