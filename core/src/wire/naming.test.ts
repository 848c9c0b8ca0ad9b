import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeForm } from '../http/form.ts';
import { ProtocolError } from '../http/protocol-error.ts';
import type { Form } from '../http/route.ts';
import type { Instance } from '../model/instance.ts';
import {
  decodeDeregister,
  decodeHealth,
  decodeInstanceRequest,
  decodePatch,
  decodeRegister,
  decodeUpdate,
  encodeInstance,
  simpleInstanceId,
  wantsSnowflakeId,
} from './naming.ts';
import { parseAgent } from './naming-agent.ts';
import { decodeBeat } from './naming-beat.ts';
import { decodeList } from './naming-list.ts';
import { decodeServiceCreation, decodeServiceList, decodeServiceName, decodeServiceUpdate } from './naming-service.ts';

const JAVA = parseAgent('Nacos-Java-Client:v1.4.8');
const CURL = parseAgent('curl/8.0');
const ADDRESS = { serviceName: 'demo', ip: '10.0.0.1', port: '8080' };
const SERVICE = { namespaceId: 'public', name: 'DEFAULT_GROUP@@demo' };

function form(parameters: Record<string, string>): Form {
  return new Map(Object.entries(parameters));
}

function query(text: string): Form {
  return decodeForm({ method: 'POST', query: text, headers: {}, body: new Uint8Array() });
}

test('a registration by address alone has the defaults of the reference', () => {
  assert.deepEqual(decodeRegister(form(ADDRESS)), {
    service: SERVICE,
    instance: {
      ip: '10.0.0.1',
      port: 8080,
      cluster: 'DEFAULT',
      weight: 1,
      healthy: true,
      enabled: true,
      ephemeral: true,
      metadata: new Map(),
      instanceId: '10.0.0.1#8080#DEFAULT#DEFAULT_GROUP@@demo',
      app: 'DEFAULT',
    },
  });
});

test('a registration of the Java client is understood whole', () => {
  const sent =
    'app=orders&groupName=g&metadata=%7B%22zone%22%3A%22a%22%7D&namespaceId=dev&port=8080&enable=false&healthy=false' +
    '&clusterName=hz&ip=10.0.0.1&weight=0.5&ephemeral=false&serviceName=g%40%40demo&encoding=UTF-8';
  assert.deepEqual(decodeRegister(query(sent)), {
    service: { namespaceId: 'dev', name: 'g@@demo' },
    instance: {
      ip: '10.0.0.1',
      port: 8080,
      cluster: 'hz',
      weight: 0.5,
      healthy: false,
      enabled: false,
      ephemeral: false,
      metadata: new Map([['zone', 'a']]),
      instanceId: '10.0.0.1#8080#hz#g@@demo',
      app: 'orders',
    },
  });
});

test('registrations of the Python and Go clients are understood', () => {
  const python =
    'ip=10.0.0.1&port=8080&serviceName=demo&weight=1.0&enable=True&healthy=True&clusterName=None&ephemeral=False';
  assert.partialDeepStrictEqual(decodeRegister(query(python)).instance, {
    cluster: 'None',
    ephemeral: false,
    healthy: true,
    enabled: true,
  });
  const go = 'serviceName=DEFAULT_GROUP@@demo&ip=10.0.0.1&port=8080&weight=10&metadata=null&clusterName=&app=';
  assert.partialDeepStrictEqual(decodeRegister(query(go)).instance, { weight: 10, cluster: 'DEFAULT', app: 'DEFAULT' });
});

test('enabled wins over enable, and only the words of the reference are true', () => {
  const enabled = (parameters: Record<string, string>) =>
    decodeRegister(form({ ...ADDRESS, ...parameters })).instance.enabled;
  assert.equal(enabled({ enabled: 'false', enable: 'true' }), false);
  assert.equal(enabled({ enabled: ' ', enable: 'no' }), false);
  for (const word of ['true', 'ON', 'yes', 'Y', 't', 'True']) assert.equal(enabled({ enabled: word }), true, word);
  for (const word of ['1', 'enabled', 'tru', 'false']) assert.equal(enabled({ enabled: word }), false, word);
});

test('weights are what Java takes for a number, from 0 to 10000, and never tiny', () => {
  const weight = (text: string) => decodeRegister(form({ ...ADDRESS, weight: text })).instance.weight;
  const table: readonly (readonly [string, number])[] = [
    ['1', 1],
    ['0', 0],
    ['-0', 0],
    ['+2.', 2],
    ['.5', 0.5],
    ['1e3', 1000],
    ['10000', 10_000],
    ['1d', 1],
    ['2.5F', 2.5],
    ['0.001', 0.01],
    ['1e-300', 0.01],
    ['0.01', 0.01],
    [' 3 ', 3],
  ];
  for (const [text, value] of table) assert(Object.is(weight(text), value), text);
});

test('each broken parameter of a registration is refused in the words of the reference', () => {
  const range = 'instance format invalid: The weights range from 0.0 to 10000.0';
  const port = "Param 'port' is illegal, it should be from 1 to 65535";
  const table: readonly (readonly [Record<string, string>, string])[] = [
    [{ serviceName: '' }, "Param 'serviceName' is required."],
    [{ serviceName: 'a b' }, 'dom name can only have these characters: 0-9a-zA-Z-._:, current: DEFAULT_GROUP@@a b'],
    [{ groupName: 'g g' }, 'dom name can only have these characters: 0-9a-zA-Z-._:, current: g g@@demo'],
    [{ serviceName: '@@' }, "Param 'serviceName' is illegal, it should be format as 'groupName@@serviceName'"],
    [{ ip: '' }, "Param 'ip' is required."],
    [{ ip: '10.0.0.1\r\nx' }, "Param 'ip' is illegal, it must not contain control characters"],
    [{ ip: 'x'.repeat(256) }, "Param 'ip' is illegal, it is longer than 255 characters"],
    [{ port: '' }, "Param 'port' is required."],
    [{ port: '0' }, port],
    [{ port: '65536' }, port],
    [{ port: '-1' }, 'For input string: "-1"'],
    [{ port: '0x50' }, 'For input string: "0x50"'],
    [{ port: '80abc' }, 'For input string: "80abc"'],
    [{ port: '8e1' }, 'For input string: "8e1"'],
    [{ port: '80.0' }, 'For input string: "80.0"'],
    [{ port: '٨٠' }, 'For input string: "٨٠"'],
    [{ clusterName: 'a,b' }, 'cluster name can only have these characters: 0-9a-zA-Z-, current: a,b'],
    [{ cluster: 'a_b' }, 'cluster name can only have these characters: 0-9a-zA-Z-, current: a_b'],
    [{ weight: 'NaN' }, range],
    [{ weight: 'Infinity' }, range],
    [{ weight: '-Infinity' }, range],
    [{ weight: '1e999' }, range],
    [{ weight: '-0.1' }, range],
    [{ weight: '10000.1' }, range],
    [{ weight: 'heavy' }, 'For input string: "heavy"'],
    [{ weight: '0x10' }, 'For input string: "0x10"'],
    [{ weight: '1,5' }, 'For input string: "1,5"'],
    [{ metadata: 'a=b=c' }, 'metadata format incorrect:a=b=c'],
    [{ app: 'a\nb' }, "Param 'app' is illegal, it must not contain control characters"],
    [{ namespaceId: 'a##b' }, "Param 'namespaceId' is illegal, it must not contain '#'"],
    [
      { namespaceId: '名'.repeat(100), serviceName: 'x'.repeat(300), ip: 'i'.repeat(200) },
      'namespace, service, ip and cluster are longer than 700 bytes together',
    ],
  ];
  for (const [broken, message] of table) {
    const parameters = form({ ...ADDRESS, ...broken });
    const refusal = { name: 'ProtocolError', status: 400, message };
    assert.throws(() => decodeRegister(parameters), refusal, message);
    assert.throws(() => decodeUpdate(parameters, CURL), refusal, message);
  }
});

test('an update by a Java client must find its instance, by anybody else it registers', () => {
  assert.equal(decodeUpdate(form(ADDRESS), JAVA).mustExist, true);
  assert.equal(decodeUpdate(form(ADDRESS), CURL).mustExist, false);
  assert.equal(decodeUpdate(form(ADDRESS), parseAgent('Nacos-Server:1.4.8')).mustExist, false);
  assert.deepEqual(decodeUpdate(form(ADDRESS), CURL).instance, decodeRegister(form(ADDRESS)).instance);
});

test('an update by a Java client of a service that cannot exist is left to say that it does not', () => {
  assert.equal(decodeUpdate(form({ ...ADDRESS, serviceName: 'a b' }), JAVA).service.name, 'DEFAULT_GROUP@@a b');
});

test('a deregistration needs the address alone', () => {
  assert.deepEqual(decodeDeregister(form({ ...ADDRESS, cluster: 'hz', ephemeral: 'false', weight: 'x' })), {
    service: SERVICE,
    ip: '10.0.0.1',
    port: 8080,
    cluster: 'hz',
    ephemeral: false,
  });
  assert.throws(() => decodeDeregister(form({ serviceName: 'demo', port: '80' })), {
    message: "Param 'ip' is required.",
  });
  assert.throws(() => decodeDeregister(form({ ...ADDRESS, port: 'x' })), { message: 'For input string: "x"' });
});

test('a patch holds only what is given and not blank', () => {
  const address = { ip: '10.0.0.1', port: 8080, cluster: 'DEFAULT' };
  assert.deepEqual(decodePatch(form({ ...ADDRESS, metadata: ' ', weight: '' })), {
    service: SERVICE,
    ...address,
    changes: {},
  });
  const all = { metadata: 'a=1', app: 'orders', weight: '0', healthy: 'false', enabled: 'no' };
  assert.deepEqual(decodePatch(form({ ...ADDRESS, ...all })).changes, {
    metadata: new Map([['a', '1']]),
    app: 'orders',
    weight: 0,
    healthy: false,
    enabled: false,
  });
  assert.deepEqual(decodePatch(form({ ...ADDRESS, metadata: '{}' })).changes, { metadata: new Map() });
  assert.throws(() => decodePatch(form({ ...ADDRESS, weight: 'NaN' })), { status: 400 });
});

test('a question for one instance reads clusterName only', () => {
  const request = decodeInstanceRequest(form({ ...ADDRESS, cluster: 'hz' }));
  assert.deepEqual(request, { service: SERVICE, ip: '10.0.0.1', port: 8080, cluster: 'DEFAULT' });
  assert.equal(decodeInstanceRequest(form({ ...ADDRESS, clusterName: 'hz' })).cluster, 'hz');
});

test('a verdict on health has one of two parameters', () => {
  assert.equal(decodeHealth(form({ ...ADDRESS, healthy: 'true', valid: 'false' })).healthy, true);
  assert.equal(decodeHealth(form({ ...ADDRESS, valid: 'no' })).healthy, false);
  assert.throws(() => decodeHealth(form(ADDRESS)), { status: 400, message: "Param 'healthy' is required." });
});

test('one instance is written in the order of the reference', () => {
  const { instance } = decodeRegister(form({ ...ADDRESS, metadata: 'a=1', weight: '100' }));
  assert.equal(
    encodeInstance('DEFAULT_GROUP@@demo', instance),
    '{"service":"DEFAULT_GROUP@@demo","ip":"10.0.0.1","port":8080,"clusterName":"DEFAULT","weight":100.0,"healthy":true,' +
      '"instanceId":"10.0.0.1#8080#DEFAULT#DEFAULT_GROUP@@demo","metadata":{"a":"1"}}',
  );
  const odd: Instance = { ...instance, ip: 'a"b', metadata: new Map([['"', null]]) };
  assert.partialDeepStrictEqual(JSON.parse(encodeInstance('x', odd)), { ip: 'a"b', metadata: { '"': null } });
});

test('ids are simple unless metadata asks for numbers', () => {
  assert.equal(simpleInstanceId('g@@s', { ip: '::1', port: 80, cluster: 'c' }), '::1#80#c#g@@s');
  assert(wantsSnowflakeId(new Map([['preserved.instance.id.generator', 'SnowFlake']])));
  assert(!wantsSnowflakeId(new Map([['preserved.instance.id.generator', 'simple']])));
  assert(!wantsSnowflakeId(new Map([['preserved.instance.id.generator', null]])));
});

test('no parameters do more harm than a refusal', () => {
  const names = [
    'serviceName',
    'groupName',
    'namespaceId',
    'ip',
    'port',
    'clusterName',
    'cluster',
    'weight',
    'metadata',
  ];
  const more = [
    'beat',
    'selector',
    'clusters',
    'udpPort',
    'clientIP',
    'healthy',
    'protectThreshold',
    'pageNo',
    'pageSize',
  ];
  const pieces = fc.constantFrom(
    '@@',
    '##',
    '{',
    '}',
    '"ip":',
    '"a"',
    ',',
    ':',
    '=',
    '1',
    '0',
    '-',
    'NaN',
    '%',
    'x',
    ' ',
    '\0',
  );
  const value = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: pieces }),
    fc.json(),
    fc.double().map(String),
  );
  const sent = fc.dictionary(fc.constantFrom(...names, ...more), value);
  const likely = fc.record(
    { ip: fc.constant('h'), port: fc.constant('1'), serviceName: fc.constant('s') },
    { requiredKeys: [] },
  );
  const decoders: readonly ((form: Form) => unknown)[] = [
    decodeRegister,
    decodeDeregister,
    (parameters) => decodeUpdate(parameters, JAVA),
    decodePatch,
    decodeInstanceRequest,
    decodeHealth,
    decodeBeat,
    decodeList,
    decodeServiceList,
    decodeServiceName,
    decodeServiceCreation,
    decodeServiceUpdate,
  ];
  fc.assert(
    fc.property(sent, likely, (given, rest) => {
      for (const decode of decoders) {
        try {
          decode(form({ ...given, ...rest }));
        } catch (error) {
          assert(error instanceof ProtocolError && error.status === 400, String(error));
        }
      }
    }),
    { numRuns: 2000 },
  );
});
