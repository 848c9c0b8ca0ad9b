import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Form } from '../http/route.ts';
import { BEAT_CHARS_MAX, beatIntervalMs, decodeBeat, encodeBeatAnswer, encodeUnknownBeat } from './naming-beat.ts';
import { METADATA_BYTES_MAX } from './naming-metadata.ts';

const SERVICE = { namespaceId: 'public', name: 'DEFAULT_GROUP@@demo' };

function form(parameters: Record<string, string>): Form {
  return new Map(Object.entries({ serviceName: 'DEFAULT_GROUP@@demo', ...parameters }));
}

function beat(fields: Record<string, unknown>, parameters: Record<string, string> = {}) {
  return decodeBeat(form({ ...parameters, beat: JSON.stringify({ ip: '10.0.0.1', port: 8080, ...fields }) }));
}

test('a light beat has an address and nothing to register', () => {
  assert.deepEqual(decodeBeat(form({ ip: '10.0.0.1', port: '8080', clusterName: 'hz' })), {
    service: SERVICE,
    ip: '10.0.0.1',
    port: 8080,
    cluster: 'hz',
  });
  const nothing = { service: SERVICE, ip: '', port: 0, cluster: 'DEFAULT' };
  assert.deepEqual(decodeBeat(form({})), nothing);
  assert.deepEqual(decodeBeat(form({ beat: ' ' })), nothing);
  assert.deepEqual(decodeBeat(form({ beat: 'null' })), nothing);
});

test('a beat of the Java client registers what it says', () => {
  const text =
    '{"port":80,"ip":"1.1.1.1","weight":1.0,"serviceName":"DEFAULT_GROUP@@demo","cluster":"hz",' +
    '"metadata":{"zone":"a"},"scheduled":false,"period":5000,"stopped":false}';
  assert.deepEqual(decodeBeat(form({ beat: text, ip: '9.9.9.9', port: '9', clusterName: 'other' })), {
    service: SERVICE,
    ip: '1.1.1.1',
    port: 80,
    cluster: 'hz',
    instance: {
      ip: '1.1.1.1',
      port: 80,
      cluster: 'hz',
      weight: 1,
      healthy: true,
      enabled: true,
      ephemeral: true,
      metadata: new Map([['zone', 'a']]),
      instanceId: '1.1.1.1#80#hz#DEFAULT_GROUP@@demo',
      app: 'DEFAULT',
    },
  });
});

test('what a beat leaves out has the defaults of the reference', () => {
  const { cluster, instance } = beat({ cluster: ' ', metadata: null }, { clusterName: 'hz' });
  assert.equal(cluster, 'hz');
  assert.partialDeepStrictEqual(instance, { weight: 0, ephemeral: true, metadata: new Map() });
  assert.equal(beat({}).cluster, 'DEFAULT');
});

test('values of a beat may be written as texts', () => {
  const { instance } = beat({ port: '80', weight: '0.5', ephemeral: 'False' });
  assert.partialDeepStrictEqual(instance, { port: 80, weight: 0.5, ephemeral: false });
});

test('numbers in the metadata of a beat stay as they are written', () => {
  const text = '{"ip":"h","port":80,"weight":0.001,"metadata":{"a":1.50,"b":true,"c":null}}';
  const { instance } = decodeBeat(form({ beat: text }));
  assert.deepEqual(
    [...(instance?.metadata ?? [])],
    [
      ['a', '1.50'],
      ['b', 'true'],
      ['c', null],
    ],
  );
  assert.equal(instance?.weight, 0.01);
});

test('each broken part of a beat is refused', () => {
  const port = "Param 'port' is illegal, it should be from 1 to 65535";
  const range = 'instance format invalid: The weights range from 0.0 to 10000.0';
  const metadata = 'beat format incorrect: metadata is no object of plain values';
  const fields: readonly (readonly [Record<string, unknown>, string])[] = [
    [{ ip: undefined }, "Param 'ip' is required."],
    [{ ip: ' ' }, "Param 'ip' is required."],
    [{ ip: 1 }, 'beat format incorrect: ip is no text'],
    [{ ip: 'a\nb' }, "Param 'ip' is illegal, it must not contain control characters"],
    [{ ip: '\ud800' }, "Param 'ip' is illegal, it must not contain control characters"],
    [{ port: undefined }, port],
    [{ port: 0 }, port],
    [{ port: 65536 }, port],
    [{ port: -1 }, 'For input string: "-1"'],
    [{ port: 80.5 }, 'For input string: "80.5"'],
    [{ port: 1e21 }, 'For input string: "1e+21"'],
    [{ port: '80abc' }, 'For input string: "80abc"'],
    [{ port: [80] }, 'beat format incorrect: port is no number'],
    [{ cluster: 'a_b' }, 'cluster name can only have these characters: 0-9a-zA-Z-, current: a_b'],
    [{ cluster: {} }, 'beat format incorrect: cluster is no text'],
    [{ weight: -1 }, range],
    [{ weight: 10_001 }, range],
    [{ weight: 'NaN' }, range],
    [{ weight: 'x' }, 'For input string: "x"'],
    [{ weight: true }, 'beat format incorrect: weight is no number'],
    [{ ephemeral: 'maybe' }, 'beat format incorrect: ephemeral is neither true nor false'],
    [{ ephemeral: 1 }, 'beat format incorrect: ephemeral is neither true nor false'],
    [{ metadata: 'a=1' }, metadata],
    [{ metadata: ['a'] }, metadata],
    [{ metadata: { a: {} } }, metadata],
    [{ metadata: { a: 1, b: [] } }, metadata],
    [{ metadata: { a: '\ud800' } }, 'metadata format incorrect: it has half of a surrogate pair'],
    [{ metadata: { a: 'x'.repeat(METADATA_BYTES_MAX) } }, `metadata is larger than ${METADATA_BYTES_MAX} bytes`],
  ];
  for (const [broken, message] of fields) {
    assert.throws(() => beat(broken), { name: 'ProtocolError', status: 400, message }, message);
  }
  const whole: readonly (readonly [Record<string, string>, string])[] = [
    [{ beat: '{' }, 'beat format incorrect: it is no JSON object'],
    [{ beat: '[]' }, 'beat format incorrect: it is no JSON object'],
    [{ beat: '1' }, 'beat format incorrect: it is no JSON object'],
    [
      { beat: ' '.repeat(5) + 'x'.repeat(BEAT_CHARS_MAX + 1) },
      `beat format incorrect: it is longer than ${BEAT_CHARS_MAX} characters`,
    ],
    [{ beat: '{"ip":"h","port":1,"weight":1e999}' }, range],
    [{ serviceName: '' }, "Param 'serviceName' is required."],
    [
      { serviceName: 'a b', beat: '{"ip":"h","port":1}' },
      'dom name can only have these characters: 0-9a-zA-Z-._:, current: DEFAULT_GROUP@@a b',
    ],
    [{ port: '65536' }, "Param 'port' is illegal, it should be from 0 to 65535"],
    [{ port: 'x' }, 'For input string: "x"'],
    [{ clusterName: 'a_b' }, 'cluster name can only have these characters: 0-9a-zA-Z-, current: a_b'],
  ];
  for (const [broken, message] of whole) {
    assert.throws(() => decodeBeat(form(broken)), { name: 'ProtocolError', status: 400, message }, message);
  }
});

test('the nesting of a beat cannot exhaust the stack', () => {
  const nested = `${'{"metadata":'.repeat(6000)}1${'}'.repeat(6000)}`;
  const beside = `{"ip":"h","port":1,"metadata":{"a":1},"x":${'['.repeat(30_000)}${']'.repeat(30_000)}}`;
  for (const text of [nested, beside]) {
    const refusal = { name: 'ProtocolError', status: 400, message: 'beat format incorrect: it is no JSON object' };
    assert.throws(() => decodeBeat(form({ beat: text })), refusal);
  }
  const brackets = `{"ip":"h","port":1,"metadata":{"a":"\\"${'['.repeat(100)}"}}`;
  assert.equal(decodeBeat(form({ beat: brackets })).instance?.metadata.get('a'), `"${'['.repeat(100)}`);
});

test('beats are answered in the words of the reference', () => {
  assert.equal(encodeBeatAnswer(5000, true), '{"clientBeatInterval":5000,"code":10200,"lightBeatEnabled":true}');
  assert.equal(encodeBeatAnswer(900, false), '{"clientBeatInterval":900,"code":10200,"lightBeatEnabled":false}');
  assert.equal(encodeUnknownBeat(5000), '{"clientBeatInterval":5000,"code":20404}');
});

test('the interval is what the metadata says in digits, else five seconds', () => {
  assert.equal(beatIntervalMs(new Map()), 5000);
  assert.equal(beatIntervalMs(new Map([['preserved.heart.beat.interval', '1000']])), 1000);
  assert.equal(beatIntervalMs(new Map([['preserved.heart.beat.interval', '1s']])), 5000);
});
