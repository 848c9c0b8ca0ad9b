import { badRequest } from '../http/protocol-error.ts';
import { type CheckPeriod, DEFAULT_SWITCHES, type SwitchValues } from '../model/switches.ts';

/** Statuses that may stand in for the real one. */
export const SERVER_STATUSES = ['UP', 'DOWN', 'STARTING', 'PAUSED', 'WRITE_ONLY', 'READ_ONLY'] as const;
export type ServerStatus = (typeof SERVER_STATUSES)[number];

/** Of a list or a map among the switches. */
export const SWITCH_ITEMS_MAX = 200;
export const SWITCH_TEXT_CHARS_MAX = 700;
const DAY_MS = 86_400_000;
/** What the reference calls the record that holds them. */
const NAME = '00-00---000-NACOS_SWITCH_DOMAIN-000---00-00';

type Check<T> = (value: unknown, name: string) => T;
type Checks = { readonly [K in keyof SwitchValues]: Check<SwitchValues[K]> };

/** What each may be, in the order of the document. */
const CHECKS: Checks = {
  masters: nullOr(listOfTexts),
  adWeightMap: mapOf(wholeNumber(-1_000_000, 1_000_000)),
  defaultPushCacheMillis: wholeNumber(10_000, DAY_MS),
  clientBeatInterval: wholeNumber(100, DAY_MS),
  defaultCacheMillis: wholeNumber(1_000, DAY_MS),
  distroThreshold: positive,
  healthCheckEnabled: flag,
  autoChangeHealthCheckEnabled: flag,
  distroEnabled: flag,
  enableStandalone: flag,
  pushEnabled: flag,
  checkTimes: wholeNumber(1, 1_000),
  httpHealthParams: period,
  tcpHealthParams: period,
  mysqlHealthParams: period,
  incrementalList: listOfTexts,
  serverStatusSynchronizationPeriodMillis: wholeNumber(1_000, DAY_MS),
  serviceStatusSynchronizationPeriodMillis: wholeNumber(5_000, DAY_MS),
  disableAddIP: flag,
  sendBeatOnly: flag,
  lightBeatEnabled: flag,
  limitedUrlMap: mapOf(wholeNumber(200, 599)),
  distroServerExpiredMillis: wholeNumber(1, DAY_MS),
  pushGoVersion: version,
  pushJavaVersion: version,
  pushPythonVersion: version,
  pushCVersion: version,
  pushCSharpVersion: version,
  enableAuthentication: flag,
  overriddenServerStatus: nullOr(serverStatus),
  defaultInstanceEphemeral: flag,
  healthCheckWhiteList: listOfTexts,
};

const FIELDS = Object.keys(CHECKS) as (keyof SwitchValues)[];

/** The document of the reference: every field, nulls too, in its order; `name` and `checksum` at the end. */
export function encodeSwitches(values: SwitchValues): string {
  const fields = FIELDS.map((field) => {
    const value = values[field];
    return [field, value instanceof Map ? Object.fromEntries(value) : value];
  });
  return JSON.stringify(Object.fromEntries([...fields, ['name', NAME], ['checksum', null]]));
}

/** A whole document: what is missing has its default, what is unknown is passed over. Throws `ProtocolError` 400. */
export function decodeSwitches(document: string): SwitchValues {
  const given = parsed(document);
  const values = FIELDS.map((field) => {
    const value = Object.hasOwn(given, field) ? given[field] : undefined;
    return [field, value === undefined ? DEFAULT_SWITCHES[field] : CHECKS[field](value, field)];
  });
  return Object.fromEntries(values) as unknown as SwitchValues;
}

/** One field anew, given as it stands in the document. */
export function withSwitch<K extends keyof SwitchValues>(values: SwitchValues, field: K, value: unknown): SwitchValues {
  return { ...values, [field]: CHECKS[field](value, field) };
}

function parsed(document: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(document);
  } catch {
    throw badRequest('the switches are no JSON document');
  }
  return record(value, 'switches');
}

// --------------------------------------------------------------------------------------------- kinds of values

function wholeNumber(min: number, max: number): Check<number> {
  return (value, name) => {
    if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
    throw illegal(name, `a whole number from ${min} to ${max}`);
  };
}

function positive(value: unknown, name: string): number {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
  throw illegal(name, 'a number above 0');
}

function flag(value: unknown, name: string): boolean {
  if (typeof value === 'boolean') return value;
  throw illegal(name, 'true or false');
}

function version(value: unknown, name: string): string {
  if (typeof value === 'string' && /^\d{1,9}\.\d{1,9}\.\d{1,9}$/.test(value)) return value;
  throw illegal(name, 'three numbers with points between them');
}

function serverStatus(value: unknown, name: string): string | null {
  if (value === '') return null;
  const status = SERVER_STATUSES.find((one) => one === value);
  if (status === undefined) throw illegal(name, `one of ${SERVER_STATUSES.join(', ')}`);
  return status;
}

function period(value: unknown, name: string): CheckPeriod {
  const { max, min, factor } = record(value, name);
  const read = {
    max: wholeNumber(3_000, DAY_MS)(max, `${name}.max`),
    min: wholeNumber(500, DAY_MS)(min, `${name}.min`),
    factor: factor as number,
  };
  if (typeof factor !== 'number' || !(factor >= 0 && factor <= 1)) {
    throw illegal(`${name}.factor`, 'a number from 0 to 1');
  }
  if (read.min > read.max) throw illegal(`${name}.min`, 'no more than max');
  return read;
}

function listOfTexts(value: unknown, name: string): readonly string[] {
  if (!Array.isArray(value) || value.length > SWITCH_ITEMS_MAX) {
    throw illegal(name, `a list of at most ${SWITCH_ITEMS_MAX}`);
  }
  return value.map((one) => text(one, name));
}

function mapOf<T>(check: Check<T>): Check<ReadonlyMap<string, T>> {
  return (value, name) => {
    const entries = Object.entries(record(value, name));
    if (entries.length > SWITCH_ITEMS_MAX) throw illegal(name, `of at most ${SWITCH_ITEMS_MAX} entries`);
    return new Map(entries.map(([key, one]) => [text(key, name), check(one, name)]));
  };
}

function text(value: unknown, name: string): string {
  const isText = typeof value === 'string' && value !== '' && value.length <= SWITCH_TEXT_CHARS_MAX;
  if (isText && !/[\p{Cc}\p{Cs}]/u.test(value)) return value;
  throw illegal(name, `made of texts of 1 to ${SWITCH_TEXT_CHARS_MAX} characters`);
}

function nullOr<T>(check: Check<T>): Check<T | null> {
  return (value, name) => (value === null ? null : check(value, name));
}

function record(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw illegal(name, 'an object');
}

function illegal(name: string, wanted: string): Error {
  return badRequest(`${name} is illegal, it must be ${wanted}`);
}
