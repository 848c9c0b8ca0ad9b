import type { V1Container, V1PodSpec } from '@kubernetes/client-node';
import type { NacosCluster } from '../generated/nacos-cluster.ts';
import { etcdClientHost } from './etcd-names.ts';
import { childNames, ETCD_CLIENT_PORT } from './names.ts';
import { isManaged, storageOf } from './storage.ts';

/** What a node's pod is told about its store: environment, files and where they come from. */
export interface StoragePodParts {
  readonly env: NonNullable<V1Container['env']>;
  readonly mounts: NonNullable<V1Container['volumeMounts']>;
  readonly volumes: NonNullable<V1PodSpec['volumes']>;
}

const ROOT = '/etc/nacos-kube';

export function storagePodParts(cluster: NacosCluster, clusterDomain: string): StoragePodParts {
  const storage = storageOf(cluster);
  switch (storage.kind) {
    case 'embedded':
      return { env: [], mounts: [], volumes: [] };
    case 'mysql': {
      const { host, port, database, secretName } = storage.mysql;
      const env = variables({
        SPRING_DATASOURCE_PLATFORM: 'mysql',
        MYSQL_SERVICE_HOST: host,
        MYSQL_SERVICE_PORT: String(port),
        MYSQL_SERVICE_DB_NAME: database,
        MYSQL_SERVICE_USER_FILE: `${ROOT}/mysql/user`,
        MYSQL_SERVICE_PASSWORD_FILE: `${ROOT}/mysql/password`,
      });
      return joined({ env }, secret('mysql', secretName, ['user', 'password']));
    }
    case 'redis': {
      const { mode, addresses, master, database, prefix, secretName, tls } = storage.redis;
      const env = variables({
        NACOS_KUBE_STORAGE: 'redis',
        NACOS_KUBE_REDIS_MODE: mode,
        NACOS_KUBE_REDIS_ADDRESSES: addresses.join(),
        NACOS_KUBE_REDIS_MASTER: mode === 'sentinel' ? master : undefined,
        NACOS_KUBE_REDIS_DATABASE: String(database),
        NACOS_KUBE_REDIS_PREFIX: prefix,
        ...loginFiles('NACOS_KUBE_REDIS', 'redis', secretName),
        NACOS_KUBE_REDIS_TLS: tls === undefined ? undefined : 'on',
        NACOS_KUBE_REDIS_CA_FILE: tls?.caSecretName === undefined ? undefined : `${ROOT}/redis-tls/ca.crt`,
      });
      return joined(
        { env },
        secret('redis', secretName, ['user', 'password']),
        secret('redis-tls', tls?.caSecretName, ['ca.crt']),
      );
    }
    case 'etcd': {
      if (isManaged(storage)) return managedEtcd(cluster, storage.managed.members, clusterDomain);
      const { endpoints, prefix, secretName, tlsSecretName } = storage.etcd;
      const tls = (file: string) => (tlsSecretName === undefined ? undefined : `${ROOT}/etcd-tls/${file}`);
      const env = variables({
        NACOS_KUBE_STORAGE: 'etcd',
        NACOS_KUBE_ETCD_ENDPOINTS: endpoints.join(),
        NACOS_KUBE_ETCD_PREFIX: prefix,
        ...loginFiles('NACOS_KUBE_ETCD', 'etcd', secretName),
        NACOS_KUBE_ETCD_CA_FILE: tls('ca.crt'),
        NACOS_KUBE_ETCD_CERT_FILE: tls('tls.crt'),
        NACOS_KUBE_ETCD_KEY_FILE: tls('tls.key'),
      });
      return joined(
        { env },
        secret('etcd', secretName, ['user', 'password']),
        secret('etcd-tls', tlsSecretName, ['ca.crt', 'tls.crt', 'tls.key']),
      );
    }
  }
}

function managedEtcd(cluster: NacosCluster, members: number, clusterDomain: string): StoragePodParts {
  const { etcdLogin } = childNames(cluster.metadata.name);
  const endpoints = Array.from(
    { length: members },
    (_, ordinal) => `http://${etcdClientHost(cluster, ordinal, clusterDomain)}:${ETCD_CLIENT_PORT}`,
  );
  const env = variables({
    NACOS_KUBE_STORAGE: 'etcd',
    NACOS_KUBE_ETCD_ENDPOINTS: endpoints.join(),
    ...loginFiles('NACOS_KUBE_ETCD', 'etcd', etcdLogin),
  });
  return joined({ env }, secret('etcd', etcdLogin, ['user', 'password']));
}

function loginFiles(prefix: string, folder: string, secretName: string | undefined) {
  if (secretName === undefined) return {};
  return {
    [`${prefix}_USER_FILE`]: `${ROOT}/${folder}/user`,
    [`${prefix}_PASSWORD_FILE`]: `${ROOT}/${folder}/password`,
  };
}

function variables(values: Readonly<Record<string, string | undefined>>): NonNullable<V1Container['env']> {
  return Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
}

/** The keys of a Secret as files, nothing else of it. */
function secret(name: string, secretName: string | undefined, keys: readonly string[]): Partial<StoragePodParts> {
  if (secretName === undefined) return {};
  const items = keys.map((key) => ({ key, path: key }));
  return {
    mounts: [{ name, mountPath: `${ROOT}/${name}`, readOnly: true }],
    volumes: [{ name, secret: { secretName, defaultMode: 0o440, items } }],
  };
}

function joined(...parts: readonly Partial<StoragePodParts>[]): StoragePodParts {
  return {
    env: parts.flatMap(({ env }) => env ?? []),
    mounts: parts.flatMap(({ mounts }) => mounts ?? []),
    volumes: parts.flatMap(({ volumes }) => volumes ?? []),
  };
}
