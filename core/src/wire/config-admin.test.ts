import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Config } from '../model/config.ts';
import {
  configFactsJson,
  decodeHistorySearch,
  decodeId,
  decodeIds,
  decodeSearch,
  decodeSelection,
  encodePage,
  foundConfigJson,
  namespaceNamed,
  pastWriteJson,
  wholeConfigJson,
} from './config-admin.ts';

const form = (fields: Readonly<Record<string, string>>) => new Map(Object.entries(fields));
const search = (fields: Readonly<Record<string, string>>) =>
  decodeSearch(form({ dataId: '', group: '', pageNo: '1', pageSize: '10', ...fields }), 'blur');

test('a search: blank texts mean any, and a page has its bound', () => {
  const asked = { dataId: '*app*', group: ' ', tenant: 'dev', appName: 'shop', config_tags: 'a,b', pageSize: '9999' };
  assert.deepEqual(search(asked), {
    kind: 'blur',
    namespaceId: 'dev',
    pageNo: 1,
    pageSize: 500,
    dataId: '*app*',
    group: undefined,
    appName: 'shop',
    tags: ['a', 'b'],
  });
});

test('a search that makes no sense is refused with the text that clients know', () => {
  const page = 'caused: serialize page error, dataId=a, group=g;caused: pageNo and pageSize must be greater than zero;';
  const bad: readonly (readonly [Readonly<Record<string, string>>, string | RegExp])[] = [
    [{ dataId: 'a', group: 'g', pageNo: '0' }, page],
    [{ dataId: 'a', group: 'g', pageSize: '-1' }, page],
    [{ pageNo: 'x' }, 'caused: For input string: "x";'],
    [{ pageNo: '1.5' }, 'caused: For input string: "1.5";'],
    [{ pageNo: '2147483648' }, 'caused: For input string: "2147483648";'],
    [{ pageSize: '' }, 'caused: For input string: "";'],
    [{ dataId: '*'.repeat(257) }, 'caused: too long dataId, over 256;'],
    [{ tenant: 'a/b' }, 'caused: invalid tenant;'],
    [{ config_tags: 'a,b,c,d,e,f' }, /too much config_tags/],
  ];
  for (const [fields, message] of bad) assert.throws(() => search(fields), { status: 400, message });
  const missing = /^caused: Required request parameter 'pageNo' for method parameter type int is not present;$/;
  assert.throws(() => decodeSearch(form({ dataId: '', group: '' }), 'accurate'), { status: 400, message: missing });
});

test('ids are texts of digits, each once and not too many', () => {
  assert.deepEqual(decodeIds('1, 2,,2,9007199254740993,', 10), ['1', '2', '9007199254740993']);
  assert.deepEqual(decodeIds('', 10), []);
  assert.equal(decodeId('007'), '7');
  assert.throws(() => decodeIds('1,2,3', 2), { status: 400, message: 'caused: too many ids, over 2;' });
  for (const bad of ['x', '-1', '1.0', '0x1', '1 2', '9'.repeat(20)])
    assert.throws(() => decodeIds(bad, 9), { status: 400 });
});

test('an export names the public namespace in three ways', () => {
  for (const tenant of ['', ' ', 'public', 'NULL']) assert.equal(namespaceNamed(tenant), '');
  const selection = decodeSelection(form({ tenant: 'Public', ids: '', dataId: '*.yaml' }), 10);
  assert.deepEqual(selection, { ids: [], namespaceId: '', dataId: '*.yaml', group: undefined, appName: undefined });
});

test('history has pages of 100, of 500 at most', () => {
  const asked = (fields: Readonly<Record<string, string>>) =>
    decodeHistorySearch(form({ dataId: 'a', group: 'g', ...fields }));
  assert.deepEqual(asked({}), { dataId: 'a', group: 'g', namespaceId: '', pageNo: 1, pageSize: 100 });
  assert.equal(asked({ pageSize: '501' }).pageSize, 500);
  const message = 'caused: pageNo and pageSize must be greater than zero;';
  assert.throws(() => asked({ pageNo: '0' }), { status: 400, message });
  assert.throws(() => decodeHistorySearch(form({ dataId: 'a' })), { status: 400, message: /'group'/ });
});

const CONFIG: Config = {
  ...{ id: '9007199254740993', dataId: 'a.yaml', group: 'g', namespaceId: '', content: 'a: 1', md5: 'm', type: 'yaml' },
  ...{ appName: '', description: null, use: 'u', effect: null, schema: null, tags: ['x', 'y'] },
  ...{ createdMs: 5, modifiedMs: 7, sourceIp: '10.0.0.1', sourceUser: null },
};

test('the fields of each answer stand in the order of the reference, absent ones as null', () => {
  assert.equal(
    JSON.stringify(wholeConfigJson(CONFIG)),
    '{"id":"9007199254740993","dataId":"a.yaml","group":"g","content":"a: 1","md5":"m","tenant":"","appName":"",' +
      '"type":"yaml","createTime":7,"modifyTime":7,"createUser":null,"createIp":"10.0.0.1","desc":null,"use":"u",' +
      '"effect":null,"schema":null,"configTags":"x,y"}',
  );
  assert.equal(
    JSON.stringify(configFactsJson({ ...CONFIG, tags: [] })),
    '{"createTime":7,"modifyTime":7,"createUser":null,"createIp":"10.0.0.1","desc":null,"use":"u","effect":null,' +
      '"type":"yaml","schema":null,"configTags":null}',
  );
  assert.equal(
    JSON.stringify(foundConfigJson(CONFIG, { kind: 'accurate', tags: [] })),
    '{"id":"9007199254740993","dataId":"a.yaml","group":"g","content":"a: 1","md5":null,"tenant":"","appName":"",' +
      '"type":"yaml"}',
  );
  assert.equal(foundConfigJson(CONFIG, { kind: 'blur', tags: [] }).type, null);
  assert.equal(foundConfigJson(CONFIG, { kind: 'accurate', tags: ['x'] }).type, null);
});

test('a page tells how many there are, also one beyond the end', () => {
  assert.equal(
    encodePage([], 21, { pageNo: 9, pageSize: 10 }).body,
    '{"totalCount":21,"pageNumber":9,"pagesAvailable":3,"pageItems":[]}',
  );
});

test('a past write has its time with milliseconds and zone', () => {
  const past = {
    ...{ nid: '3', dataId: 'a', group: 'g', namespaceId: '', operation: 'U', appName: '', sourceIp: '10.0.0.1' },
    ...{ sourceUser: null, atMs: Date.UTC(2026, 0, 31, 10, 6, 50) },
  };
  const times = '"createdTime":"2026-01-31T10:06:50.000+00:00","lastModifiedTime":"2026-01-31T10:06:50.000+00:00"}';
  const head = '{"id":"3","lastId":-1,"dataId":"a","group":"g","tenant":"","appName":""';
  const tail = `"srcIp":"10.0.0.1","srcUser":null,"opType":"U",${times}`;
  assert.equal(JSON.stringify(pastWriteJson(past)), `${head},"md5":null,"content":null,${tail}`);
  assert.equal(
    JSON.stringify(pastWriteJson(past, { md5: 'm', content: 'c' })),
    `${head},"md5":"m","content":"c",${tail}`,
  );
});
