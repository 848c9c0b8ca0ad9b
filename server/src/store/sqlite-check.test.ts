import assert from 'node:assert/strict';
import { copyFile, mkdtemp, open, readFile, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { assertRefused, eventually, keyOf, writeOf } from './contract-tools.ts';
import { destroyPages, leavesOf } from './damage-for-tests.ts';
import { createTestHost } from './host-for-tests.ts';
import { createSqliteStore } from './sqlite.ts';
import { backupSqlite } from './sqlite-backup.ts';
import { CHECK_WITHIN_MS } from './sqlite-check.ts';

const PAGE_BYTES = 4096;
const CONFIGS = 60;
const host = createTestHost();

describe('a sqlite file at the start', () => {
  let folder: string;
  let whole: string;
  let path: string;
  let count = 0;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nacos-kube-sqlite-check-'));
    const made = createSqliteStore(host, { path: join(folder, 'made.sqlite') });
    await made.start();
    for (let i = 0; i < CONFIGS; i += 1) await made.putConfig(writeOf(`c.${i}`, `${i} ${'x'.repeat(3000)}`));
    await made.putRecord({ kind: 'switch', key: 'k', value: '{}' });
    whole = join(folder, 'whole.sqlite');
    await backupSqlite(host, join(folder, 'made.sqlite'), whole);
    await made.stop();
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function damaged(hurt: (path: string) => Promise<void>): Promise<void> {
    count += 1;
    path = join(folder, `${count}.sqlite`);
    await copyFile(whole, path);
    await hurt(path);
  }

  it('is taken when it is whole, also by a second process and when it is empty', async () => {
    await damaged(async () => {});
    const stores = [createSqliteStore(host, { path }), createSqliteStore(host, { path })];
    for (const store of stores) await store.start();
    assert.equal(await stores[1]!.countConfigs(''), CONFIGS);
    for (const store of stores) await store.stop();
    await damaged((file) => truncate(file, 0));
    const empty = createSqliteStore(host, { path });
    await empty.start();
    assert.equal(await empty.countConfigs(''), 0);
    await empty.stop();
  });

  const refusals: Readonly<Record<string, (path: string) => Promise<void>>> = {
    'cut in the middle of a page': async (file) => truncate(file, Math.floor((await stat(file)).size / 2) + 100),
    'cut between two pages': async (file) => truncate(file, 8 * PAGE_BYTES),
    'of which a page was overwritten': (file) =>
      overwrite(file, rootPageOf('config', file), Buffer.alloc(PAGE_BYTES, 0xa5)),
    'of which a page was lost': (file) => overwrite(file, rootPageOf('record', file), Buffer.alloc(PAGE_BYTES)),
    'of which bits of a page were flipped': async (file) => {
      const page = rootPageOf('config_history', file);
      const bytes = (await readFile(file)).subarray((page - 1) * PAGE_BYTES, page * PAGE_BYTES);
      await overwrite(file, page, Buffer.from(bytes.map((byte) => byte ^ 0x10)));
    },
    'whose first page is destroyed': (file) => overwrite(file, 1, Buffer.alloc(PAGE_BYTES, 0x20)),
  };
  for (const [what, hurt] of Object.entries(refusals)) {
    it(`is refused, with what to do, when it is one ${what}`, async () => {
      await damaged(hurt);
      const before = await readFile(path);
      const store = createSqliteStore(host, { path });
      const error = await assertRefused('misconfigured', store.start());
      assert.match(error.message, /is damaged .*store restore.*store rebuild or --sqlite-rebuild on/);
      assert.ok(error.message.startsWith(`sqlite file ${path}: `));
      await store.stop();
      assert.ok(before.equals(await readFile(path)), 'the file was left as it is');
    });
  }

  it('is looked through behind the start when it is large, and the log has what was found', async () => {
    await damaged(async () => {});
    const grown = createSqliteStore(host, { path });
    await grown.start();
    for (let i = 0; i < 9; i += 1) await grown.putConfig(writeOf(`large.${i}`, 'x'.repeat(2 * 1024 * 1024)));
    await grown.stop();
    const slow = createTestHost();
    // As if it took too long, whatever the machine.
    const after = (ms: number, run: () => void) => slow.clock.after(ms === CHECK_WITHIN_MS ? 0 : ms, run);
    const started = async () => {
      const store = createSqliteStore({ ...slow, clock: { ...slow.clock, after } }, { path });
      await store.start();
      return store;
    };
    const told = (what: string) => eventually(async () => assert.ok(slow.lines.some((line) => line.includes(what))));
    const whole = await started();
    await told('info the sqlite file was checked behind the start');
    await whole.stop();
    await destroyPages(path, leavesOf('config_history', path).slice(0, 1));
    const hurt = await started();
    await told('error sqlite file');
    await hurt.stop();
  });

  it('serves all but the rows whose content was altered', async () => {
    await damaged(async (file) => {
      const bytes = await readFile(file);
      const at = bytes.lastIndexOf(`7 ${'x'.repeat(100)}`);
      const handle = await open(file, 'r+');
      await handle.write('y', at + 50);
      await handle.close();
    });
    const store = createSqliteStore(host, { path });
    await store.start();
    const { items, damaged: left = [] } = await store.scanConfigs(1000);
    const past = (await store.scanHistory!(1000)).damaged ?? [];
    assert.equal(left.length + past.length, 1);
    assert.equal(items.length, CONFIGS - left.length);
    await store.putConfig(writeOf('c.1', 'still writable'));
    assert.equal((await store.getConfig(keyOf('c.1')))!.content, 'still writable');
    await store.stop();
  });
});

/** Where the rows of a table begin. */
function rootPageOf(table: string, path: string): number {
  const database = new DatabaseSync(path, { readOnly: true });
  const row = database.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(table) as { rootpage: number };
  database.close();
  return row.rootpage;
}

async function overwrite(path: string, page: number, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(bytes, 0, bytes.length, (page - 1) * PAGE_BYTES);
  await file.close();
}
