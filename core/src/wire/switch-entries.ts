import { lenientBoolean } from '../http/parameters.ts';
import { badRequest } from '../http/protocol-error.ts';
import type { SwitchValues } from '../model/switches.ts';
import { decodeSwitches, withSwitch } from './switches.ts';

/** Of the parameter `value`, below what a record of the store may hold. */
export const SWITCH_VALUE_CHARS_MAX = 64 * 1024;

type Field = keyof SwitchValues;
type Entry = (values: SwitchValues, value: string) => SwitchValues;

/** What `PUT /operator/switches` may name; most entries are called as the field of the document is. */
const ENTRIES: ReadonlyMap<string, Entry> = new Map<string, Entry>([
  ['batch', (values, value) => ({ ...decodeSwitches(value), enableStandalone: values.enableStandalone })],
  ['pushVersion', pushVersion],
  ['limitedUrlMap', limitedUrls],
  ['masters', (values, value) => withSwitch(values, 'masters', pieces(value))],
  ['overriddenServerStatus', (values, value) => withSwitch(values, 'overriddenServerStatus', nullable(value))],
  ['distroThreshold', (values, value) => withSwitch(values, 'distroThreshold', decimal(value))],
  ['pushCacheMillis', number('defaultPushCacheMillis')],
  ['defaultCacheMillis', number('defaultCacheMillis')],
  ['clientBeatInterval', number('clientBeatInterval')],
  ['healthCheckTimes', number('checkTimes')],
  ['serviceStatusSynchronizationPeriodMillis', number('serviceStatusSynchronizationPeriodMillis')],
  ['serverStatusSynchronizationPeriodMillis', number('serverStatusSynchronizationPeriodMillis')],
  ['distroServerExpiredMillis', number('distroServerExpiredMillis')],
  ['check', flag('healthCheckEnabled')],
  ['distro', flag('distroEnabled')],
  ['pushEnabled', flag('pushEnabled')],
  ['lightBeatEnabled', flag('lightBeatEnabled')],
  ['defaultInstanceEphemeral', flag('defaultInstanceEphemeral')],
  ['autoChangeHealthCheckEnabled', flag('autoChangeHealthCheckEnabled')],
  ['disableAddIP', flag('disableAddIP')],
  ['sendBeatOnly', flag('sendBeatOnly')],
  ['enableStandalone', flag('enableStandalone')],
]);

const PUSHED_CLIENTS: ReadonlyMap<string, Field> = new Map([
  ['java', 'pushJavaVersion'],
  ['go', 'pushGoVersion'],
  ['python', 'pushPythonVersion'],
  ['c', 'pushCVersion'],
]);

/** The switches with one entry anew; undefined for an entry that there is not. Throws `ProtocolError` 400. */
export function changeSwitch(values: SwitchValues, entry: string, value: string): SwitchValues | undefined {
  if (value.length > SWITCH_VALUE_CHARS_MAX) {
    throw badRequest(`Param 'value' is illegal, it is longer than ${SWITCH_VALUE_CHARS_MAX} characters`);
  }
  return ENTRIES.get(entry)?.(values, value);
}

function number(field: Field): Entry {
  return (values, value) => {
    if (!/^-?\d{1,15}$/.test(value)) throw badRequest(`For input string: "${value}"`);
    return withSwitch(values, field, Number(value));
  };
}

function flag(field: Field): Entry {
  return (values, value) => {
    const isNo = /^(false|off|no|n|f)$/i.test(value);
    if (!isNo && !lenientBoolean(value)) throw badRequest(`${field} is illegal, it must be true or false`);
    return withSwitch(values, field, !isNo);
  };
}

function decimal(value: string): number {
  if (!/^-?\d{1,9}(\.\d{1,9})?$/.test(value)) throw badRequest(`For input string: "${value}"`);
  return Number(value);
}

/** `client:x.y.z` */
function pushVersion(values: SwitchValues, value: string): SwitchValues {
  const [client = '', version = ''] = value.split(':');
  const field = PUSHED_CLIENTS.get(client);
  if (field === undefined) throw badRequest(`unsupported client type: ${client}`);
  return withSwitch(values, field, version);
}

/** `prefix:status,prefix:status`; nothing: no limits any more. */
function limitedUrls(values: SwitchValues, value: string): SwitchValues {
  const limits = pieces(value).map((limit) => {
    const [prefix = '', status = ''] = limit.split(':');
    if (prefix === '' || !/^\d{3}$/.test(status)) {
      throw badRequest('limitedUrlMap is illegal, it must be prefix:status,prefix:status');
    }
    return [prefix, Number(status)] as const;
  });
  return withSwitch(values, 'limitedUrlMap', Object.fromEntries(limits));
}

function nullable(value: string): string | null {
  return value === 'null' ? null : value;
}

function pieces(value: string): string[] {
  return value
    .split(',')
    .map((piece) => piece.trim())
    .filter((piece) => piece !== '');
}
