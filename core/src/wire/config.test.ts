import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ProtocolError } from '../http/protocol-error.ts';
import { CONFIG_NOT_EXIST, contentMd5, decodePublish, decodeRead, decodeRemove, encodeRead } from './config.ts';
import { groupKey, parseGroupKey } from './config-key.ts';

type Fields = Readonly<Record<string, string>>;
const GOOD: Fields = { dataId: 'app.yaml', group: 'DEFAULT_GROUP', content: 'a: 1\r\n' };

test('a publish is decoded, what is left out keeps or clears as the reference does', () => {
  assert.deepEqual(publish(GOOD), {
    ...{ dataId: 'app.yaml', group: 'DEFAULT_GROUP', namespaceId: '', content: 'a: 1\r\n' },
    ...{ type: 'text', appName: undefined, tags: undefined, user: null },
    ...{ description: null, use: null, effect: null, schema: null },
  });
  const full = publish({
    ...{ ...GOOD, tenant: 'dev', type: 'yaml', appName: '', config_tags: 'a,,b,a,', desc: 'd', use: 'u' },
    ...{ effect: 'e', schema: 's', username: 'eve', encryptedDataKey: 'ignored', src_user: 'ignored' },
  });
  assert.deepEqual(
    [full.namespaceId, full.type, full.appName, full.tags, full.description, full.use, full.effect, full.schema],
    ['dev', 'yaml', '', ['a', 'b'], 'd', 'u', 'e', 's'],
  );
  assert.equal(full.user, 'eve');
  assert.deepEqual(publish({ ...GOOD, config_tags: '' }).tags, []);
});

test('an unknown type is silently text, and types are case-sensitive', () => {
  for (const type of ['YAML', 'toml', '', 'x'.repeat(33)]) assert.equal(publish({ ...GOOD, type }).type, 'text');
  for (const type of ['properties', 'xml', 'json', 'text', 'html', 'yaml', 'unset']) {
    assert.equal(publish({ ...GOOD, type }).type, type);
  }
});

test('names may have letters and digits of any script, dots and all, but nothing else', () => {
  for (const dataId of ['a', '配置.yaml', 'ça_va-1:2', '..', ' padded ', '٣', 'e\u0301'.normalize('NFC')]) {
    assert.equal(publish({ ...GOOD, dataId }).dataId, dataId);
  }
  for (const dataId of [
    '',
    ' ',
    'a/b',
    'a b',
    'a+b',
    '%2e',
    'a\u0000',
    '\u202e',
    '😀',
    '½',
    'e\u0301',
    '{}',
    '@@',
    '##',
  ]) {
    refused({ ...GOOD, dataId }, `caused: invalid dataId : ${dataId};`);
  }
  refused({ ...GOOD, group: ' G ' }, 'caused: invalid group :  G ;');
});

test('each bad parameter of a publish is refused with the text of the reference', () => {
  const table: readonly (readonly [Fields, string])[] = [
    [{ group: '' }, 'caused: invalid group : ;'],
    [{ content: '' }, 'caused: content is blank : ;'],
    [{ content: ' \r\n' }, 'caused: content is blank :  \r\n;'],
    [{ content: 'x'.repeat(10_485_761) }, 'caused: invalid content, over 10485760;'],
    [{ tenant: 'a/b' }, 'caused: invalid tenant;'],
    [{ tenant: 't'.repeat(129) }, 'caused: too long tag, over 128;'],
    [{ config_tags: 'a,b,c,d,e,f' }, 'caused: too much config_tags, over 5;'],
    [{ config_tags: 't'.repeat(65) }, 'caused: too long tag, over 64;'],
    [{ desc: 'd'.repeat(129) }, 'caused: too long desc, over 128;'],
    [{ use: 'u'.repeat(33) }, 'caused: too long use, over 32;'],
    [{ effect: 'e'.repeat(33) }, 'caused: too long effect, over 32;'],
    [{ schema: 's'.repeat(32_769) }, 'caused: too long schema, over 32768;'],
    [{ dataId: 'd'.repeat(256) }, 'caused: too long dataId, over 255;'],
    [{ group: 'g'.repeat(129) }, 'caused: too long group, over 128;'],
    [{ appName: 'a'.repeat(129) }, 'caused: too long appName, over 128;'],
  ];
  for (const [fault, text] of table) refused({ ...GOOD, ...fault }, text);
});

test('of several faults the namespace is told first, then data id, group and content', () => {
  refused({ dataId: '/', group: '/', content: '', tenant: '/' }, 'caused: invalid tenant;');
  refused({ dataId: '/', group: '/', content: '' }, 'caused: invalid dataId : /;');
  refused({ dataId: 'd', group: '/', content: '' }, 'caused: invalid group : /;');
});

test('a missing parameter is named, in the order of the reference', () => {
  const text = (name: string) =>
    `caused: Required request parameter '${name}' for method parameter type String is not present;`;
  refused({}, text('dataId'));
  refused({ dataId: 'd' }, text('group'));
  refused({ dataId: 'd', group: 'g', tenant: '/' }, text('content'));
  throwsText(() => decodeRead(form({ dataId: 'd' })), 400, text('group'));
  throwsText(() => decodeRemove(form({ group: 'd' })), 400, text('dataId'));
});

test('a publish for beta addresses or under a tag is told from a formal one, addresses first', () => {
  const of = (fields: Fields, betaips?: string) =>
    decodePublish(form({ ...GOOD, ...fields }), betaips === undefined ? {} : { betaips }).variant;
  assert.deepEqual(of({}, '10.0.0.1, 10.0.0.2'), { kind: 'beta', betaIps: '10.0.0.1, 10.0.0.2' });
  assert.deepEqual(of({ tag: 'gray' }), { kind: 'tag', tag: 'gray' });
  assert.deepEqual(of({ tag: 'gray' }, '10.0.0.1'), { kind: 'beta', betaIps: '10.0.0.1' });
  assert.equal(of({ tag: ' ' }, ' '), undefined);
  assert.equal('variant' in publish(GOOD), false);
});

test('a bad tag is refused wherever it comes, also beside beta addresses', () => {
  const key = { dataId: 'd', group: 'g' };
  for (const [tag, text] of [
    ['a/b', 'caused: invalid tag : a/b;'],
    ['t'.repeat(17), 'caused: too long tag, over 16;'],
  ] as const) {
    throwsText(() => decodePublish(form({ ...GOOD, tag }), { betaips: '10.0.0.1' }), 400, text);
    refused({ ...GOOD, tag, desc: 'd'.repeat(129) }, text);
    throwsText(() => decodeRead(form({ ...key, tag })), 400, text);
    throwsText(() => decodeRemove(form({ ...key, tag })), 400, text);
  }
  const long = { betaips: '1'.repeat(1_025) };
  throwsText(() => decodePublish(form(GOOD), long), 400, 'caused: too long betaIps, over 1024;');
});

test('a read and a removal may name a tag, a blank one is none', () => {
  const key = { dataId: 'd', group: 'g' };
  assert.equal(decodeRead(form({ ...key, tag: 'gray' })).tag, 'gray');
  assert.equal(decodeRead(form({ ...key, tag: ' ' })).tag, undefined);
  assert.equal(decodeRemove(form({ ...key, tag: 'gray' })).tag, 'gray');
  assert.equal('tag' in decodeRemove(form({ ...key, tag: '' })), false);
});

test('a condition on the md5 comes as a parameter or as the header of 2.x, and for formal configs only', () => {
  const md5 = contentMd5('one');
  const of = (fields: Fields, headers: Fields = {}) => decodePublish(form({ ...GOOD, ...fields }), headers);
  assert.equal(of({ casMd5: md5.toUpperCase() }).expectedMd5, md5);
  assert.equal(of({}, { casmd5: md5 }).expectedMd5, md5);
  assert.equal('expectedMd5' in of({ casMd5: ' ' }), false);
  throwsText(() => of({ casMd5: 'x' }), 400, 'caused: invalid casMd5;');
  const text = 'caused: casMd5 goes with neither betaIps nor tag;';
  throwsText(() => of({ casMd5: md5, tag: 't' }), 400, text);
  throwsText(() => of({ casMd5: md5 }, { betaips: '10.0.0.1' }), 400, text);
});

test('only a read knows public and null as names of the public namespace', () => {
  for (const tenant of ['', ' ', 'public', 'PUBLIC', 'null']) {
    assert.equal(decodeRead(form({ ...GOOD, tenant })).namespaceId, '');
  }
  assert.equal(publish({ ...GOOD, tenant: 'public' }).namespaceId, 'public');
  assert.equal(decodeRemove(form({ ...GOOD, tenant: 'public' })).namespaceId, 'public');
  assert.equal(publish({ ...GOOD, tenant: ' ' }).namespaceId, '');
});

test('a read answers the exact bytes with the headers that clients judge by', () => {
  const content = new TextEncoder().encode('\ufeffa: 1\r\n');
  const md5 = contentMd5(content);
  const answer = encodeRead({ md5, type: 'yaml', modifiedMs: Date.UTC(2026, 0, 31, 10, 6, 50) }, content);
  assert.equal(answer.status, 200);
  assert.equal(answer.body, content);
  assert.deepEqual(answer.headers, {
    'content-type': 'text/plain;charset=UTF-8',
    'content-md5': md5,
    'config-type': 'yaml',
    'last-modified': 'Sat, 31 Jan 2026 10:06:50 GMT',
    'x-content-type-options': 'nosniff',
    'content-security-policy': 'sandbox',
    pragma: 'no-cache',
    expires: 'Thu, 01 Jan 1970 00:00:00 GMT',
    'cache-control': 'no-cache,no-store',
  });
});

test('the content type follows the type of the config', () => {
  const table = [
    ['json', 'application/json;charset=UTF-8'],
    ['xml', 'application/xml;charset=UTF-8'],
    ['html', 'text/html;charset=UTF-8'],
    ['text', 'text/plain;charset=UTF-8'],
    ['properties', 'text/plain;charset=UTF-8'],
    ['unset', 'text/plain;charset=UTF-8'],
  ] as const;
  for (const [type, expected] of table) {
    const { headers } = encodeRead({ md5: '', type, modifiedMs: 0 }, new Uint8Array());
    assert.equal(headers?.['content-type'], expected);
    assert.equal(headers?.['config-type'], type);
  }
});

test('an absent config is 404 with a line end', () => {
  assert.equal(CONFIG_NOT_EXIST.status, 404);
  assert.equal(CONFIG_NOT_EXIST.body, 'config data not exist\n');
});

test('the md5 is over the UTF-8 bytes, of a text and of bytes alike', () => {
  assert.equal(contentMd5('hello'), '5d41402abc4b2a76b9719d911017c592');
  assert.equal(contentMd5(''), 'd41d8cd98f00b204e9800998ecf8427e');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      assert.equal(contentMd5(text), contentMd5(new TextEncoder().encode(text)));
    }),
  );
});

test('a group key leaves out the public namespace and escapes plus and percent only', () => {
  const table = [
    [{ dataId: 'd', group: 'g', namespaceId: '' }, 'd+g'],
    [{ dataId: 'd', group: 'g', namespaceId: 'n' }, 'd+g+n'],
    [{ dataId: 'a+b', group: 'c%d', namespaceId: '%2B' }, 'a%2Bb+c%25d+%252B'],
    [{ dataId: '配 置', group: '/', namespaceId: '' }, '配 置+/'],
  ] as const;
  for (const [key, text] of table) {
    assert.equal(groupKey(key), text);
    assert.deepEqual(parseGroupKey(text), key);
  }
  for (const text of ['', 'd', 'a+b+c+d', 'a%20+b', 'a%+b', 'a%2b+b']) {
    assert.throws(() => parseGroupKey(text), { message: `invalid groupkey:${text}` });
  }
});

test('every key survives its group key, and different keys have different ones', () => {
  const part = fc.string({ unit: fc.constantFrom('+', '%', '2', 'B', '5', 'a', '') });
  const key = fc.record({ dataId: part, group: part, namespaceId: part }, { noNullPrototype: true });
  fc.assert(
    fc.property(key, key, (a, b) => {
      assert.deepEqual(parseGroupKey(groupKey(a)), a);
      assert.equal(groupKey(a) === groupKey(b), JSON.stringify(a) === JSON.stringify(b));
    }),
  );
});

test('whatever the parameters, a publish is decoded or refused with a text, never worse', () => {
  const name = fc.constantFrom('dataId', 'group', 'content', 'tenant', 'tag', 'type', 'config_tags', 'desc', 'schema');
  fc.assert(
    fc.property(fc.dictionary(name, fc.string({ unit: 'binary', maxLength: 200 })), (fields) => {
      try {
        decodePublish(form(fields));
      } catch (error) {
        const { status, message } = error as ProtocolError;
        assert.equal(status, 400);
        assert.match(message, /^caused: .*;$/s);
      }
    }),
  );
});

function form(fields: Fields): ReadonlyMap<string, string> {
  return new Map(Object.entries(fields));
}

function publish(fields: Fields) {
  return decodePublish(form(fields));
}

function refused(fields: Fields, text: string): void {
  throwsText(() => publish(fields), 400, text);
}

function throwsText(run: () => unknown, status: number, message: string): void {
  assert.throws(run, { name: 'ProtocolError', status, message });
}
