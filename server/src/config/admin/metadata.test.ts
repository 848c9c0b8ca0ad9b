import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { appNameKey, parseMetadataV1, parseMetadataV2, writeMetadataV2 } from './metadata.ts';

test('the first version: lines of any kind of end, each with one equals sign', () => {
  const names = parseMetadataV1('g.app~yaml.app=shop\r\ng.plain.app=other\n\n');
  assert.deepEqual(Object.fromEntries(names!), { 'g.app~yaml.app': 'shop', 'g.plain.app': 'other' });
  assert.equal(parseMetadataV1('')?.size, 0);
  for (const bad of ['a', 'a=', '=b', 'a=b=c', 'a=b\r\nc']) {
    assert.equal(parseMetadataV1(bad), undefined, bad);
  }
});

test('the key of an application name has a tilde for the last dot of the data id', () => {
  assert.equal(appNameKey({ group: 'g.h', dataId: 'a.b.yaml' }), 'g.h.a.b~yaml.app');
  assert.equal(appNameKey({ group: 'g', dataId: 'plain' }), 'g.plain.app');
});

test('the second version is written with its keys in order, and those without value left out', () => {
  const one = { dataId: 'a.yaml', group: 'g', type: 'yaml', description: 'what: it is', appName: 'shop' };
  const two = { dataId: '123', group: 'true', type: 'text', description: undefined, appName: undefined };
  assert.equal(
    writeMetadataV2([one, two]),
    'metadata:\n' +
      "- appName: shop\n  dataId: a.yaml\n  desc: 'what: it is'\n  group: g\n  type: yaml\n" +
      "- dataId: '123'\n  group: 'true'\n  type: text\n",
  );
});

test('any metadata that is written comes back', () => {
  const text = fc
    .string({ unit: 'grapheme', minLength: 1 })
    .filter((one) => one.trim() !== '' && !/[\x00-\x1f\x7f-\x9f]/.test(one));
  const fields = {
    dataId: text,
    group: text,
    type: fc.constantFrom('yaml', 'text'),
    description: fc.option(text, { nil: undefined }),
    appName: fc.option(text, { nil: undefined }),
  };
  const item = fc.record(fields, { noNullPrototype: true });
  const items = fc.uniqueArray(item, { minLength: 1, selector: (one) => `${one.group}/${one.dataId}` });
  fc.assert(fc.property(items, (some) => assert.deepEqual(parseMetadataV2(writeMetadataV2(some)), some)));
});

test('metadata that others write is read as texts, whatever they look like', () => {
  const read = parseMetadataV2('metadata:\n  - {dataId: 0123, group: yes, type: text, desc: ~, extra: [1]}\n');
  assert.deepEqual(read, [{ dataId: '0123', group: 'yes', type: 'text', description: '~', appName: undefined }]);
});

test('metadata that is none, says too little or too much, is refused', () => {
  const bomb =
    'a: &a [x,x,x,x,x,x,x,x,x]\n' +
    Array.from({ length: 9 }, (_, n) => {
      const [from, to] = [String.fromCharCode(97 + n), String.fromCharCode(98 + n)];
      return `${to}: &${to} [${Array(9).fill(`*${from}`).join(',')}]\n`;
    }).join('') +
    'metadata: *j\n';
  const good = '- {dataId: a, group: g, type: text}\n';
  const bad = [
    '',
    'metadata',
    'metadata:\n',
    'metadata: []\n',
    'metadata: {a: b}\n',
    '[]',
    'metadata:\n- {dataId: a, group: g}\n',
    'metadata:\n- {dataId: a, group: g, type: ""}\n',
    'metadata:\n- {dataId: a, group: [g], type: text}\n',
    'metadata:\n- text\n',
    `metadata:\n${good}${good}`,
    'metadata:\n- &a {dataId: a, group: g, type: text}\n- *a\n',
    `metadata:\n- {dataId: a, group: g, type: text, desc: ${'['.repeat(1_000)}}\n`,
    'metadata: !!javax.script.ScriptEngineManager [!!java.net.URL ["http://127.0.0.1/"]]\n',
    `metadata:\n${good}---\nmetadata:\n${good}`,
    `m\0e\0t\0a\0:\0`,
    bomb,
  ];
  for (const text of bad) assert.equal(parseMetadataV2(text), undefined, JSON.stringify(text).slice(0, 80));
});
