import assert from 'node:assert/strict';
import { test } from 'node:test';
import { strFromU8, unzipSync } from 'fflate';
import { formWith, startAdminNode } from '../../testing/config-admin-node.ts';
import { LINK_MODE, type TestEntry, zipOf } from './archive-for-tests.ts';
import { METADATA_BYTES_MAX } from './metadata.ts';

const answer = ({ text }: { readonly text: string }) => JSON.parse(text);
const files = (body: Uint8Array) =>
  Object.entries(unzipSync(body)).map(([name, content]) => [name, strFromU8(content)]);

async function nodeWithConfigs() {
  const node = await startAdminNode();
  await node.publish({ dataId: 'a.b.yaml', content: 'a: 1', type: 'yaml', appName: 'shop', desc: 'first' });
  await node.publish({ dataId: '配置', content: '内容\r\n' });
  await node.publish({ dataId: 'a', content: 'x', tenant: 'dev' });
  return node;
}

test('the first version of an export has lines for those with an application', async () => {
  const { bytes } = await nodeWithConfigs();
  const exported = await bytes('cs/configs', { export: 'true', ids: '', tenant: 'public' });
  assert.equal(exported.status, 200);
  assert.match(exported.headers!['content-disposition']!, /^attachment;filename=nacos_config_export_\d{14}\.zip$/);
  assert.deepEqual(files(exported.body), [
    ['g/a.b.yaml', 'a: 1'],
    ['g/配置', '内容\r\n'],
    ['.meta.yml', 'g.a.b~yaml.app=shop\r\n'],
  ]);
  const dev = await bytes('cs/configs', { export: 'true', tenant: 'dev' });
  assert.deepEqual(files(dev.body), [['g/a', 'x']]);
});

test('the second version has metadata of all, and takes a choice', async () => {
  const { bytes, found } = await nodeWithConfigs();
  const exported = await bytes('cs/configs', { exportV2: 'true', ids: '' });
  assert.deepEqual(files(exported.body)[2], [
    '.metadata.yml',
    'metadata:\n- appName: shop\n  dataId: a.b.yaml\n  desc: first\n  group: g\n  type: yaml\n' +
      "- appName: ''\n  dataId: 配置\n  group: g\n  type: text\n",
  ]);
  const select = async (query: Readonly<Record<string, string>>) =>
    files((await bytes('cs/configs', { export: 'true', ids: '', ...query })).body).map(([name]) => name);
  assert.deepEqual(await select({ dataId: '*yaml' }), ['g/a.b.yaml', '.meta.yml']);
  assert.deepEqual(await select({ appName: 'shop', group: 'g' }), ['g/a.b.yaml', '.meta.yml']);
  assert.deepEqual(await select({ group: 'h' }), []);
  const { id } = (await found()).pageItems[1]!;
  assert.deepEqual(await select({ ids: `${id},424242` }), ['g/配置']);
});

test('large contents go out and come in, in more than one turn', async () => {
  const content = noisyText(3 * 1024 * 1024);
  const { bytes, publish, upload, read } = await startAdminNode();
  for (const dataId of ['a', 'b']) await publish({ dataId, content });
  const { body } = await bytes('cs/configs', { exportV2: 'true', ids: '' });
  assert.equal(answer(await upload(body, { policy: 'OVERWRITE' })).data.succCount, 2);
  assert.equal((await read('b')).length, content.length);
});

test('exports that cannot be made are refused', async () => {
  const { ask, publish } = await startAdminNode();
  assert.equal((await ask('GET', 'cs/configs', { export: 'true', ids: '1,x' })).status, 400);
  assert.equal((await ask('GET', 'cs/configs', { export: 'true', tenant: 'a/b' })).status, 400);
  await publish({ dataId: 'passwd', group: '..', content: 'x' });
  const climbing = await ask('GET', 'cs/configs', { export: 'true', ids: '' });
  assert.equal(climbing.status, 400);
  assert.match(climbing.text, /'\.\.\/passwd' leads out/);
});

test('what one node exports another imports, in both versions', async () => {
  const source = await nodeWithConfigs();
  for (const version of ['export', 'exportV2']) {
    const { body } = await source.bytes('cs/configs', { [version]: 'true', ids: '' });
    const target = await startAdminNode();
    const imported = answer(await target.upload(body, { src_user: 'ann' }));
    assert.deepEqual(imported, { code: 200, message: '导入成功', data: { succCount: 2, skipCount: 0 } });
    assert.deepEqual([await target.read('a.b.yaml'), await target.read('配置')], ['a: 1', '内容\r\n']);
    const shown = answer(await target.ask('GET', 'cs/configs', { show: 'all', dataId: 'a.b.yaml', group: 'g' }));
    assert.deepEqual([shown.type, shown.appName, shown.createUser], ['yaml', 'shop', 'ann']);
    assert.equal(shown.desc, version === 'export' ? null : 'first');
  }
});

const THREE = zipOf(['a.json', 'b.yml', 'c'].map((dataId) => ({ name: `g/${dataId}`, content: 'new' })));

test('each policy has its own way with what is there', async () => {
  const run = async (policy: string) => {
    const node = await startAdminNode();
    await node.publish({ dataId: 'b.yml', content: 'old' });
    const { data } = answer(await node.upload(THREE, policy === '' ? {} : { policy }));
    return { data, contents: [await node.read('a.json'), await node.read('b.yml'), await node.read('c')] };
  };
  const missing = 'config data not exist\n';
  const one = (dataId: string) => ({ dataId, group: 'g' });
  const aborted = {
    data: { succCount: 1, skipCount: 0, failData: [one('b.yml')], skipData: [one('c')] },
    contents: ['new', 'old', missing],
  };
  assert.deepEqual(await run('ABORT'), aborted);
  assert.deepEqual(await run(''), aborted);
  assert.deepEqual(await run('SKIP'), {
    data: { succCount: 2, skipCount: 1, skipData: [one('b.yml')] },
    contents: ['new', 'old', 'new'],
  });
  assert.deepEqual(await run('OVERWRITE'), { data: { succCount: 3, skipCount: 0 }, contents: ['new', 'new', 'new'] });
});

test('an import wakes who listens, and the type of the content comes from the name', async () => {
  const { host, ask, upload } = await startAdminNode();
  const held = host.network.ask(8848, '/nacos/v1/cs/configs/listener', 'POST', {
    headers: { 'long-pulling-timeout': '30000' },
    form: `Listening-Configs=${encodeURIComponent('b.yml\u0002g\u0002\u0001')}`,
  });
  await host.advance(100);
  await upload(THREE);
  assert.equal((await held).body, 'b.yml%02g%01\n');
  const typeOf = async (dataId: string) =>
    answer(await ask('GET', 'cs/configs', { show: 'all', dataId, group: 'g' })).type;
  assert.deepEqual([await typeOf('a.json'), await typeOf('b.yml'), await typeOf('c')], ['json', 'yaml', 'text']);
});

test('an import into a namespace needs one that is there', async () => {
  const { ask, upload, read } = await startAdminNode();
  assert.equal((await upload(THREE, { namespace: 'dev' })).text, failed(100001, '目标 namespace 不存在'));
  const made = { form: 'customNamespaceId=dev&namespaceName=dev&namespaceDesc=d' };
  assert.equal((await ask('POST', 'console/namespaces', {}, made)).text, 'true');
  assert.equal(answer(await upload(THREE, { namespace: 'dev' })).data.succCount, 3);
  assert.equal(await read('c', 'dev'), 'new');
  for (const namespace of ['public', 'null', '']) {
    assert.equal(answer(await upload(THREE, { namespace, policy: 'OVERWRITE' })).data.succCount, 3);
  }
});

test('fields of the form are parameters too', async () => {
  const { ask } = await startAdminNode();
  const form = formWith(THREE, { import: 'true', policy: 'SKIP' });
  assert.equal(answer(await ask('POST', 'cs/configs', {}, form)).data.succCount, 3);
  assert.equal(answer(await ask('POST', 'cs/configs', {}, form)).data.skipCount, 3);
});

const META = 'metadata:\n- {dataId: a, group: g, type: json, desc: d}\n- {dataId: gone, group: g, type: text}\n';

test('what is in one of file and metadata only is told, and the rest imported', async () => {
  const { ask, upload } = await startAdminNode();
  const file = zipOf([
    { name: 'readme' },
    { name: 'g/a', content: '{}' },
    { name: 'g/other', content: 'x' },
    { name: 'deep/er/file', content: 'x' },
    { name: '.metadata.yml', content: META },
  ]);
  const { data } = answer(await upload(file));
  assert.deepEqual(data, {
    ...{ succCount: 1, skipCount: 0, unrecognizedCount: 4 },
    unrecognizedData: [
      { itemName: 'readme' },
      { itemName: '未在元数据中找到: g/other' },
      { itemName: 'deep/er/file' },
      { itemName: '未在文件中找到: g/gone' },
    ],
  });
  const shown = answer(await ask('GET', 'cs/configs', { show: 'all', dataId: 'a', group: 'g' }));
  assert.deepEqual([shown.type, shown.desc], ['json', 'd']);
});

const failed = (code: number, message: string, data = '{"succCount":0}') =>
  `{"code":${code},"message":"${message}","data":${data}}`;

test('each failure of an import that the console knows has its code, and nothing is stored', async () => {
  const { ask, upload, found } = await startAdminNode();
  const nothing = failed(100005, '导入的文件数据为空');
  const illegal = failed(100002, '导入的元数据非法');
  const metadata = (content: string | Uint8Array, name = '.metadata.yml') =>
    zipOf([
      { name, content },
      { name: 'g/a', content: 'x' },
    ]);
  assert.equal((await ask('POST', 'cs/configs', { import: 'true' })).text, failed(100005, '导入的文件数据为空', '{}'));
  assert.equal((await upload(Buffer.from('no archive'))).text, nothing);
  assert.equal((await upload(Buffer.alloc(0))).text, nothing);
  assert.equal((await upload(zipOf([]))).text, nothing);
  assert.equal((await upload(zipOf([{ name: 'readme', content: 'x' }]))).text, nothing);
  assert.equal((await upload(THREE.subarray(0, THREE.length - 30))).text, failed(100004, '解析数据失败'));
  assert.equal((await upload(zipOf([{ name: 'g/a', content: 'x', crc: 7 }]))).text, failed(100004, '解析数据失败'));
  assert.equal((await upload(metadata('metadata: []'))).text, illegal);
  assert.equal((await upload(metadata('metadata:\n- {dataId: a, group: g}\n'))).text, illegal);
  assert.equal((await upload(metadata('a: &a [x]\nmetadata: [*a, *a]\n'))).text, illegal);
  assert.equal((await upload(metadata(Buffer.from(META, 'utf16le')))).text, illegal);
  assert.equal(
    (await upload(metadata(Buffer.concat([Buffer.of(0xff, 0xfe), Buffer.from(META, 'utf16le')])))).text,
    illegal,
  );
  assert.equal((await upload(metadata('g.a.app', '.meta.yml'))).text, illegal);
  assert.equal((await upload(metadata('g.a.app=b=c', '.meta.yml'))).text, illegal);
  assert.equal((await found()).totalCount, 0);
});

test('an archive that means harm is a 400, and nothing is stored', async () => {
  const { upload, found } = await startAdminNode();
  const bomb = Buffer.alloc(9 * 1024 * 1024);
  const good: TestEntry = { name: 'g/a', content: 'x' };
  const bad: readonly (readonly [RegExp, readonly TestEntry[]])[] = [
    [/leads out/, [good, { name: '../../etc/passwd', content: 'x' }]],
    [/leads out/, [good, { name: '/etc/passwd', content: 'x' }]],
    [/link/, [good, { name: 'g/b', content: '/etc/passwd', mode: LINK_MODE }]],
    [/twice/, [good, good]],
    [/times its size/, [good, { name: 'g/b', content: bomb }]],
    [/1001 entries/, Array.from({ length: 1_001 }, (_, n) => ({ name: `g/${n}`, content: 'x' }))],
    [/metadata is over/, [good, { name: '.meta.yml', content: noisyText(METADATA_BYTES_MAX + 1) }]],
    [/not UTF-8/, [good, { name: 'g/b', content: Buffer.from('text', 'utf16le') }]],
    [/not UTF-8/, [good, { name: 'g/b', content: Buffer.of(0xff, 0xfe, 0x61) }]],
    [/invalid dataId : a b \(g\/a b; nothing was stored\)/, [good, { name: 'g/a b', content: 'x' }]],
    [/invalid group : g@h/, [good, { name: 'g@h/a', content: 'x' }]],
    [/content is blank/, [good, { name: 'g/b', content: ' \n' }]],
    [/too long dataId/, [good, { name: `g/${'x'.repeat(256)}`, content: 'x' }]],
  ];
  for (const [message, entries] of bad) {
    const answer = await upload(zipOf(entries));
    assert.equal(answer.status, 400, `${message}: ${answer.status} ${answer.text}`);
    assert.match(answer.text, message);
    assert.doesNotMatch(answer.text, /\n\s+at /);
    assert.equal((await found()).totalCount, 0, String(message));
  }
  assert.equal(answer(await upload(zipOf([good]))).data.succCount, 1);
});

function noisyText(length: number): string {
  let seed = 1;
  return Array.from({ length }, () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) | 0;
    return String.fromCharCode(97 + ((seed >>> 24) % 26));
  }).join('');
}

test('a form that is none, a file that is too large and a policy that is unknown are refused', async () => {
  const { ask, upload, found } = await startAdminNode();
  const send = (type: string, body: string) =>
    ask('POST', 'cs/configs', { import: 'true' }, { headers: { 'content-type': type }, body });
  assert.equal((await send('multipart/form-data', '--b--')).status, 400);
  assert.equal((await send('multipart/form-data; boundary=b', 'nothing')).status, 400);
  assert.equal((await upload(Buffer.alloc(10 * 1024 * 1024 + 1))).status, 413);
  assert.equal((await upload(THREE, { policy: 'MERGE' })).status, 400);
  assert.equal((await upload(THREE, { namespace: 'a/b' })).status, 400);
  assert.equal((await upload(THREE, { src_user: 'x'.repeat(200) })).status, 400);
  assert.equal((await found()).totalCount, 0);
});

test('a clone copies content, type, description and application under the old or a new name', async () => {
  const { ask, publish, found, read } = await startAdminNode();
  await publish({ dataId: 'a.yaml', content: 'a: 1', type: 'yaml', appName: 'shop', desc: 'first', config_tags: 'x' });
  await publish({ dataId: 'b', content: 'b' });
  const [one, two] = (await found()).pageItems;
  const clone = (body: unknown, query = {}) =>
    ask('POST', 'cs/configs', { clone: 'true', tenant: '', ...query }, json(body));
  const body = [{ cfgId: one!.id, dataId: 'copy.yaml', group: ' ' }, { cfgId: Number(two!.id), group: 'h' }, null];
  const done = answer(await clone(body));
  assert.deepEqual(done, {
    ...{ code: 200, message: 'Clone Completed Successfully' },
    data: { succCount: 2, skipCount: 0 },
  });
  assert.equal(await read('copy.yaml'), 'a: 1');
  const shown = answer(await ask('GET', 'cs/configs', { show: 'all', dataId: 'copy.yaml', group: 'g' }));
  const { type, appName, desc, configTags } = shown;
  assert.deepEqual([type, appName, desc, configTags], ['yaml', 'shop', 'first', null]);
  assert.deepEqual(answer(await clone([{ cfgId: one!.id }])).data.failData, [{ dataId: 'a.yaml', group: 'g' }]);
  assert.equal(answer(await clone([{ cfgId: one!.id }], { policy: 'SKIP' })).data.skipCount, 1);
});

const json = (body: unknown) => ({
  headers: { 'content-type': 'application/json' },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

test('clones that make no sense are told so, and nothing is stored', async () => {
  const { ask, publish, found } = await startAdminNode();
  await publish({ dataId: 'a', content: 'a' });
  const { id } = (await found()).pageItems[0]!;
  const clone = (body: unknown, query: Readonly<Record<string, string>> = { tenant: '' }) =>
    ask('POST', 'cs/configs', { clone: 'true', ...query }, json(body));
  assert.equal((await clone([])).text, failed(100006, '没有选择任何配置'));
  assert.equal((await clone([{ cfgId: '424242' }])).text, failed(100005, '导入的文件数据为空'));
  assert.equal((await clone([{ cfgId: id }], { tenant: 'dev' })).text, failed(100001, '目标 namespace 不存在'));
  for (const bad of [
    '',
    '{',
    '{}',
    '"text"',
    [7],
    [[]],
    [{}],
    [{ cfgId: null }],
    [{ cfgId: {} }],
    [{ cfgId: 1.5 }],
    [{ cfgId: 2 ** 60 }],
    [{ cfgId: 'x' }],
    [{ cfgId: id, dataId: 7 }],
    [{ cfgId: id, dataId: 'a/b' }],
    [{ cfgId: id, group: '<script>' }],
    Array.from({ length: 1_001 }, (_, n) => ({ cfgId: n + 1 })),
    '['.repeat(100_000),
    ' '.repeat(1024 * 1024 + 1),
  ]) {
    const { status, text } = await clone(bad);
    assert.ok(status === 400 || status === 413, `${JSON.stringify(bad).slice(0, 60)}: ${status} ${text}`);
    assert.doesNotMatch(text, /\n\s+at /);
  }
  assert.equal((await clone([{ cfgId: id }], {})).status, 400, 'without a namespace');
  assert.equal((await found()).totalCount, 1);
});
