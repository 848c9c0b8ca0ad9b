import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { unzipSync, zipSync } from 'fflate';
import { LINK_MODE, type TestArchive, type TestEntry, zipOf } from './archive-for-tests.ts';
import { type ArchiveBounds, dosTime, IMPORT_BOUNDS, readArchive, writeArchive } from './zip.ts';

const TIME = dosTime('2026-01-31T10:06:50.000Z');

async function contents(bytes: Uint8Array, bounds: ArchiveBounds = IMPORT_BOUNDS): Promise<[string, string][]> {
  const entries: [string, string][] = [];
  for (const entry of readArchive(bytes, bounds)) {
    entries.push([entry.name, Buffer.from(entry.content()).toString()]);
  }
  return entries;
}

test('what this and other programs write is read, directories and comments left out', async () => {
  const files = {
    'g/a.yaml': Buffer.from('a: 1'),
    'g/配置': Buffer.from('x'.repeat(1_000)),
    'g/empty': Buffer.alloc(0),
  };
  const expected = Object.entries(files).map(([name, content]) => [name, content.toString()]);
  assert.deepEqual(await contents(zipSync(files)), expected);
  assert.deepEqual(await contents(zipSync(files, { level: 0 })), expected);
  const written = await writeArchive(
    Object.entries(files).map(([name, content]) => ({ name, content })),
    TIME,
    async () => {},
  );
  assert.deepEqual(await contents(written), expected);
  const withDirectory = zipOf([{ name: 'g/' }, { name: 'g/a', content: 'b', mode: 0o100644 }], { comment: 'hello PK' });
  assert.deepEqual(await contents(withDirectory), [['g/a', 'b']]);
  assert.deepEqual(await contents(zipOf([])), []);
});

test('any files come back from what is written, here and by another program', async () => {
  const name = fc.stringMatching(/^[a-z.]{1,8}\/[a-z]{1,8}$/).filter((one) => !/^\.\.?\//.test(one));
  const files = fc.uniqueArray(fc.record({ name, content: fc.uint8Array({ size: '+1' }) }), {
    selector: (one) => one.name,
  });
  await fc.assert(
    fc.asyncProperty(files, async (some) => {
      const written = await writeArchive(some, TIME, async () => {});
      const other = unzipSync(written);
      assert.deepEqual(Object.keys(other).sort(), some.map((one) => one.name).sort());
      const read = readArchive(written, IMPORT_BOUNDS);
      for (const [n, { name, content }] of some.entries()) {
        assert.deepEqual(Buffer.from(other[name]!), Buffer.from(content));
        assert.deepEqual(Buffer.from(read[n]!.content()), Buffer.from(content));
      }
    }),
    { numRuns: 50 },
  );
});

test('what compresses beyond the ratio of an import is stored, so that it can be imported', async () => {
  const content = Buffer.alloc(1024 * 1024);
  const written = await writeArchive([{ name: 'g/a', content }], TIME, async () => {});
  assert.ok(written.length > content.length);
  assert.equal((await contents(written))[0]?.[1].length, content.length);
});

/** Bytes that do not compress, the same in every run. */
function noise(length: number): Uint8Array {
  let seed = 1;
  return Uint8Array.from({ length }, () => {
    seed = Math.imul(seed, 1_664_525) + 1_013_904_223;
    return seed >>> 24;
  });
}

const REFUSED: readonly (readonly [string, RegExp, readonly TestEntry[], TestArchive?])[] = [
  ['a name that climbs', /leads out/, [{ name: '../../etc/passwd' }]],
  ['a name that climbs in its middle', /leads out/, [{ name: 'g/../a' }]],
  ['a group of two dots', /leads out/, [{ name: '../a' }]],
  ['an absolute name', /leads out/, [{ name: '/etc/passwd' }]],
  ['a name with a drive', /leads out/, [{ name: 'C:/a' }]],
  ['a backslash', /not allowed/, [{ name: '..\\a' }]],
  ['an end of line in a name', /not allowed/, [{ name: 'g/a\nb' }]],
  ['a NUL in a name', /not allowed/, [{ name: 'g/a\0.txt' }]],
  ['an empty name', /not allowed/, [{ name: '' }]],
  ['a name that is too long', /name is over/, [{ name: `g/${'x'.repeat(1_100)}` }]],
  ['a name that is no UTF-8', /not valid UTF-8/, [{ name: Uint8Array.of(0x67, 0x2f, 0xff) }]],
  ['a link', /link/, [{ name: 'g/a', content: '/etc/passwd', mode: LINK_MODE }]],
  ['a pipe', /link/, [{ name: 'g/a', mode: 0o010644 }]],
  [
    'a duplicate',
    /twice/,
    [
      { name: 'g/a', content: '1' },
      { name: 'g/a', content: '2' },
    ],
  ],
  ['an encrypted entry', /encrypted/, [{ name: 'g/a', content: 'x', flags: 0x0801 }]],
  ['an odd compression', /compression 12/, [{ name: 'g/a', content: 'x', method: 12 }]],
  ['two headers that differ', /differ/, [{ name: 'g/a', content: 'x', localName: 'g/b' }]],
  ['a bomb', /times its size/, [{ name: 'g/a', content: Buffer.alloc(10 * 1024 * 1024) }]],
  [
    'entries that share their bytes',
    /shares/,
    [
      { name: 'g/a', content: 'x' },
      { name: 'g/a2', localName: 'g/a', offset: 0 },
    ],
  ],
  ['too many entries', /1001 entries/, Array.from({ length: 1_001 }, (_, n) => ({ name: `g/${n}` }))],
  [
    'too much in all',
    /over 52428800/,
    Array.from({ length: 6 }, (_, n) => ({ name: `g/${n}`, content: noise(100_000), bytes: 9_000_000 })),
  ],
  ['an archive of several gigabytes', /zip64/, [{ name: 'g/a' }], { count: 0xffff }],
];
for (const [what, message, entries, archive] of REFUSED) {
  test(`${what} has the whole archive refused`, () => {
    assert.throws(() => readArchive(zipOf(entries, archive), IMPORT_BOUNDS), { kind: 'refused', message });
  });
}

test('a million entries are refused, however few the archive says it has', () => {
  const entries = Array.from({ length: 2_000 }, (_, n) => ({ name: `g/${n}`, isStored: true }));
  assert.throws(() => readArchive(zipOf(entries, { count: 1_000_000 }), IMPORT_BOUNDS), { kind: 'refused' });
  assert.throws(() => readArchive(zipOf(entries, { count: 10 }), IMPORT_BOUNDS), { kind: 'broken' });
  assert.throws(() => readArchive(zipOf(entries.slice(0, 5), { count: 10 }), IMPORT_BOUNDS), { kind: 'broken' });
});

test('an entry that inflates to another size than it gives, or to other bytes, is broken', async () => {
  const lies: readonly TestEntry[] = [
    { name: 'g/a', content: 'x'.repeat(60_000), bytes: 10 },
    { name: 'g/a', content: 'x', bytes: 10 },
    { name: 'g/a', content: 'x', bytes: 0 },
    { name: 'g/a', content: 'x', crc: 1 },
    { name: 'g/a', content: 'not deflated', isStored: true, method: 8 },
  ];
  for (const lie of lies) await assert.rejects(contents(zipOf([lie])), { kind: 'broken' });
  assert.throws(() => readArchive(zipOf([{ name: 'g/a', content: 'x', isStored: true, bytes: 2 }]), IMPORT_BOUNDS), {
    kind: 'broken',
  });
});

test('bytes that are no archive are told from an archive that was cut', () => {
  for (const bytes of ['', 'hello', 'x'.repeat(100)]) {
    assert.throws(() => readArchive(Buffer.from(bytes), IMPORT_BOUNDS), { kind: 'none' });
  }
  const whole = zipOf([{ name: 'g/a', content: 'some text' }]);
  for (let length = 4; length < whole.length; length++) {
    assert.throws(() => readArchive(whole.subarray(0, length), IMPORT_BOUNDS), { kind: 'broken' });
  }
  assert.throws(() => readArchive(Buffer.concat([Buffer.from('x'), whole]), IMPORT_BOUNDS), { kind: 'broken' });
});

test('an archive with any byte changed is read or refused, never anything else', async () => {
  const whole = zipOf([
    { name: 'g/a', content: 'some text' },
    { name: 'g/b', content: 'x'.repeat(200), isStored: true },
  ]);
  for (let at = 0; at < whole.length; at++) {
    for (const value of [0, 1, 0x7f, 0xff]) {
      const changed = Buffer.from(whole);
      changed[at] = value;
      try {
        await contents(changed);
      } catch (error) {
        assert.equal((error as Error).name, 'ArchiveError', `byte ${at} = ${value}: ${error}`);
      }
    }
  }
});
