import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { NotOpenError, OpenFile } from './open-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'open-file-'));
after(() => rmSync(folder, { recursive: true }));

test('a file is used by whatever descriptor it is open with, and by none of its own', () => {
  const path = join(folder, 'a');
  assert.equal(OpenFile.at(path), undefined, 'it is not there');
  writeFileSync(path, 'some text');
  assert.equal(OpenFile.at(path), undefined, 'nobody has it open');
  const first = openSync(path, 'r+');
  const count = readdirSync('/proc/self/fd').length;
  const file = OpenFile.at(path)!;
  file.sync();
  file.write(5, Buffer.from('word'));
  assert.equal(readFileSync(path, 'utf8'), 'some word');
  assert.equal(file.read(5, 100).toString(), 'word');
  assert.equal(readdirSync('/proc/self/fd').length, count);

  const second = openSync(path, 'r+');
  assert.deepEqual([...file.descriptors].sort(), [first, second].sort());
  closeSync(first);
  file.sync();
  rmSync(path);
  writeFileSync(path, 'another file');
  file.write(0, Buffer.from('gone'));
  assert.equal(readFileSync(path, 'utf8'), 'another file', 'it has the name only');
  const other = openSync(path, 'r');
  closeSync(second);
  assert.throws(() => file.sync(), NotOpenError);
  closeSync(other);
});
