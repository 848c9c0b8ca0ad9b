import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentMd5 } from '@nacos-kube/core/wire/config.ts';
import { groupKey } from '@nacos-kube/core/wire/config-key.ts';
import fc from 'fast-check';
import { type DumpedConfig, dumpName, dumpPath, isDumpName, readDumpFile, writeDumpFile } from './dump-file.ts';

test('what is dumped is read back byte for byte, whatever the names and the content', () => {
  const part = fc.string({ unit: 'grapheme', maxLength: 40 });
  const key = fc.record({ dataId: part, group: part, namespaceId: part }, { noNullPrototype: true });
  fc.assert(
    fc.property(key, fc.uint8Array(), (of, content) => {
      const config: DumpedConfig = { key: of, md5: contentMd5(content), type: 'yaml', modifiedMs: 1_700_000_000_000 };
      const name = dumpName(groupKey(of));
      assert.ok(isDumpName(name));
      const read = readDumpFile(name, writeDumpFile(config, content));
      assert.deepEqual(read?.config, config);
      assert.deepEqual([...(read?.content ?? [])], [...content]);
    }),
  );
});

test('a file with any byte altered, cut off or added is refused', () => {
  const { name, bytes } = sample();
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const altered = bytes.slice();
      altered[at] = altered[at]! ^ flip;
      assert.equal(readDumpFile(name, altered), undefined);
      assert.equal(readDumpFile(name, bytes.slice(0, at)), undefined);
      assert.equal(readDumpFile(name, Buffer.concat([bytes, Uint8Array.of(flip)])), undefined);
    }),
    { numRuns: 500 },
  );
});

test('a whole file under another name is refused', () => {
  assert.equal(readDumpFile(dumpName('other+g'), sample().bytes), undefined);
});

test('the path of a file holds nothing of what users wrote', () => {
  const name = dumpName('../../etc/passwd+..');
  assert.match(dumpPath('/data/config', name), /^\/data\/config\/[0-9a-f]{2}\/[0-9a-f]{2}\/[0-9a-f]{64}$/);
});

function sample() {
  const content = new TextEncoder().encode('a: 1\n');
  const key = { dataId: 'd', group: 'g', namespaceId: '' };
  const bytes = writeDumpFile({ key, md5: contentMd5(content), type: 'yaml', modifiedMs: 1 }, content);
  return { name: dumpName('d+g'), bytes };
}
