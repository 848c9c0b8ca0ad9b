import { DiskError, type Host } from '@nacos-kube/core/host/host.ts';
import {
  anyText,
  listOf,
  oneOf,
  portNumber,
  type Setting,
  type SettingsOf,
  wholeNumber,
  yesOrNo,
} from '@nacos-kube/core/settings.ts';
import { readParameters } from '../store/mysql-settings.ts';
import type { StorageSettings } from '../store/open.ts';

const MYSQL_PORT = 3306;

/** Which engine holds the truth, and how it is reached. */
export const STORAGE_SETTINGS = {
  storage: {
    flag: 'storage',
    value: 'KIND',
    env: ['SPRING_DATASOURCE_PLATFORM', 'NACOS_KUBE_STORAGE'],
    properties: ['spring.datasource.platform', 'spring.sql.init.platform'],
    default: 'sqlite',
    help: 'central truth: sqlite (a file that nodes of one machine share), etcd, mysql or redis',
    parse: oneOf('sqlite', 'etcd', 'mysql', 'redis'),
  },
  sqliteFile: {
    flag: 'sqlite-file',
    value: 'FILE',
    env: ['NACOS_KUBE_SQLITE_FILE'],
    help: 'file of the embedded store (default: store.sqlite below --data)',
    parse: anyText,
  },
  sqliteRebuild: {
    flag: 'sqlite-rebuild',
    value: 'on|off',
    env: ['NACOS_KUBE_SQLITE_REBUILD'],
    default: 'off',
    help: 'make a damaged file of the embedded store anew at the start, from what can be read of it and the copies below --data; for the only node that uses it',
    parse: yesOrNo,
  },
  mysqlUrl: {
    flag: 'mysql-url',
    value: 'URL',
    env: ['NACOS_KUBE_MYSQL_URL'],
    properties: ['db.url.0', 'db.url'],
    isSecret: true,
    help: 'host, port, database and parameters at once, as jdbc:mysql://HOST:PORT/DATABASE?PARAMETERS; the four below count more',
    parse: jdbcUrl,
  },
  mysqlHost: {
    flag: 'mysql-host',
    value: 'HOST',
    env: ['MYSQL_SERVICE_HOST'],
    help: 'host of the MySQL or MariaDB server',
    parse: anyText,
  },
  mysqlPort: {
    flag: 'mysql-port',
    value: 'PORT',
    env: ['MYSQL_SERVICE_PORT'],
    help: 'port of the MySQL or MariaDB server (default: 3306)',
    parse: portNumber,
  },
  mysqlDatabase: {
    flag: 'mysql-database',
    value: 'NAME',
    env: ['MYSQL_SERVICE_DB_NAME'],
    help: 'database with the Nacos schema, made if it is empty',
    parse: anyText,
  },
  mysqlParameters: {
    flag: 'mysql-parameters',
    value: 'TEXT',
    env: ['MYSQL_SERVICE_DB_PARAM', 'NACOS_KUBE_MYSQL_PARAMETERS'],
    help: 'as behind the ? of a JDBC URL, joined by &: serverTimezone, and the switches of TLS (useSSL, requireSSL, verifyServerCertificate, sslMode); others are for the Java driver',
    parse: jdbcParameters,
  },
  mysqlUser: {
    flag: 'mysql-user',
    value: 'NAME',
    env: ['MYSQL_SERVICE_USER'],
    properties: ['db.user.0', 'db.user'],
    help: 'user of that database',
    parse: anyText,
  },
  mysqlUserFile: {
    flag: 'mysql-user-file',
    value: 'FILE',
    env: ['MYSQL_SERVICE_USER_FILE'],
    help: 'file that holds the user',
    parse: anyText,
  },
  mysqlPassword: {
    flag: 'mysql-password',
    value: 'TEXT',
    env: ['MYSQL_SERVICE_PASSWORD'],
    properties: ['db.password.0', 'db.password'],
    isSecret: true,
    help: 'its password; better in a file',
    parse: anyText,
  },
  mysqlPasswordFile: {
    flag: 'mysql-password-file',
    value: 'FILE',
    env: ['MYSQL_SERVICE_PASSWORD_FILE'],
    help: 'file that holds the password',
    parse: anyText,
  },
  etcdEndpoints: {
    flag: 'etcd-endpoints',
    value: 'LIST',
    env: ['NACOS_KUBE_ETCD_ENDPOINTS'],
    help: 'members of an etcd cluster, as http://host:2379 or https://host:2379, separated by commas',
    parse: (text) => listOf(text).map(etcdEndpoint),
  },
  etcdPrefix: {
    flag: 'etcd-prefix',
    value: 'TEXT',
    env: ['NACOS_KUBE_ETCD_PREFIX'],
    default: '/nacos-kube/',
    help: 'start of all keys in etcd, for several clusters on one etcd',
    parse: keyPrefix,
  },
  etcdUserFile: {
    flag: 'etcd-user-file',
    value: 'FILE',
    env: ['NACOS_KUBE_ETCD_USER_FILE'],
    help: 'file that holds the user of etcd; none: no login',
    parse: anyText,
  },
  etcdPasswordFile: {
    flag: 'etcd-password-file',
    value: 'FILE',
    env: ['NACOS_KUBE_ETCD_PASSWORD_FILE'],
    help: 'file that holds the password',
    parse: anyText,
  },
  etcdCaFile: {
    flag: 'etcd-ca-file',
    value: 'FILE',
    env: ['NACOS_KUBE_ETCD_CA_FILE'],
    help: 'certificates that https endpoints are checked against (default: those of Node)',
    parse: anyText,
  },
  etcdCertFile: {
    flag: 'etcd-cert-file',
    value: 'FILE',
    env: ['NACOS_KUBE_ETCD_CERT_FILE'],
    help: 'certificate that this node shows to https endpoints',
    parse: anyText,
  },
  etcdKeyFile: {
    flag: 'etcd-key-file',
    value: 'FILE',
    env: ['NACOS_KUBE_ETCD_KEY_FILE'],
    help: 'its private key',
    parse: anyText,
  },
  redisMode: {
    flag: 'redis-mode',
    value: 'MODE',
    env: ['NACOS_KUBE_REDIS_MODE'],
    default: 'single',
    help: 'single: one server; sentinel: the addresses are Sentinels that name the master; cluster: a Redis Cluster',
    parse: oneOf('single', 'sentinel', 'cluster'),
  },
  redisAddresses: {
    flag: 'redis-addresses',
    value: 'LIST',
    env: ['NACOS_KUBE_REDIS_ADDRESSES'],
    help: 'host:port of the server, of the Sentinels or of some nodes of the Redis Cluster, separated by commas',
    parse: (text) => listOf(text).map(hostAndPort),
  },
  redisMaster: {
    flag: 'redis-master',
    value: 'NAME',
    env: ['NACOS_KUBE_REDIS_MASTER'],
    default: 'mymaster',
    help: 'name of the master that the Sentinels watch',
    parse: anyText,
  },
  redisDatabase: {
    flag: 'redis-database',
    value: 'NUMBER',
    env: ['NACOS_KUBE_REDIS_DATABASE'],
    default: '0',
    help: 'number of the database; 0 with a Redis Cluster',
    parse: wholeNumber(0, 65_535),
  },
  redisPrefix: {
    flag: 'redis-prefix',
    value: 'TEXT',
    env: ['NACOS_KUBE_REDIS_PREFIX'],
    default: 'nacos-kube:',
    help: 'start of all keys in Redis, for several clusters on one Redis',
    parse: keyPrefix,
  },
  redisUserFile: {
    flag: 'redis-user-file',
    value: 'FILE',
    env: ['NACOS_KUBE_REDIS_USER_FILE'],
    help: 'file that holds the user of Redis; none: the default user',
    parse: anyText,
  },
  redisPasswordFile: {
    flag: 'redis-password-file',
    value: 'FILE',
    env: ['NACOS_KUBE_REDIS_PASSWORD_FILE'],
    help: 'file that holds the password',
    parse: anyText,
  },
  redisTls: {
    flag: 'redis-tls',
    value: 'on|off',
    env: ['NACOS_KUBE_REDIS_TLS'],
    default: 'off',
    help: 'speak TLS with Redis',
    parse: yesOrNo,
  },
  redisCaFile: {
    flag: 'redis-ca-file',
    value: 'FILE',
    env: ['NACOS_KUBE_REDIS_CA_FILE'],
    help: 'certificates that Redis is checked against (default: those of Node)',
    parse: anyText,
  },
  redisWithoutPersistence: {
    flag: 'redis-without-persistence',
    value: 'on|off',
    env: ['NACOS_KUBE_REDIS_WITHOUT_PERSISTENCE'],
    default: 'off',
    help: 'take a Redis that loses what it holds when it restarts: without it such a Redis is refused',
    parse: yesOrNo,
  },
} as const satisfies Readonly<Record<string, Setting<unknown>>>;

type Read = SettingsOf<typeof STORAGE_SETTINGS> & { readonly data: string };

/** Names of settings: which were said wrongly, and which have their default because nobody said anything. */
interface Told {
  readonly wrong: ReadonlySet<string>;
  readonly unsaid: ReadonlySet<string>;
}

/** Adds what is missing or cannot be read to `problems`; what was said wrongly is not missing as well. */
export async function storageOf(
  host: Host,
  read: Read,
  { wrong, unsaid }: Told,
  problems: string[],
): Promise<StorageSettings> {
  switch (read.storage) {
    case 'sqlite':
      if (unsaid.has('storage')) requireNoOtherNamed(read, problems);
      return {
        ...{ kind: 'sqlite', path: read.sqliteFile ?? `${read.data}/store.sqlite` },
        ...(read.sqliteRebuild && { rebuildsFrom: read.data }),
      };
    case 'etcd':
      return etcdOf(host, read, wrong, problems);
    case 'mysql':
      return mysqlOf(host, read, wrong, problems);
    case 'redis':
      return redisOf(host, read, wrong, problems);
  }
}

/**
 * Who names a database and not the kind would find an empty sqlite file in its place. Of MySQL the host alone is no name:
 * Kubernetes sets `MYSQL_SERVICE_HOST` and `_PORT` in every pod beside a Service `mysql`, whatever that is for.
 */
function requireNoOtherNamed(read: Read, problems: string[]): void {
  const isMysqlMeant = (read.mysqlDatabase ?? read.mysqlUser ?? read.mysqlUserFile) !== undefined;
  const named: readonly (readonly [string, string, unknown])[] = [
    ['etcd-endpoints', 'etcd', read.etcdEndpoints],
    ['redis-addresses', 'redis', read.redisAddresses],
    ['mysql-host', 'mysql', isMysqlMeant ? read.mysqlHost : undefined],
    ['mysql-url', 'mysql', read.mysqlUrl?.host],
  ];
  for (const [flag, kind, value] of named) {
    if (value === undefined) continue;
    problems.push(`--storage: --${flag} names one, say --storage ${kind} to use it, or --storage sqlite`);
    return;
  }
}

async function etcdOf(host: Host, read: Read, wrong: ReadonlySet<string>, problems: string[]) {
  const endpoints = read.etcdEndpoints ?? [];
  if (endpoints.length === 0 && !wrong.has('etcdEndpoints')) {
    problems.push('--etcd-endpoints: needed with --storage etcd');
  }
  if (new Set(endpoints.map((endpoint) => endpoint.split(':')[0])).size > 1) {
    problems.push('--etcd-endpoints: either all of them https or none');
  }
  if ((read.etcdCertFile === undefined) !== (read.etcdKeyFile === undefined)) {
    problems.push('--etcd-cert-file and --etcd-key-file: one needs the other');
  }
  const file = (flag: string, path: string | undefined) => fileOf(host, flag, path, problems);
  const user = await file('--etcd-user-file', read.etcdUserFile);
  const password = await file('--etcd-password-file', read.etcdPasswordFile);
  if ((user === undefined) !== (password === undefined)) {
    problems.push('--etcd-user-file and --etcd-password-file: one needs the other');
  }
  const { etcdPrefix: prefix, etcdCaFile: caFile, etcdCertFile: certFile, etcdKeyFile: keyFile } = read;
  return { kind: 'etcd', endpoints, prefix, user, password, caFile, certFile, keyFile } as const;
}

async function redisOf(host: Host, read: Read, wrong: ReadonlySet<string>, problems: string[]) {
  const addresses = read.redisAddresses ?? [];
  const { redisMode: mode, redisMaster: master, redisDatabase: database, redisPrefix: prefix } = read;
  if (addresses.length === 0 && !wrong.has('redisAddresses')) {
    problems.push('--redis-addresses: needed with --storage redis');
  }
  if (mode === 'single' && addresses.length > 1) {
    problems.push('--redis-addresses: one alone with --redis-mode single');
  }
  if (mode === 'cluster' && database !== 0) problems.push('--redis-database: a Redis Cluster has only 0');
  const user = await fileOf(host, '--redis-user-file', read.redisUserFile, problems);
  const password = await fileOf(host, '--redis-password-file', read.redisPasswordFile, problems);
  if (user !== undefined && password === undefined) problems.push('--redis-user-file: needs --redis-password-file');
  const tls = read.redisTls ? { caFile: read.redisCaFile } : undefined;
  const allowsLoss = read.redisWithoutPersistence;
  return { kind: 'redis', mode, addresses, master, database, prefix, user, password, tls, allowsLoss } as const;
}

async function mysqlOf(host: Host, read: Read, wrong: ReadonlySet<string>, problems: string[]) {
  const user = read.mysqlUser ?? (await fileOf(host, '--mysql-user-file', read.mysqlUserFile, problems));
  const password =
    read.mysqlPassword ?? (await fileOf(host, '--mysql-password-file', read.mysqlPasswordFile, problems));
  // What was said wrongly is not missing as well; nor is what a file that cannot be read would say.
  const needed = (flag: string, value: string | undefined, ...ways: (keyof Read & string)[]): string => {
    const isSaid = ways.some((way) => wrong.has(way) || read[way] !== undefined);
    if (value === '') problems.push(`--${flag}: it is empty`);
    else if (value === undefined && !isSaid) problems.push(`--${flag}: needed with --storage mysql`);
    return value ?? '';
  };
  const url = read.mysqlUrl ?? {};
  const parameters = read.mysqlParameters ?? url.parameters;
  return {
    kind: 'mysql',
    host: needed('mysql-host', read.mysqlHost ?? url.host, 'mysqlHost', 'mysqlUrl'),
    port: read.mysqlPort ?? url.port ?? MYSQL_PORT,
    database: needed('mysql-database', read.mysqlDatabase ?? url.database, 'mysqlDatabase', 'mysqlUrl'),
    user: needed('mysql-user', user, 'mysqlUser', 'mysqlUserFile'),
    password: needed('mysql-password-file', password, 'mysqlPassword', 'mysqlPasswordFile'),
    ...(parameters !== undefined && { parameters }),
  } as const;
}

async function fileOf(
  host: Host,
  flag: string,
  path: string | undefined,
  problems: string[],
): Promise<string | undefined> {
  return path === undefined ? undefined : await secretOf(host, flag, path, problems);
}

/** The content of a secret's file, without the line end that editors add. */
export async function secretOf(
  host: Host,
  flag: string,
  path: string,
  problems: string[],
): Promise<string | undefined> {
  try {
    return new TextDecoder().decode(await host.disk.read(path)).replace(/\s+$/, '');
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    problems.push(`${flag} ${JSON.stringify(path)}: ${error.message}`);
    return undefined;
  }
}

interface JdbcUrl {
  readonly host?: string;
  readonly port?: number;
  readonly database?: string;
  readonly parameters?: string;
}

/** The file of the official image has `${...}` in it, for what its environment says: that counts here too. */
function jdbcUrl(text: string): JdbcUrl | undefined {
  if (text.includes('${')) return undefined;
  const form =
    /^(?:jdbc:)?(?:mysql|mariadb):\/\/(\[[0-9a-fA-F:.]+\]|[^:/?@,[\]]+)(?::(\d{1,5}))?\/([^/?]+)(?:\?(.*))?$/;
  const [, host, port, database, parameters] = form.exec(text) ?? [];
  if (host === undefined || database === undefined) {
    throw new Error('must be jdbc:mysql://HOST:PORT/DATABASE?PARAMETERS, with one host and without user');
  }
  return {
    host: host.replace(/^\[|\]$/g, ''),
    ...(port !== undefined && { port: portNumber(port) }),
    database: decodeURIComponent(database),
    ...(parameters !== undefined && parameters !== '' && { parameters: jdbcParameters(parameters) }),
  };
}

function jdbcParameters(text: string): string {
  readParameters(text);
  return text;
}

function etcdEndpoint(text: string): string {
  let url: URL | undefined;
  try {
    url = new URL(text);
  } catch {}
  const isPlain =
    url !== undefined && url.username === '' && url.search === '' && url.hash === '' && url.pathname === '/';
  if (!isPlain || !/^https?:$/.test(url!.protocol) || url!.hostname === '') {
    throw new Error(`${JSON.stringify(text)} is no http://host:port or https://host:port`);
  }
  return `${url!.protocol}//${url!.hostname}:${url!.port || '2379'}`;
}

function hostAndPort(text: string): string {
  const found = /^(\[[0-9a-fA-F:.]+\]|[\w.-]+):(\d{1,5})$/.exec(text);
  const port = Number(found?.[2]);
  if (found === null || port < 1 || port > 65_535) throw new Error(`${JSON.stringify(text)} is no host:port`);
  return text;
}

function keyPrefix(text: string): string {
  if (!/^[\w./:{}-]{1,100}$/.test(text)) throw new Error('must be 1 to 100 letters, digits or any of . _ - / : { }');
  return text;
}
