import { StoreError } from './store.ts';

export interface MysqlSettings {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** A file is read at each connect, so that a rotated password is taken without a restart. */
  readonly password: string | { readonly file: string };
  /**
   * As in a JDBC URL, `serverTimezone=UTC&useSSL=true`. Of these `serverTimezone` and the TLS switches are obeyed;
   * the others concern the Java driver only.
   */
  readonly parameters?: string;
  /** Days; default as in Nacos. */
  readonly historyKeptDays?: number;
  /** How often past writes older than that are removed; for tests, default 10 minutes as in Nacos. */
  readonly forgetEveryMs?: number;
  /** For tests; default `CHANGES_KEPT`. */
  readonly changesKept?: number;
  /** How often writes of others are looked for; for tests, default 2 s. */
  readonly lookEveryMs?: number;
}

export interface MysqlParameters {
  /** For `SET time_zone`: what the 1.4 schema's columns without a zone are in. */
  readonly timeZone: string;
  readonly tls: 'off' | 'encrypted' | 'verified';
}

export function readParameters(text = ''): MysqlParameters {
  const parameters = new Map([...new URLSearchParams(text.replace(/^\?/, ''))].map(([k, v]) => [k.toLowerCase(), v]));
  return { timeZone: timeZoneOf(parameters.get('servertimezone') ?? 'UTC'), tls: tlsOf(parameters) };
}

/** How messages name the database; never with the password. */
export function placeOf({ host, port, database, user }: MysqlSettings): string {
  return `mysql ${host}:${port}/${database} as ${user}`;
}

function tlsOf(parameters: ReadonlyMap<string, string>): MysqlParameters['tls'] {
  const mode = parameters.get('sslmode')?.toUpperCase().replaceAll('-', '_');
  if (mode === 'VERIFY_CA' || mode === 'VERIFY_IDENTITY' || mode === 'VERIFY_FULL') return 'verified';
  const isOn = mode === 'REQUIRED' || mode === 'TRUST' || parameters.get('usessl') === 'true';
  if (!isOn && parameters.get('requiressl') !== 'true') return 'off';
  return parameters.get('verifyservercertificate') === 'true' ? 'verified' : 'encrypted';
}

/** JDBC takes `UTC`, `GMT+8`, `+08:00`, `Asia/Shanghai`; the database offsets, and names if it has loaded them. */
function timeZoneOf(zone: string): string {
  if (/^(UTC|GMT|Z)$/i.test(zone)) return '+00:00';
  // A plus that nobody encoded arrives as a blank.
  const offset = /^(?:UTC|GMT)?([+\- ])(\d{1,2})(?::?(\d{2}))?$/i.exec(zone);
  if (offset !== null) {
    const [, sign, hours, minutes = '00'] = offset;
    return `${sign === '-' ? '-' : '+'}${hours!.padStart(2, '0')}:${minutes}`;
  }
  if (/^[A-Za-z_]+(\/[A-Za-z0-9_+-]+)*$/.test(zone)) return zone;
  throw new StoreError('misconfigured', `serverTimezone ${JSON.stringify(zone)} is no time zone`);
}
