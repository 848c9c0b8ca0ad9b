import { peerPort } from '@nacos-kube/core/model/member.ts';
import type { NacosCluster } from '../generated/nacos-cluster.ts';
import { ETCD_USER } from '../resources/etcd.ts';
import { etcdMemberName } from '../resources/etcd-names.ts';
import { sidecarSettings } from '../resources/settings-env.ts';
import { isManaged, storageOf } from '../resources/storage.ts';

export const LOOPBACK = '127.0.0.1';
/** In the folder of a cluster. */
export const CONTROL_FILE = 'up.control';
const PORT_STEP = 10;

export interface LayoutOptions {
  /** Directory of all clusters of this machine; each has its own below. */
  readonly data: string;
  /** Public port of the first member; the others follow in steps of ten. */
  readonly basePort: number;
  /** Metrics port of the first sidecar; the others follow. */
  readonly metricsBasePort: number;
  /** Client port of the first member of a managed etcd; those for peers and metrics are the next ones, the others follow. */
  readonly etcdBasePort: number;
  /** Instead of the manifest's. */
  readonly vipPort: number | undefined;
  readonly logLevel: string;
}

/** What `nacos-kube` is started with. */
export interface ProcessPlan {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
}

export interface MemberLayout {
  readonly name: string;
  /** Its line in the member list. */
  readonly address: string;
  readonly port: number;
  readonly metricsPort: number;
  /** Shared by its node, its sidecar and who drains it. */
  readonly tokenFile: string;
  readonly node: ProcessPlan;
  readonly sidecar: ProcessPlan;
}

/** A member of the managed etcd. */
export interface EtcdLayout {
  readonly name: string;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly metricsPort: number;
  readonly directory: string;
  readonly configFile: string;
  readonly logFile: string;
}

export interface ClusterLayout {
  readonly name: string;
  readonly directory: string;
  readonly logs: string;
  readonly vipPort: number;
  readonly listFile: string;
  readonly keyFile: string;
  readonly lockFile: string;
  /** How the other commands of `up` find the process that runs it. */
  readonly controlFile: string;
  /** Files with the login of the database, and its certificates, by the keys of their Secrets. */
  readonly databaseDirectory: string;
  /** There once the members of the managed etcd have found together. */
  readonly etcdFormedFile: string;
  readonly etcd: readonly EtcdLayout[];
  readonly members: readonly MemberLayout[];
}

/** Where everything of a cluster is on this machine: as the operator lays it out in pods, with ports for addresses. */
export function layoutOf(cluster: NacosCluster, options: LayoutOptions): ClusterLayout {
  const { name } = cluster.metadata;
  const directory = `${options.data}/${name}`;
  const place: Place = {
    directory,
    logs: `${directory}/logs`,
    listFile: `${directory}/members.conf`,
    keyFile: `${directory}/cluster-key`,
    databaseDirectory: `${directory}/database`,
  };
  const storage = storageOf(cluster);
  const etcdMembers = isManaged(storage) ? storage.managed.members : 0;
  return {
    name,
    ...place,
    vipPort: options.vipPort ?? cluster.spec.vip.port,
    lockFile: `${directory}/up.lock`,
    controlFile: `${directory}/${CONTROL_FILE}`,
    etcdFormedFile: `${directory}/etcd/formed`,
    etcd: Array.from({ length: etcdMembers }, (_, ordinal) => etcdOf(name, ordinal, place, options.etcdBasePort)),
    members: Array.from({ length: cluster.spec.replicas }, (_, ordinal) => memberOf(cluster, ordinal, place, options)),
  };
}

type Place = Pick<ClusterLayout, 'directory' | 'logs' | 'listFile' | 'keyFile' | 'databaseDirectory'>;

/** Where a member of the managed etcd is, or was when there were more of them. */
export function etcdMemberAt(layout: ClusterLayout, ordinal: number): EtcdLayout {
  const [first] = layout.etcd;
  if (first === undefined) throw new Error(`${layout.name} has no etcd of its own`);
  return etcdOf(layout.name, ordinal, layout, first.clientPort);
}

function etcdOf(cluster: string, ordinal: number, place: Pick<Place, 'directory' | 'logs'>, base: number): EtcdLayout {
  const name = etcdMemberName(cluster, ordinal);
  const clientPort = base + ordinal * PORT_STEP;
  const directory = `${place.directory}/etcd/${ordinal}`;
  return {
    name,
    clientPort,
    peerPort: clientPort + 1,
    metricsPort: clientPort + 2,
    directory,
    configFile: `${directory}/etcd.json`,
    logFile: `${place.logs}/${name}.log`,
  };
}

function memberOf(cluster: NacosCluster, ordinal: number, place: Place, options: LayoutOptions): MemberLayout {
  const name = `${cluster.metadata.name}-${ordinal}`;
  const port = options.basePort + ordinal * PORT_STEP;
  const metricsPort = options.metricsBasePort + ordinal;
  const address = `${LOOPBACK}:${port}`;
  const directory = `${place.directory}/${name}`;
  const listFile = `${directory}/cluster.conf`;
  const tokenFile = `${directory}/sidecar-token`;
  const { intervalSeconds, timeoutMilliseconds } = cluster.spec.sidecar.probe;
  const common = flags({ member: address, 'member-list': listFile, 'sidecar-token-file': tokenFile });
  const logLevel = flags({ 'log-level': options.logLevel });
  return {
    name,
    address,
    port,
    metricsPort,
    tokenFile,
    node: {
      args: [
        'server',
        // Always a member, be it the only one: so a cluster that grows restarts nobody.
        ...flags({ mode: 'cluster', port: String(port), listen: LOOPBACK, data: directory }),
        ...common,
        ...flags({ 'cluster-key-file': place.keyFile }),
        ...storageFlags(cluster, place, options),
        ...('NACOS_KUBE_LOG_LEVEL' in (cluster.spec.settings ?? {}) ? [] : logLevel),
      ],
      env: cluster.spec.settings ?? {},
      logFile: `${place.logs}/${name}.log`,
    },
    sidecar: {
      args: [
        'sidecar',
        ...flags({ 'node-port': String(port), listen: LOOPBACK, 'metrics-port': String(metricsPort) }),
        ...common,
        ...flags({
          'member-list-source': place.listFile,
          'probe-interval-seconds': String(intervalSeconds),
          'probe-timeout-milliseconds': String(timeoutMilliseconds),
        }),
        ...logLevel,
      ],
      env: sidecarSettings(cluster.spec.settings ?? {}),
      logFile: `${place.logs}/${name}-sidecar.log`,
    },
  };
}

function storageFlags(cluster: NacosCluster, place: Place, options: LayoutOptions): string[] {
  const storage = storageOf(cluster);
  const file = (key: string) => `${place.databaseDirectory}/${key}`;
  const login = (engine: string, secretName: string | undefined) =>
    secretName === undefined
      ? {}
      : { [`${engine}-user-file`]: file('user'), [`${engine}-password-file`]: file('password') };
  switch (storage.kind) {
    case 'embedded':
      return flags({ storage: 'sqlite', 'sqlite-file': `${place.directory}/store.sqlite` });
    case 'mysql': {
      const { host, port, database, secretName } = storage.mysql;
      const where = { 'mysql-host': host, 'mysql-port': String(port), 'mysql-database': database };
      return flags({ storage: 'mysql', ...where, ...login('mysql', secretName) });
    }
    case 'redis': {
      const { mode, addresses, master, database, prefix, secretName, tls } = storage.redis;
      return flags({
        storage: 'redis',
        'redis-mode': mode,
        'redis-addresses': addresses.join(),
        'redis-master': master,
        'redis-database': String(database),
        'redis-prefix': prefix,
        ...login('redis', secretName),
        ...(tls === undefined ? {} : { 'redis-tls': 'on' }),
        ...(tls?.caSecretName === undefined ? {} : { 'redis-ca-file': file('ca.crt') }),
      });
    }
    case 'etcd': {
      if (isManaged(storage)) {
        const ports = Array.from({ length: storage.managed.members }, (_, ordinal) =>
          etcdOf(cluster.metadata.name, ordinal, place, options.etcdBasePort),
        );
        const endpoints = ports.map(({ clientPort }) => `http://${LOOPBACK}:${clientPort}`).join();
        return flags({ storage: 'etcd', 'etcd-endpoints': endpoints, ...login('etcd', ETCD_USER) });
      }
      const { endpoints, prefix, secretName, tlsSecretName } = storage.etcd;
      const tls = {
        'etcd-ca-file': file('ca.crt'),
        'etcd-cert-file': file('tls.crt'),
        'etcd-key-file': file('tls.key'),
      };
      return flags({
        storage: 'etcd',
        'etcd-endpoints': endpoints.join(),
        'etcd-prefix': prefix,
        ...login('etcd', secretName),
        ...(tlsSecretName === undefined ? {} : tls),
      });
    }
  }
}

function flags(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).flatMap(([flag, value]) => [`--${flag}`, value]);
}

export interface PortUse {
  readonly port: number;
  /** For people: whose it is. */
  readonly user: string;
  /** The flag that moves it. */
  readonly flag: string;
}

/** Every port that must be free, in the order in which people should hear of them. */
export function portsOf(layout: ClusterLayout): readonly PortUse[] {
  return [
    { port: layout.vipPort, user: 'the VIP', flag: '--vip-port' },
    ...layout.etcd.flatMap(({ name, clientPort, peerPort: etcdPeerPort, metricsPort }) => [
      { port: clientPort, user: `${name}`, flag: '--etcd-base-port' },
      { port: etcdPeerPort, user: `peers of ${name}`, flag: '--etcd-base-port' },
      { port: metricsPort, user: `metrics of ${name}`, flag: '--etcd-base-port' },
    ]),
    ...layout.members.flatMap(({ name, port, metricsPort }) => [
      { port, user: `member ${name}`, flag: '--base-port' },
      { port: peerPort(port), user: `peers of ${name}`, flag: '--base-port' },
      { port: metricsPort, user: `metrics of ${name}`, flag: '--metrics-base-port' },
    ]),
  ];
}

/** What cannot work with these ports, whoever else uses them. */
export function portProblems(layout: ClusterLayout): readonly string[] {
  const problems: string[] = [];
  const users = new Map<number, string>();
  for (const { port, user, flag } of portsOf(layout)) {
    const other = users.get(port);
    if (other !== undefined) problems.push(`port ${port} is for ${other} and for ${user}: choose another with ${flag}`);
    if (port < 1 || port > 65_535) problems.push(`port ${port} of ${user} does not exist: choose another with ${flag}`);
    users.set(port, user);
  }
  return problems;
}
