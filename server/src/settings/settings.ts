import { DiskError, type Host } from '@nacos-kube/core/host/host.ts';
import { readSettings, SettingsError, type SettingsOf, type SettingsSources } from '@nacos-kube/core/settings.ts';
import { keysProblem } from '../http/peer-auth.ts';
import type { StorageSettings } from '../store/open.ts';
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
}

export type MemberListSettings =
  | { readonly kind: 'standalone' }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'given'; readonly members: readonly string[] };

type Read = SettingsOf<typeof SERVER_SETTINGS>;

/** Throws `SettingsError` with every problem at once. */
export async function loadNodeSettings(host: Host, sources: SettingsSources): Promise<NodeSettings> {
  const read = readSettings(SERVER_SETTINGS, sources);
  const problems: string[] = [];
  const settings: NodeSettings = Object.freeze({
    mode: read.mode,
    port: read.port,
    listen: read.listen,
    data: read.data,
    contextPath: read.contextPath,
    member: read.member ?? `${read.serverIp ?? firstAddress(host, read.listen)}:${read.port}`,
    memberList: memberListOf(read),
    clusterKeys: await clusterKeysOf(host, read, problems),
    sidecarTokenFile: read.sidecarTokenFile,
    storage: await storageOf(host, read, problems),
    trustedProxies: read.trustedProxies,
  });
  if (problems.length > 0) throw new SettingsError(problems);
  return settings;
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
  const keys = (content ?? '').split('\n').filter((line) => line !== '');
  const problem = keys.length === 0 ? 'it is empty' : keysProblem(keys);
  if (content !== undefined && problem !== undefined) problems.push(`--cluster-key-file: ${problem}`);
  return keys;
}

async function storageOf(host: Host, read: Read, problems: string[]): Promise<StorageSettings> {
  if (read.storage === 'sqlite') return { kind: 'sqlite', path: read.sqliteFile ?? `${read.data}/store.sqlite` };
  const user = read.mysqlUser ?? (await fileOf(host, '--mysql-user-file', read.mysqlUserFile, problems));
  const password =
    read.mysqlPassword ?? (await fileOf(host, '--mysql-password-file', read.mysqlPasswordFile, problems));
  const missing = (flag: string): string => {
    problems.push(`--${flag}: needed with --storage mysql`);
    return '';
  };
  return {
    kind: 'mysql',
    host: read.mysqlHost ?? missing('mysql-host'),
    port: read.mysqlPort,
    database: read.mysqlDatabase ?? missing('mysql-database'),
    user: user ?? missing('mysql-user'),
    password: password ?? missing('mysql-password-file'),
  };
}

async function fileOf(
  host: Host,
  flag: string,
  path: string | undefined,
  problems: string[],
): Promise<string | undefined> {
  return path === undefined ? undefined : await secretOf(host, flag, path, problems);
}

/** The content of a secret's file, without the line end that editors add; '' keeps other messages away. */
async function secretOf(host: Host, flag: string, path: string, problems: string[]): Promise<string | undefined> {
  try {
    return new TextDecoder().decode(await host.disk.read(path)).replace(/\s+$/, '');
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    problems.push(`${flag} ${JSON.stringify(path)}: ${error.message}`);
    return undefined;
  }
}

/** The address that others would most likely reach this machine by. */
function firstAddress(host: Host, listen: string): string {
  if (listen !== '0.0.0.0' && listen !== '::') return listen;
  const addresses = host.network.addresses();
  return addresses.find((one) => !one.includes(':') && !one.startsWith('127.')) ?? '127.0.0.1';
}
