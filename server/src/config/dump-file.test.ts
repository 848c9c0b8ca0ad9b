import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { contentMd5 } from '@nacos-kube/core/wire/config.ts';
import { groupKey } from '@nacos-kube/core/wire/config-key.ts';
import fc from 'fast-check';
import {
  type DumpedConfig,
  type DumpStamp,
  dumpName,
  dumpPath,
  isDumpName,
  keyName,
  readDumpFile,
  writeDumpFile,
} from './dump-file.ts';

const STAMP: DumpStamp = { generation: 3, writtenMs: 1_700_000_000_000.5 };

test('what is dumped is read back byte for byte, whatever the names and the content', () => {
  const part = fc.string({ unit: 'grapheme', maxLength: 40 });
  const key = fc.record({ dataId: part, group: part, namespaceId: part }, { noNullPrototype: true });
  fc.assert(
    fc.property(key, fc.uint8Array(), (of, content) => {
      const config: DumpedConfig = { key: of, md5: contentMd5(content), type: 'yaml', modifiedMs: 1_700_000_000_000 };
      const name = dumpName(groupKey(of), config);
      assert.ok(isDumpName(name));
      const read = readDumpFile(name, writeDumpFile(config, content, STAMP));
      assert.deepEqual(read?.config, config);
      assert.deepEqual({ generation: read?.generation, writtenMs: read?.writtenMs }, STAMP);
      assert.deepEqual([...(read?.content ?? [])], [...content]);
    }),
  );
});

test('a file with any byte altered, cut off or added is refused', () => {
  const { name, bytes } = sample();
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      // A copy: `slice` of a Buffer is none, and what one run altered the next would set right.
      const altered = new Uint8Array(bytes);
      altered[at] = altered[at]! ^ flip;
      assert.equal(readDumpFile(name, altered), undefined);
      assert.equal(readDumpFile(name, bytes.slice(0, at)), undefined);
      assert.equal(readDumpFile(name, Buffer.concat([bytes, Uint8Array.of(flip)])), undefined);
    }),
    { numRuns: 500 },
  );
});

test('a whole file under another name is refused', () => {
  const { bytes, config } = sample();
  assert.equal(readDumpFile(dumpName('other+g', config), bytes), undefined);
  assert.equal(readDumpFile(dumpName('d+g', { ...config, type: 'json' }), bytes), undefined);
  assert.equal(readDumpFile(keyName('other+g'), bytes), undefined);
});

test('a file of an earlier release, named by the key alone, is read, and is of no generation', () => {
  const { config, content } = sample();
  const facts = JSON.stringify({ ...config.key, md5: config.md5, type: config.type, modifiedMs: config.modifiedMs });
  const bytes = Buffer.concat([Buffer.from(`nacos-kube-config 1 ${hash('md5', facts)}\n${facts}\n`), content]);
  const read = readDumpFile(keyName('d+g'), bytes);
  assert.deepEqual(read?.config, config);
  assert.deepEqual([read?.generation, read?.writtenMs], [0, 0]);
});

test('a beta for other addresses has another file, of which each is refused under the name of the other', () => {
  const { config, content } = sample();
  const [one, other] = ['10.0.0.1', '10.0.0.2'].map((betaIps) => ({
    ...config,
    type: 'text' as const,
    variant: { id: { kind: 'beta' } as const, betaIps },
  }));
  const [first, second] = [dumpName('d+g++beta', one!), dumpName('d+g++beta', other!)];
  assert.notEqual(first, second);
  assert.notEqual(readDumpFile(first, writeDumpFile(one!, content, STAMP)), undefined);
  assert.equal(readDumpFile(second, writeDumpFile(one!, content, STAMP)), undefined);
});

test('the path of a file holds nothing of what users wrote', () => {
  const name = dumpName('../../etc/passwd+..', sample().config);
  const form = /^\/data\/config\/[0-9a-f]{2}\/[0-9a-f]{2}\/[0-9a-f]{64}\.[0-9a-f]{16}$/;
  assert.match(dumpPath('/data/config', name), form);
});

function sample() {
  const content = new TextEncoder().encode('a: 1\n');
  const key = { dataId: 'd', group: 'g', namespaceId: '' };
  const config: DumpedConfig = { key, md5: contentMd5(content), type: 'yaml', modifiedMs: 1 };
  return { name: dumpName('d+g', config), bytes: writeDumpFile(config, content, STAMP), config, content };
}
