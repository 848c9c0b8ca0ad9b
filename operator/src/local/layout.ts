import { peerPort } from '@nacos-kube/core/model/member.ts';
import type { NacosCluster } from '../generated/nacos-cluster.ts';
import { sidecarSettings } from '../resources/settings-env.ts';
import { storageOf } from '../resources/storage.ts';

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
  /** User and password of the database, when there is one. */
  readonly loginFiles: { readonly user: string; readonly password: string };
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
    loginFiles: { user: `${directory}/database/user`, password: `${directory}/database/password` },
  };
  return {
    name,
    ...place,
    vipPort: options.vipPort ?? cluster.spec.vip.port,
    lockFile: `${directory}/up.lock`,
    controlFile: `${directory}/${CONTROL_FILE}`,
    members: Array.from({ length: cluster.spec.replicas }, (_, ordinal) => memberOf(cluster, ordinal, place, options)),
  };
}

type Place = Pick<ClusterLayout, 'directory' | 'logs' | 'listFile' | 'keyFile' | 'loginFiles'>;

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
        ...storageFlags(cluster, place),
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

function storageFlags(cluster: NacosCluster, { directory, loginFiles }: Place): string[] {
  const storage = storageOf(cluster);
  if (storage.kind === 'embedded') return flags({ storage: 'sqlite', 'sqlite-file': `${directory}/store.sqlite` });
  const { host, port, database } = storage.mysql;
  return flags({
    storage: 'mysql',
    'mysql-host': host,
    'mysql-port': String(port),
    'mysql-database': database,
    'mysql-user-file': loginFiles.user,
    'mysql-password-file': loginFiles.password,
  });
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
