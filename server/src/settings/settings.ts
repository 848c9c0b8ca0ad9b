import type { Host } from '@nacos-kube/core/host/host.ts';
import { SettingsError, type SettingsOf, type SettingsSources, takeSettings } from '@nacos-kube/core/settings.ts';
import type { CapacitySettings } from '../config/capacity.ts';
import { keysProblem } from '../http/peer-auth.ts';
import type { StorageSettings } from '../store/open.ts';
import { secretOf, storageOf } from './storage.ts';
import { SERVER_SETTINGS } from './table.ts';

/** What a node was told to be; parsed once, frozen, complete. */
export interface NodeSettings {
  readonly mode: 'standalone' | 'cluster';
  readonly port: number;
  readonly listen: string;
  readonly data: string;
  /** Empty for none. */
  readonly contextPath: string;
  /** This node's own line in the member list. */
  readonly member: string;
  readonly memberList: MemberListSettings;
  /** The first signs, all are accepted; empty only in standalone mode. */
  readonly clusterKeys: readonly string[];
  readonly sidecarTokenFile: string | undefined;
  readonly storage: StorageSettings;
  readonly trustedProxies: readonly string[];
  /** How many configurations there may be; left out: as by default. */
  readonly capacity?: CapacitySettings;
  /** Services without instances stay for ever; absent: those that were empty for long are forgotten. */
  readonly keepsEmptyServices?: true;
  /** File of the access log, `-` for standard output; absent: none is written. */
  readonly accessLog?: string;
}

export type MemberListSettings =
  | { readonly kind: 'standalone' }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'given'; readonly members: readonly string[] };

type Read = SettingsOf<typeof SERVER_SETTINGS>;

/** Throws `SettingsError` with every problem at once, those among them that were found before. */
export async function loadNodeSettings(
  host: Host,
  sources: SettingsSources,
  found: readonly string[] = [],
): Promise<NodeSettings> {
  const { values: read, problems: said, wrong, unsaid } = takeSettings(SERVER_SETTINGS, sources);
  const problems = [...found, ...said];
  const settings: NodeSettings = Object.freeze({
    mode: read.mode,
    port: read.port,
    listen: read.listen,
    data: read.data,
    contextPath: read.contextPath,
    member: read.member ?? memberAt(read.serverIp ?? firstAddress(host, read.listen), read.port),
    memberList: memberListOf(read),
    clusterKeys: wrong.has('clusterKeyFile') ? [] : await clusterKeysOf(host, read, problems),
    sidecarTokenFile: read.sidecarTokenFile,
    storage: await storageOf(host, read, { wrong, unsaid }, problems),
    trustedProxies: read.trustedProxies,
    capacity: capacityOf(read),
    ...(!read.cleanEmptyServices && { keepsEmptyServices: true as const }),
    ...accessLogOf(read),
  });
  if (problems.length > 0) throw new SettingsError(problems);
  return settings;
}

function accessLogOf({ accessLog, data }: Read): Pick<NodeSettings, 'accessLog'> {
  if (accessLog === false) return {};
  return { accessLog: accessLog === true ? `${data}/logs/access.log` : accessLog };
}

function capacityOf(read: Read): CapacitySettings {
  return {
    isManaged: read.manageCapacity,
    isEnforced: read.enforceCapacity,
    clusterQuota: read.clusterQuota,
    groupQuota: read.groupQuota,
    namespaceQuota: read.namespaceQuota,
    maxSize: read.configSizeMax,
    maxAggrCount: read.aggregateCountMax,
    maxAggrSize: read.aggregateSizeMax,
  };
}

function memberAt(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function memberListOf(read: Read): MemberListSettings {
  if (read.mode === 'standalone') return { kind: 'standalone' };
  if (read.memberList === undefined && read.servers !== undefined) return { kind: 'given', members: read.servers };
  return { kind: 'file', path: read.memberList ?? `${read.data}/conf/cluster.conf` };
}

async function clusterKeysOf(host: Host, read: Read, problems: string[]): Promise<readonly string[]> {
  if (read.clusterKeyFile === undefined) {
    if (read.mode === 'cluster') {
      problems.push(
        '--cluster-key-file: a cluster needs a secret that its members share; make one with' +
          ' `head -c 32 /dev/urandom | base64 > cluster.key`, and give every node the same file',
      );
    }
    return [];
  }
  const content = await secretOf(host, '--cluster-key-file', read.clusterKeyFile, problems);
  const lines = (content ?? '').split('\n').map((line) => line.trim());
  const keys = lines.filter((line) => line !== '');
  const problem = keys.length === 0 ? 'it is empty' : keysProblem(keys);
  if (content !== undefined && problem !== undefined) problems.push(`--cluster-key-file: ${problem}`);
  return keys;
}

/** The address that others would most likely reach this machine by. */
function firstAddress(host: Host, listen: string): string {
  if (listen !== '0.0.0.0' && listen !== '::') return listen;
  const addresses = host.network.addresses();
  return addresses.find((one) => !one.includes(':') && !one.startsWith('127.')) ?? '127.0.0.1';
}
