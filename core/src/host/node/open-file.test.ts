import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { OpenFile } from './open-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'open-file-'));
after(() => rmSync(folder, { recursive: true }));

test('a file is synced by whatever descriptor it is open with, and by none of its own', () => {
  const path = join(folder, 'a');
  const file = new OpenFile(path);
  assert.equal(file.sync(), false, 'it is not there');
  writeFileSync(path, 'one');
  assert.equal(file.sync(), false, 'nobody has it open');
  const first = openSync(path, 'r+');
  const count = readdirSync('/proc/self/fd').length;
  assert.equal(file.sync(), true);
  assert.equal(readdirSync('/proc/self/fd').length, count);
  const second = openSync(path, 'r');
  closeSync(first);
  assert.equal(file.sync(), true, 'another descriptor of it');
  rmSync(path);
  assert.equal(file.sync(), false, 'it has no name any more');
  writeFileSync(path, 'two');
  assert.equal(file.sync(), false, 'another file has its name');
  closeSync(second);
});
