import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { copyFile, link, mkdtemp, open, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { makeSmallDisk, smallDiskMissing } from '../../../../e2e/engines/small-disk.ts';
import { movedConfig } from '../contract-moved.ts';
import { keyOf, writeOf } from '../contract-tools.ts';
import { createTestHost } from '../host-for-tests.ts';
import { createSqliteStore } from '../sqlite.ts';
import { fillStore, rowsOf } from './store-for-tests.ts';

const PROGRAM = join(import.meta.dirname, '../../../../bin/nacos-kube.ts');
const SIGINT_ONCE_COPYING = 'SIGINT once copying';
const host = createTestHost();

describe('nacos-kube store', () => {
  let folder: string;
  const at = (name: string) => join(folder, name);
  const sqliteAt = (name: string) => createSqliteStore(host, { path: at(name) });
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nacos-kube-store-'));
    const store = sqliteAt('from.sqlite');
    await store.start();
    await fillStore(store);
    await store.stop();
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function rowsAt(name: string): Promise<readonly unknown[]> {
    const store = sqliteAt(name);
    await store.start();
    try {
      return await rowsOf(store);
    } finally {
      await store.stop();
    }
  }

  it('backs up a store that is in use, and restores it', async () => {
    const used = sqliteAt('from.sqlite');
    await used.start();
    try {
      const backedUp = await run('backup', '--from', `sqlite:${at('from.sqlite')}`, at('a.backup'));
      assert.equal(backedUp.code, 0, backedUp.output);
      assert.match(backedUp.output, /a\.backup: \d+ rows of sqlite:.*from\.sqlite \(.*6 configs.*\)/);
      await used.putConfig(writeOf('c.1', 'content 1'));
      const whole = await run('backup', '--from', `sqlite:${at('from.sqlite')}`, at('copy.sqlite'));
      assert.equal(whole.code, 0, whole.output);
    } finally {
      await used.stop();
    }
    assert.deepEqual(await rowsAt('copy.sqlite'), await rowsAt('from.sqlite'));
    const checked = await run('check', at('a.backup'));
    assert.match(checked.output, /a\.backup is whole: \d+ rows/);
    const restored = await run('restore', at('a.backup'), '--to', `sqlite:${at('restored.sqlite')}`);
    assert.equal(restored.code, 0, restored.output);
    assert.match(restored.output, /has all \d+ rows of backup/);
    const store = sqliteAt('restored.sqlite');
    await store.start();
    assert.equal((await store.getConfig(keyOf('c.1')))!.content, 'content 1');
    assert.equal((await store.searchHistory(keyOf('gone'), 0, 9)).total, 2);
    await store.stop();
    const left = (await readdir(folder)).filter((name) => /part|snapshot|nacos-kube-copy/.test(name));
    assert.deepEqual(left, []);
  });

  it('copies a store, and refuses one that is not there, is the same or is not empty', async () => {
    const from = `sqlite:${at('from.sqlite')}`;
    const copied = await run('copy', '--from', from, '--to', `sqlite:${at('to.sqlite')}`);
    assert.equal(copied.code, 0, copied.output);
    assert.deepEqual(await rowsAt('to.sqlite'), await rowsAt('from.sqlite'));
    const refused: readonly [string, string, RegExp][] = [
      [`sqlite:${at('none.sqlite')}`, from, /nacos-kube store: there is no file/],
      [from, from, /is source and target at once/],
      [from, `sqlite:${at('to.sqlite')}`, /is not empty: .*--into-existing/],
      [from, 'db2://ann:secret@x/y', /names no store: there is no store "db2"/],
    ];
    for (const [one, other, why] of refused) {
      const { code, output } = await run('copy', '--from', one, '--to', other);
      assert.equal(code, 1);
      assert.match(output, why);
      assert.doesNotMatch(output, /secret|^ +at /m);
    }
  });

  it('writes no backup and no copy over the store that it reads, or that another uses', async () => {
    for (const name of ['own.sqlite', 'own.db', 'used.sqlite']) await copyFile(at('copy.sqlite'), at(name));
    const left = await readFile(at('own.db'));
    await symlink(at('own.db'), at('link.db'));
    await link(at('own.sqlite'), at('link.sqlite'));
    const used = sqliteAt('used.sqlite');
    await used.start();
    await used.putConfig(writeOf('only.here', 'x'));
    try {
      const refused: readonly [string[], RegExp][] = [
        [['backup', '--from', `sqlite:${at('own.sqlite')}`, 'own.sqlite'], /is source and target at once/],
        [['backup', '--from', `sqlite:${at('own.sqlite')}`, at('link.sqlite')], /is source and target at once/],
        [['backup', '--from', `sqlite:${at('link.db')}`, './own.db'], /is source and target at once/],
        [
          ['copy', '--from', 'sqlite:own.db', '--to', 'sqlite:./own.db', '--into-existing'],
          /source and target at once/,
        ],
        [
          ['backup', '--from', 'sqlite:own.sqlite', 'used.sqlite'],
          /used\.sqlite is a store in use, .*used\.sqlite-wal/,
        ],
        [['backup', '--from', 'sqlite:own.db', 'used.sqlite'], /used\.sqlite is a store in use/],
      ];
      for (const [args, why] of refused) {
        const { code, output } = await run(...args);
        assert.equal(code, 1, output);
        assert.match(output, why);
      }
    } finally {
      await used.stop();
    }
    assert.deepEqual(await readFile(at('own.db')), left);
    assert.deepEqual(await rowsAt('own.sqlite'), await rowsAt('copy.sqlite'));
    const again = sqliteAt('used.sqlite');
    await again.start();
    assert.equal((await again.getConfig(keyOf('only.here')))?.content, 'x');
    await again.stop();
  });

  it('stops when it is told to, and the same command goes on', async () => {
    const store = sqliteAt('many.sqlite');
    await store.start();
    for (let page = 0; page < 40; page += 1) {
      const rows = Array.from({ length: 200 }, (_, i) =>
        movedConfig(`m.${page}.${i}`, 'x', { id: `${page * 200 + i + 1}` }),
      );
      await store.putMoved!(rows.map((row) => ({ what: 'config', row })));
    }
    await store.stop();
    const args = ['copy', '--from', `sqlite:${at('many.sqlite')}`, '--to', `sqlite:${at('stopped.sqlite')}`];
    const stopped = await run(...args, SIGINT_ONCE_COPYING);
    assert.equal(stopped.code, 130, stopped.output);
    assert.match(stopped.output, /stopped: the same command goes on from here/);
    const { code, output } = await run(...args);
    assert.equal(code, 0, output);
    assert.match(output, /going on where .*has all 8000 rows/s);
  });

  it('says what is damaged: it takes the rest, and fails', async () => {
    const store = sqliteAt('damaged.sqlite');
    await store.start();
    await fillStore(store);
    await store.putConfig(writeOf('damaged', 'unlikely-to-be-found-twice'));
    await store.stop();
    const file = await open(at('damaged.sqlite'), 'r+');
    const bytes = await file.readFile();
    for (let i = bytes.indexOf('unlikely'); i >= 0; i = bytes.indexOf('unlikely', i + 1)) await file.write('X', i);
    await file.close();
    const { code, output } = await run('backup', '--from', `sqlite:${at('damaged.sqlite')}`, at('d.backup'));
    assert.equal(code, 1, output);
    assert.match(output, /damaged in the source: .*does not fit its/);
    assert.match(output, /done, but for 2 rows that are damaged in the source/);
    assert.equal((await run('check', at('d.backup'))).code, 0);
  });

  it('refuses a torn backup before it writes anything', async () => {
    const file = await open(at('a.backup'), 'r+');
    await file.truncate((await file.stat()).size - 30);
    await file.close();
    const { code, output } = await run('restore', at('a.backup'), '--to', `sqlite:${at('never.sqlite')}`);
    assert.equal(code, 1);
    assert.match(output, /the file is torn/);
    assert.ok(!(await readdir(folder)).includes('never.sqlite'));
  });

  it('says which file is missing or is none of its own, and makes nothing in its place', async () => {
    const from = `sqlite:${at('from.sqlite')}`;
    const foreign = new DatabaseSync(at('foreign.db'));
    foreign.exec('CREATE TABLE songs (title TEXT)');
    foreign.close();
    await writeFile(at('text'), 'secret');
    const before = await readFile(at('foreign.db'));
    const refused: readonly [string[], RegExp][] = [
      [['restore', 'none', '--to', 'sqlite:x.sqlite'], /store: there is no file none\n/],
      [['check', 'text'], /backup text: it is no backup of nacos-kube/],
      [['rebuild', '--data', 'none'], /there is no folder none/],
      [['backup', '--from', 'etcd://127.0.0.1:1', 'x.sqlite'], /x\.sqlite is a store by its name/],
      [
        ['backup', '--from', 'mysql://a@127.0.0.1:1/b', '--from-password-file', 'none', 'x'],
        /there is no file none, which should hold the password/,
      ],
      [['backup', '--from', from, '--from-password-file', 'text', 'x'], /from\.sqlite has no password, but text is/],
      [['backup', '--from', 'etcd://127.0.0.1:1', '--from-password-file', 'text', 'x'], /needs a user: etcd:/],
      [['backup', '--from', 'sqlite:foreign.db', 'x'], /sqlite file foreign\.db: it holds tables of another program/],
      [['copy', '--from', from, '--to', 'sqlite:foreign.db'], /foreign\.db: it holds tables of another program/],
    ];
    const left = await readdir(folder);
    for (const [args, why] of refused) {
      const { code, output } = await run(...args);
      assert.equal(code, 1, output);
      assert.match(output, why);
    }
    assert.deepEqual(await readdir(folder), left);
    assert.deepEqual(await readFile(at('foreign.db')), before, 'of another program, but altered');
  });

  it('says where a disk is full', { skip: smallDiskMissing() }, async () => {
    const store = sqliteAt('large.sqlite');
    await store.start();
    await store.putConfig(writeOf('large', 'x'.repeat(2_000_000)));
    await store.stop();
    const disk = await makeSmallDisk(1);
    try {
      const { code, output } = await run('backup', '--from', 'sqlite:large.sqlite', join(disk.path, 'x.backup'));
      assert.equal(code, 1, output);
      assert.match(output, /sqlite file \S+\/x\.backup: the disk is full/);
      assert.deepEqual(await readdir(disk.path), []);
    } finally {
      await disk.remove();
    }
  });

  it('says that a store holds nothing, which may be the wrong one', async () => {
    const empty = sqliteAt('empty.sqlite');
    await empty.start();
    await empty.stop();
    const why = /nothing of nacos-kube is in sqlite:.*empty\.sqlite: see to it that it is the right one/;
    for (const args of [
      ['backup', at('empty.backup')],
      ['copy', '--to', `sqlite:${at('empty-too.sqlite')}`],
    ]) {
      const { code, output } = await run(...args, '--from', `sqlite:${at('empty.sqlite')}`);
      assert.equal(code, 0, output);
      assert.match(output, why);
    }
  });

  it('has help', async () => {
    const { code, output } = await run('copy', '--help');
    assert.equal(code, 0);
    const words = ['--from <URL>', '--into-existing', 'mysql://USER@HOST', 'NACOS_KUBE_TO_PASSWORD'];
    for (const word of [...words, 'serverTimezone', '?ca=FILE&cert=FILE&key=FILE', '?prefix=TEXT', '?master=NAME']) {
      assert.ok(output.includes(word), word);
    }
    assert.equal((await run('copy', '--from', 'sqlite:x')).code, 2);
    assert.equal((await run('turn')).code, 2);
  });

  it('does not write over the store of a node that runs', async () => {
    const lock = await host.disk.lock(at('used/node.lock'));
    assert.ok(!lock.isHeld);
    await run('backup', '--from', `sqlite:${at('from.sqlite')}`, at('b.backup'));
    const target = ['--to', `sqlite:${at('used/store.sqlite')}`];
    const attempts = [
      run('restore', at('b.backup'), ...target),
      run('copy', '--from', `sqlite:${at('from.sqlite')}`, ...target),
      run('backup', '--from', `sqlite:${at('from.sqlite')}`, at('used/store.sqlite')),
      run('rebuild', '--data', at('used')),
    ];
    for (const { code, output } of await Promise.all(attempts)) {
      assert.equal(code, 1, output);
      assert.match(output, /the data folder \S+used is in use by process \d+ on \S+: stop that one/);
    }
    assert.deepEqual(readdirSync(at('used')).sort(), ['node.lock', 'node.lock.holder']);
    const beside = await run('restore', at('b.backup'), '--to', `sqlite:${at('used/new.sqlite')}`);
    assert.equal(beside.code, 0, beside.output);
    await lock.release();
    const restored = await run('restore', at('b.backup'), ...target);
    assert.equal(restored.code, 0, restored.output);
  });

  /** In a folder of its own: state files are made where it runs. */
  async function run(...given: readonly string[]): Promise<{ code: number | null; output: string }> {
    const isToBeStopped = given.at(-1) === SIGINT_ONCE_COPYING;
    const args = isToBeStopped ? given.slice(0, -1) : given;
    const child = spawn(process.execPath, [PROGRAM, 'store', ...args], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (piece: Buffer) => (output += piece));
    child.stderr.on('data', (piece: Buffer) => (output += piece));
    if (isToBeStopped) {
      const watch = setInterval(() => {
        if (!readdirSync(folder).some((name) => name.startsWith('nacos-kube-copy'))) return;
        clearInterval(watch);
        child.kill('SIGINT');
      }, 5);
      child.on('close', () => clearInterval(watch));
    }
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
    return { code, output };
  }
});
