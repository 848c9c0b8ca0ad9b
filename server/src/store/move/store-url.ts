import type { StorageSettings } from '../open.ts';
import { MoveError } from './move-error.ts';

export interface StoreAddress {
  readonly settings: StorageSettings;
  /** For people and state files: without user and password. */
  readonly place: string;
}

export const URL_FORMS = [
  'sqlite:FILE',
  'mysql://USER@HOST:PORT/DATABASE, with ?serverTimezone=ZONE and the switches of TLS as in a JDBC URL',
  'etcd://HOST:PORT,HOST:PORT/PREFIX, etcds:// with TLS and ?ca=FILE&cert=FILE&key=FILE; USER@ before the first host',
  'redis://HOST:PORT/NUMBER?prefix=TEXT, rediss:// with TLS and ?ca=FILE; USER@ before the first host',
  'redis+sentinel://HOST:PORT,HOST:PORT?master=NAME, redis+cluster://HOST:PORT,HOST:PORT',
] as const;

const PREFIX_DEFAULTS = { etcd: '/nacos-kube/', redis: 'nacos-kube:' } as const;
const PORTS = { mysql: 3306, etcd: 2379, redis: 6379, sentinel: 26_379 } as const;

/** For how long past writes are kept is for those who use the database to say: who only reads it removes none. */
const HISTORY_KEPT_DAYS = 36_500;

interface Parts {
  readonly scheme: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly hosts: readonly string[];
  readonly path: string;
  readonly query: URLSearchParams;
  readonly search: string;
}

const QUERY_NAMES: Readonly<Record<string, readonly string[]>> = {
  etcd: [],
  etcds: ['ca', 'cert', 'key'],
  redis: ['prefix'],
  rediss: ['prefix', 'ca'],
  'redis+sentinel': ['prefix', 'master'],
  'rediss+sentinel': ['prefix', 'master', 'ca'],
  'redis+cluster': ['prefix'],
  'rediss+cluster': ['prefix', 'ca'],
};

/** A password beside the URL counts more than one within, which everybody sees in the list of processes. */
export function parseStoreUrl(text: string, givenPassword?: string): StoreAddress {
  const sqlite = /^sqlite:(?:\/\/)?(?=.)(.*)$/s.exec(text);
  if (sqlite !== null) return { settings: { kind: 'sqlite', path: sqlite[1]! }, place: `sqlite:${sqlite[1]}` };
  if (/^jdbc:/i.test(text)) throw wrong(text, 'leave out "jdbc:", and put the user before the host');
  const parts = partsOf(text);
  // What is not obeyed would lead to another store than the one that is meant.
  const unknown = [...parts.query.keys()].find((name) => QUERY_NAMES[parts.scheme]?.includes(name) === false);
  if (unknown !== undefined) throw wrong(text, `${parts.scheme}:// knows no ${JSON.stringify(unknown)} behind the ?`);
  const password = givenPassword ?? parts.password;
  const place = `${parts.scheme}://${parts.hosts.join(',')}${parts.path}`;
  switch (parts.scheme) {
    case 'mysql':
      return { settings: mysqlOf(parts, password, text), place };
    case 'etcd':
    case 'etcds':
      return { settings: etcdOf(parts, password, text), place };
    case 'redis':
    case 'rediss':
    case 'redis+sentinel':
    case 'rediss+sentinel':
    case 'redis+cluster':
    case 'rediss+cluster':
      return { settings: redisOf(parts, password), place: `${place}${redisNames(parts)}` };
    default:
      throw wrong(text, `there is no store ${JSON.stringify(parts.scheme)}`);
  }
}

function mysqlOf(parts: Parts, password: string | undefined, text: string): StorageSettings {
  const { hosts, path, user, search } = parts;
  if (hosts.length !== 1) throw wrong(text, 'it needs one host, that of the server that writes');
  const [host, port] = hostAndPort(hosts[0]!, PORTS.mysql);
  const database = path.slice(1);
  if (database === '' || database.includes('/')) throw wrong(text, 'it needs a database after the host');
  if (user === undefined || user === '') throw wrong(text, 'it needs a user before the host');
  return {
    ...{ kind: 'mysql', host, port, database, user, password: password ?? '', historyKeptDays: HISTORY_KEPT_DAYS },
    ...(search !== '' && { parameters: search }),
  };
}

function etcdOf(parts: Parts, password: string | undefined, text: string): StorageSettings {
  const { scheme, user, hosts, path, query } = parts;
  if (user === '') throw wrong(text, 'a password needs a user before it');
  const protocol = scheme === 'etcds' ? 'https' : 'http';
  const endpoints = hosts.map((one) => {
    const [host, port] = hostAndPort(one, PORTS.etcd);
    return `${protocol}://${host.includes(':') ? `[${host}]` : host}:${port}`;
  });
  const prefix = path === '' || path === '/' ? PREFIX_DEFAULTS.etcd : path;
  const file = (name: string) => query.get(name) ?? undefined;
  const files = { caFile: file('ca'), certFile: file('cert'), keyFile: file('key') };
  return { kind: 'etcd', endpoints, prefix, user, password: user === undefined ? undefined : password, ...files };
}

function redisOf({ scheme, user, hosts, path, query }: Parts, password: string | undefined): StorageSettings {
  const mode = scheme.endsWith('+sentinel') ? 'sentinel' : scheme.endsWith('+cluster') ? 'cluster' : 'single';
  const fallback = mode === 'sentinel' ? PORTS.sentinel : PORTS.redis;
  const addresses = hosts.map((one) => {
    const [host, port] = hostAndPort(one, fallback);
    return `${host.includes(':') ? `[${host}]` : host}:${port}`;
  });
  const number = path.slice(1);
  if (!/^\d{0,5}$/.test(number)) throw new MoveError(`redis: ${JSON.stringify(number)} is no number of a database`);
  const prefix = query.get('prefix') ?? PREFIX_DEFAULTS.redis;
  const tls = scheme.startsWith('rediss') ? { caFile: query.get('ca') ?? undefined } : undefined;
  return {
    ...{ kind: 'redis', mode, addresses, master: query.get('master') ?? 'mymaster', database: Number(number) },
    // Whoever moves data there is told by the nodes that start on it later.
    ...{ prefix, user: user === '' ? undefined : user, password, tls, allowsLoss: true },
  };
}

/** Of several stores on one Redis, or behind the same Sentinels, which one. */
function redisNames({ query }: Parts): string {
  const names = ['master', 'prefix'].filter((name) => query.has(name));
  return names.map((name, i) => `${i === 0 ? '?' : '&'}${name}=${encodeURIComponent(query.get(name)!)}`).join('');
}

function partsOf(text: string): Parts {
  const found = /^([a-z][a-z0-9+]*):\/\/(?:([^@/?]*)@)?([^/?@]+)(\/[^?]*)?(?:\?(.*))?$/.exec(text);
  if (found === null) throw wrong(text, 'it is no such URL');
  const [, scheme, login, hosts, path = '', search = ''] = found;
  const [user, ...rest] = login === undefined ? [] : login.split(':');
  return {
    scheme: scheme!,
    user: user === undefined ? undefined : decoded(user),
    password: rest.length === 0 ? undefined : decoded(rest.join(':')),
    hosts: hosts!.split(','),
    path: decoded(path),
    query: new URLSearchParams(search),
    search,
  };
}

function hostAndPort(text: string, fallback: number): [string, number] {
  const found = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  const port = Number(found?.[3] ?? fallback);
  if (found === null || port < 1 || port > 65_535) throw new MoveError(`${JSON.stringify(text)} is no host:port`);
  return [found[1] ?? found[2]!, port];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new MoveError('a % in a URL of a store must be written %25');
  }
}

/** What stands before the host may be a password, so it is not repeated. */
function wrong(text: string, why: string): MoveError {
  const shown = text.replace(/\/\/[^@/]*@/, '//…@').replace(/(password=)[^&]*/gi, '$1…');
  return new MoveError(`${JSON.stringify(shown)} names no store: ${why}\n  forms: ${URL_FORMS.join('\n         ')}`);
}
