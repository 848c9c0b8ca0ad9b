import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DumpMark, readMark, writeMark } from './dump-walk.ts';
import { createFakeHost } from './fake-host.ts';

const GONE = new Set(['ab.cd', 'ef.01']);
const MARK: DumpMark = { generation: 12, configs: 3, atMs: 1_700_000_000_000.25, isSettled: true, gone: GONE };

test('a mark is read back as it was written', async () => {
  const host = createFakeHost();
  assert.equal(await readMark(host, 'data'), 'none');
  await writeMark(host, 'data', MARK);
  assert.deepEqual(await readMark(host, 'data'), MARK);
  // As earlier releases wrote it.
  await writeMark(host, 'data', { ...MARK, isSettled: false });
  assert.equal(new TextDecoder().decode(host.files.get('data/whole')).includes('isSettled'), false);
  assert.deepEqual(await readMark(host, 'data'), { ...MARK, isSettled: false });
});

test('a mark with any byte altered, cut off or added is no mark, and all files count', async () => {
  const host = createFakeHost();
  await writeMark(host, 'data', MARK);
  const bytes = host.files.get('data/whole')!;
  for (let at = 0; at < bytes.length; at += 1) {
    for (const flip of [1, 2, 4, 16, 128]) {
      const altered = new Uint8Array(bytes);
      altered[at]! ^= flip;
      host.files.set('data/whole', altered);
      assert.equal(await readMark(host, 'data'), 'unreadable', new TextDecoder().decode(altered));
    }
    host.files.set('data/whole', bytes.slice(0, at));
    assert.equal(await readMark(host, 'data'), 'unreadable');
  }
  for (const text of ['null\n', '{"generation":3,"configs":4,"atMs":1,"gone":[]}\n', '[]', '{"gone":3}']) {
    host.files.set('data/whole', new TextEncoder().encode(text));
    assert.equal(await readMark(host, 'data'), 'unreadable', text);
  }
});

test('the mark of an earlier release is of no generation', async () => {
  const host = createFakeHost();
  host.files.set('data/whole', new TextEncoder().encode('{"configs":4,"atMs":17}\n'));
  const mark = { generation: 0, configs: 4, atMs: 17, isSettled: false, gone: new Set() };
  assert.deepEqual(await readMark(host, 'data'), mark);
});
