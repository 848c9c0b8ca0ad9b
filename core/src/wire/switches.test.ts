import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProtocolError } from '../http/protocol-error.ts';
import { DEFAULT_SWITCHES, type SwitchValues } from '../model/switches.ts';
import { changeSwitch, SWITCH_VALUE_CHARS_MAX } from './switch-entries.ts';
import { decodeSwitches, encodeSwitches, SWITCH_ITEMS_MAX } from './switches.ts';

/** Every field at its default, as the reference writes them, nulls included. */
const DEFAULT_DOCUMENT =
  '{"masters":null,"adWeightMap":{},"defaultPushCacheMillis":10000,"clientBeatInterval":5000,"defaultCacheMillis":3000,' +
  '"distroThreshold":0.7,"healthCheckEnabled":true,"autoChangeHealthCheckEnabled":true,"distroEnabled":true,' +
  '"enableStandalone":true,"pushEnabled":true,"checkTimes":3,"httpHealthParams":{"max":5000,"min":500,"factor":0.85},' +
  '"tcpHealthParams":{"max":5000,"min":1000,"factor":0.75},"mysqlHealthParams":{"max":3000,"min":2000,"factor":0.65},' +
  '"incrementalList":[],"serverStatusSynchronizationPeriodMillis":2000,"serviceStatusSynchronizationPeriodMillis":5000,' +
  '"disableAddIP":false,"sendBeatOnly":false,"lightBeatEnabled":true,"limitedUrlMap":{},"distroServerExpiredMillis":10000,' +
  '"pushGoVersion":"0.1.0","pushJavaVersion":"0.1.0","pushPythonVersion":"0.4.3","pushCVersion":"1.0.12",' +
  '"pushCSharpVersion":"0.9.0","enableAuthentication":false,"overriddenServerStatus":null,' +
  '"defaultInstanceEphemeral":true,"healthCheckWhiteList":[],"name":"00-00---000-NACOS_SWITCH_DOMAIN-000---00-00",' +
  '"checksum":null}';

const refused = (text: RegExp) => (error: unknown) =>
  error instanceof ProtocolError && error.status === 400 && text.test(error.message);
const change = (entry: string, value: string) => changeSwitch(DEFAULT_SWITCHES, entry, value);

test('the document has every field, in the order of the reference', () => {
  assert.equal(encodeSwitches(DEFAULT_SWITCHES), DEFAULT_DOCUMENT);
  assert.deepEqual(decodeSwitches(DEFAULT_DOCUMENT), DEFAULT_SWITCHES);
});

test('a document that says little keeps the defaults of the rest, and what it adds is passed over', () => {
  const read = decodeSwitches('{"checkTimes":5,"limitedUrlMap":{"/nacos":503},"unknown":1,"__proto__":{"a":1}}');
  assert.deepEqual(read, { ...DEFAULT_SWITCHES, checkTimes: 5, limitedUrlMap: new Map([['/nacos', 503]]) });
  assert.deepEqual(decodeSwitches(encodeSwitches(read)), read);
});

const ENTRIES: readonly (readonly [string, string, Partial<SwitchValues>])[] = [
  ['distroThreshold', '0.5', { distroThreshold: 0.5 }],
  ['clientBeatInterval', '7000', { clientBeatInterval: 7_000 }],
  ['pushVersion', 'java:1.2.3', { pushJavaVersion: '1.2.3' }],
  ['pushVersion', 'go:1.2.3', { pushGoVersion: '1.2.3' }],
  ['pushVersion', 'python:1.2.3', { pushPythonVersion: '1.2.3' }],
  ['pushVersion', 'c:1.2.3', { pushCVersion: '1.2.3' }],
  ['pushCacheMillis', '20000', { defaultPushCacheMillis: 20_000 }],
  ['defaultCacheMillis', '1000', { defaultCacheMillis: 1_000 }],
  ['masters', '10.0.0.1, 10.0.0.2', { masters: ['10.0.0.1', '10.0.0.2'] }],
  ['distro', 'false', { distroEnabled: false }],
  ['check', 'False', { healthCheckEnabled: false }],
  ['check', 'on', { healthCheckEnabled: true }],
  ['pushEnabled', 'off', { pushEnabled: false }],
  ['serviceStatusSynchronizationPeriodMillis', '5000', { serviceStatusSynchronizationPeriodMillis: 5_000 }],
  ['serverStatusSynchronizationPeriodMillis', '1000', { serverStatusSynchronizationPeriodMillis: 1_000 }],
  ['healthCheckTimes', '1', { checkTimes: 1 }],
  ['disableAddIP', 'true', { disableAddIP: true }],
  ['sendBeatOnly', 'true', { sendBeatOnly: true }],
  [
    'limitedUrlMap',
    '/nacos/v1/ns/a:503,/b:404',
    { limitedUrlMap: new Map(Object.entries({ '/nacos/v1/ns/a': 503, '/b': 404 })) },
  ],
  ['limitedUrlMap', '', { limitedUrlMap: new Map() }],
  ['enableStandalone', 'false', { enableStandalone: false }],
  ['overriddenServerStatus', 'READ_ONLY', { overriddenServerStatus: 'READ_ONLY' }],
  ['overriddenServerStatus', 'null', { overriddenServerStatus: null }],
  ['defaultInstanceEphemeral', 'false', { defaultInstanceEphemeral: false }],
  ['distroServerExpiredMillis', '30000', { distroServerExpiredMillis: 30_000 }],
  ['lightBeatEnabled', 'no', { lightBeatEnabled: false }],
  ['autoChangeHealthCheckEnabled', 'f', { autoChangeHealthCheckEnabled: false }],
];
for (const [entry, value, changed] of ENTRIES) {
  test(`entry ${entry} with ${JSON.stringify(value)} changes its field and no other`, () => {
    assert.deepEqual(change(entry, value), { ...DEFAULT_SWITCHES, ...changed });
  });
}

const BAD: readonly (readonly [string, string, RegExp])[] = [
  ['distroThreshold', '0', /distroThreshold.*above 0/],
  ['distroThreshold', 'NaN', /For input string: "NaN"/],
  ['distroThreshold', '1e400', /For input string/],
  ['clientBeatInterval', '0', /clientBeatInterval.*from 100/],
  ['clientBeatInterval', '-5000', /clientBeatInterval/],
  ['clientBeatInterval', '5s', /For input string: "5s"/],
  ['clientBeatInterval', '0x10', /For input string/],
  ['pushCacheMillis', '9999', /from 10000/],
  ['defaultCacheMillis', '999', /from 1000/],
  ['defaultCacheMillis', '99999999999999999999', /For input string/],
  ['serviceStatusSynchronizationPeriodMillis', '4999', /from 5000/],
  ['serverStatusSynchronizationPeriodMillis', '999', /from 1000/],
  ['healthCheckTimes', '0', /checkTimes/],
  ['pushVersion', 'java', /pushJavaVersion.*three numbers/],
  ['pushVersion', 'java:1.2', /three numbers/],
  ['pushVersion', 'rust:1.2.3', /unsupported client type: rust/],
  ['check', 'maybe', /true or false/],
  ['check', '', /true or false/],
  ['overriddenServerStatus', 'SLEEPING', /one of UP, DOWN/],
  ['limitedUrlMap', '/a', /prefix:status/],
  ['limitedUrlMap', ':503', /prefix:status/],
  ['limitedUrlMap', '/a:abc', /prefix:status/],
  ['limitedUrlMap', '/a:100', /from 200 to 599/],
  ['limitedUrlMap', Array.from({ length: SWITCH_ITEMS_MAX + 1 }, (_, i) => `/${i}:503`).join(), /at most/],
  ['masters', 'a\u0000b', /made of texts/],
  ['masters', 'x'.repeat(SWITCH_VALUE_CHARS_MAX + 1), /longer than/],
  ['batch', '{', /no JSON/],
  ['batch', '[]', /an object/],
  ['batch', 'null', /an object/],
  ['batch', '{"checkTimes":"3"}', /checkTimes/],
  ['batch', '{"checkTimes":null}', /checkTimes/],
  ['batch', '{"httpHealthParams":{"max":5000,"min":499,"factor":0.5}}', /httpHealthParams.min.*500/],
  ['batch', '{"tcpHealthParams":{"max":2999,"min":500,"factor":0.5}}', /tcpHealthParams.max.*3000/],
  ['batch', '{"tcpHealthParams":{"max":5000,"min":500,"factor":1.5}}', /factor/],
  ['batch', '{"tcpHealthParams":{"max":5000,"min":6000,"factor":1}}', /no more than max/],
  ['batch', '{"healthCheckWhiteList":[1]}', /healthCheckWhiteList/],
  ['batch', '{"limitedUrlMap":{"/a":"503"}}', /limitedUrlMap/],
];
for (const [entry, value, text] of BAD) {
  test(`entry ${entry} refuses ${JSON.stringify(value.slice(0, 70))}`, () => {
    assert.throws(() => change(entry, value), refused(text));
  });
}

test('a batch replaces all but what it may not', () => {
  const before = { ...DEFAULT_SWITCHES, enableStandalone: false, checkTimes: 9 };
  const after = changeSwitch(before, 'batch', '{"enableStandalone":true,"healthCheckWhiteList":["G@@a"]}');
  assert.deepEqual(after, { ...DEFAULT_SWITCHES, enableStandalone: false, healthCheckWhiteList: ['G@@a'] });
});

test('an entry that there is not changes nothing', () => {
  for (const entry of ['healthCheckEnabled', 'nothing', '__proto__', 'constructor', '']) {
    assert.equal(change(entry, 'true'), undefined);
  }
});
