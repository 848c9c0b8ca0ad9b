import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { HISTORY_KEPT_DAYS, PAGE_BYTES_MAX } from './bounds.ts';
import { storeContract } from './contract.ts';
import { assertRefused, changesSince, eventually, keyOf, md5, queryOf, variantOf, writeOf } from './contract-tools.ts';
import { createTestHost } from './host-for-tests.ts';
import { createSqliteStore } from './sqlite.ts';
import { SqliteIdentity } from './sqlite-identity.ts';
import { configChecksum } from './sqlite-row.ts';
import { SCHEMA_STEPS } from './sqlite-schema.ts';
import type { Store } from './store.ts';

storeContract(
  'sqlite',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'nacos-kube-sqlite-'));
    const path = join(directory, 'truth', 'store.db');
    const stores: Store[] = [];
    let other: DatabaseSync | undefined;
    return {
      open: async (options) => {
        const store = createSqliteStore(createTestHost(), { path, ...options });
        await store.start();
        stores.push(store);
        return store;
      },
      cut: async () => {
        // Another process that holds the write lock and hangs.
        other = new DatabaseSync(path);
        other.exec('BEGIN IMMEDIATE');
      },
      restore: async () => other?.close(),
      tearDown: async () => {
        for (const store of stores) await store.stop();
        await rm(directory, { recursive: true });
      },
    };
  },
  { failsWithinMs: 3500 },
);

describe('the sqlite store', () => {
  let directory: string;
  let path: string;
  let stores: Store[];
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nacos-kube-sqlite-'));
    stores = [];
  });
  after(async () => {
    for (const store of stores) await store.stop();
    await rm(directory, { recursive: true });
  });

  let files = 0;
  const newPath = () => {
    files += 1;
    path = join(directory, `${files}.db`);
    return path;
  };
  const open = async (at: string, host = createTestHost()) => {
    const store = createSqliteStore(host, { path: at });
    stores.push(store);
    await store.start();
    return store;
  };

  it('hints when another process has committed', async () => {
    const store = createSqliteStore(createTestHost(), { path: newPath() });
    stores.push(store);
    const hinted = Promise.withResolvers<void>();
    let seen = 0;
    store.onHint(() => {
      seen += 1;
      if (seen > 1) hinted.resolve();
    });
    await store.start();
    const from = await store.revision();
    await eventually(async () => assert.equal(seen, 1));
    const writer = new Writer(path, 'hint');
    await writer.acknowledged(1);
    await hinted.promise;
    assert.ok((await changesSince(store, from)).length >= 1);
    await writer.kill();
  });

  it('tells who wrote and who did not of the same changes, whatever each has written itself', async () => {
    const at = newPath();
    const [one, other] = [await open(at), await open(at)];
    for (let round = 0; round < 20; round++) {
      const stores = [one, other, one].slice(0, 1 + (round % 3));
      await Promise.all(stores.map((store, i) => store.putConfig(writeOf(`told.${round}.${i}`, `${i}`))));
      if (round % 4 === 0) await one.putRecord({ kind: 'switch', key: `${round}`, value: '{}' });
      if (round % 5 === 0) await one.removeConfig(keyOf(`told.${round}.0`), { ip: '127.0.0.1', user: null });
    }
    const all = await changesSince(other, 0);
    assert.deepEqual(
      all.map(({ revision }) => revision),
      Array.from(all, (_, i) => i + 1),
    );
    for (const from of [0, 3, all.length - 4]) {
      assert.deepEqual(await changesSince(one, from), all.slice(from));
      assert.deepEqual(await changesSince(one, from), all.slice(from), 'also when it is asked again');
    }
    await one.putConfig(writeOf('told.last', '1'));
    await other.putConfig(writeOf('told.last', '2'));
    assert.equal((await one.changes(all.length, 100)).upTo, all.length + 2, 'what others wrote comes at once with it');
  });

  it('is asked by one message for configurations that are read together, and brings no more at once than it may', async (t) => {
    const store = await open(newPath());
    const { readsAtOnce } = store;
    const names = Array.from({ length: readsAtOnce! }, (_, i) => `together.${i}`);
    for (const name of names) await store.putConfig(writeOf(name, name));
    const { mock } = t.mock.method(Worker.prototype, 'postMessage');
    const read = (dataIds: readonly string[]) => Promise.all(dataIds.map((dataId) => store.getConfig(keyOf(dataId))));
    assert.deepEqual(
      (await read(names)).map((config) => config?.content),
      names,
    );
    assert.equal(mock.callCount(), 1);
    for (const name of names.slice(0, 3)) await store.putConfig(writeOf(name, name.padEnd(PAGE_BYTES_MAX + 1)));
    mock.resetCalls();
    assert.equal((await read(names)).at(-1)?.content, names.at(-1));
    assert.equal(mock.callCount(), 4, 'each large one by itself, the small ones together');
  });

  it('shares one transaction among writes that come together, and answers each', async () => {
    const store = await open(newPath());
    const results = await Promise.all(
      Array.from({ length: 300 }, (_, i) => store.putConfig(writeOf(`group.${i % 100}`, `${i}`))),
    );
    const revisions = results.map((result) => (result.outcome === 'written' ? result.revision : 0));
    assert.deepEqual(
      revisions,
      Array.from({ length: 300 }, (_, i) => i + 1),
    );
    assert.equal((await store.getConfig(keyOf('group.0')))!.content, '200');
  });

  it('refuses the writes at which a transaction fails, and no other that shares it', async () => {
    const store = await open(newPath());
    const refusing = new DatabaseSync(path);
    refusing.exec(
      `CREATE TRIGGER refusing BEFORE INSERT ON config WHEN new.data_id LIKE 'bad%'
       BEGIN SELECT RAISE(ABORT, 'no room for it'); END`,
    );
    refusing.close();
    const written = (revision: number, content: string) => ({ outcome: 'written', revision, md5: md5(content) });
    const names = ['good1', 'bad1', 'good2', 'bad2', 'good1'];
    const results = await Promise.allSettled(names.map((name, i) => store.putConfig(writeOf(name, `${i}`))));
    assert.deepEqual(
      results.map((result) => (result.status === 'fulfilled' ? result.value : (result.reason as Error).message)),
      [
        written(1, '0'),
        `sqlite file ${path}: it failed (no room for it)`,
        written(2, '2'),
        `sqlite file ${path}: it failed (no room for it)`,
        written(3, '4'),
      ],
    );
    assert.equal((await store.getConfig(keyOf('good1')))!.content, '4');
    const bad = Array.from({ length: 40 }, (_, i) => store.putConfig(writeOf(`bad${i}`, '')));
    assert.ok((await Promise.allSettled(bad)).every(({ status }) => status === 'rejected'));
    assert.deepEqual(await store.putConfig(writeOf('good3', '')), written(4, ''));
  });

  it('loses no acknowledged write to kill -9', { timeout: 60_000 }, async () => {
    const at = newPath();
    for (let round = 0; round < 5; round += 1) {
      const writer = new Writer(at, `round${round}`);
      // Killed wherever it is then, between or within transactions.
      await writer.acknowledged(200 + round * 37);
      await writer.kill();
      const store = await open(at);
      for (const [dataId, n] of writer.acks) {
        const config = await store.getConfig(keyOf(dataId));
        assert.ok(Number(config?.content) >= n, `${dataId}: ${n} was acknowledged, ${config?.content} is stored`);
      }
      const all = await changesSince(store, 0);
      assert.ok(all.every((change, i) => change.revision === i + 1));
      await store.stop();
    }
  });

  it('serves three processes that write at once, each within its deadline', { timeout: 60_000 }, async () => {
    const at = newPath();
    await open(at);
    const writers = ['a', 'b', 'c'].map((name) => new Writer(at, name));
    await Promise.all(writers.map((writer) => writer.acknowledged(300)));
    for (const writer of writers) {
      assert.deepEqual(writer.failures, []);
      await writer.kill();
    }
  });

  it('acknowledges nothing once its file was removed or replaced, and says so to followers', async () => {
    const store = await open(newPath());
    await store.putConfig(writeOf('kept', 'one'));
    const gone = { kind: 'read-only', message: /it was removed while it was in use; .*restart/ };
    const aside = `${path}.aside`;
    await rename(path, aside);
    await assert.rejects(store.putConfig(writeOf('kept', 'two')), gone);
    await assert.rejects(store.changes(0, 10), gone);
    await assert.rejects(store.revision(), gone);
    assert.equal((await store.getConfig(keyOf('kept')))?.content, 'one');
    assert.deepEqual(existsSync(path), false);
    await copyFile(aside, path);
    const replaced = {
      kind: 'read-only',
      message: /it was replaced by another file while/,
      because: /removed or replaced/,
    };
    await assert.rejects(store.putConfig(writeOf('kept', 'three')), replaced);
    await rename(aside, path);
    await store.putConfig(writeOf('kept', 'four'));
    await store.stop();
    const again = await open(path);
    assert.equal((await again.getConfig(keyOf('kept')))?.content, 'four');
  });

  it('acknowledges nothing once its log was removed', async () => {
    const store = await open(newPath());
    await store.putConfig(writeOf('kept', 'one'));
    await rename(`${path}-wal`, `${path}-aside`);
    const gone = { kind: 'read-only', message: /its log was removed while it was in use/ };
    await assert.rejects(store.putConfig(writeOf('kept', 'two')), gone);
    await assert.rejects(store.changes(0, 10), gone);
    await rename(`${path}-aside`, `${path}-wal`);
    await store.putConfig(writeOf('kept', 'three'));
  });

  it('makes a new log after it has closed the file, which removes the old one', async () => {
    await writeFile(newPath(), '');
    await writeFile(`${path}-wal`, 'old');
    const identity = new SqliteIdentity(path);
    identity.opened();
    await writeFile(`${path}-new`, 'new');
    await rename(`${path}-new`, `${path}-wal`);
    assert.throws(() => identity.require(), { message: 'its log was replaced by another file' });
    identity.closed();
    identity.require();
    identity.opened();
    await rm(`${path}-wal`);
    assert.throws(() => identity.require(), { message: 'its log was removed' });
  });

  it('names a file that is no database', async () => {
    await writeFile(newPath(), 'This is a text and no database, long enough to be looked at. '.repeat(20));
    const error = await assertRefused('misconfigured', open(path));
    assert.match(error.message, /\d\.db: it is damaged \(file is not a database\)/);
  });

  it('names a path that cannot be opened', async () => {
    await writeFile(newPath(), '');
    const error = await assertRefused('misconfigured', open(join(path, 'store.db')));
    assert.match(error.message, /\d\.db\/store\.db: its directory cannot be made/);
  });

  it('leaves a file of a newer version or of another program alone', async () => {
    await (await open(newPath())).stop();
    const newer = new DatabaseSync(path);
    newer.exec('PRAGMA user_version = 99');
    newer.close();
    const error = await assertRefused('misconfigured', open(path));
    assert.match(error.message, /its schema has version 99, this program knows 2/);

    const foreign = new DatabaseSync(newPath());
    foreign.exec('CREATE TABLE songs (title TEXT)');
    foreign.close();
    assert.match((await assertRefused('misconfigured', open(path))).message, /tables of another program/);
  });

  it('takes over a file of the first version as it is, once, also when two open it', async () => {
    const old = new DatabaseSync(newPath());
    old.exec(`PRAGMA journal_mode = WAL; ${SCHEMA_STEPS[0]} PRAGMA user_version = 1`);
    const key = { ...keyOf('old'), namespaceId: 'dev' };
    const facts = JSON.stringify({
      ...{ type: 'text', appName: 'shop', description: null, use: null, effect: null, schema: null, tags: ['t'] },
      ...{ createdMs: 1000, modifiedMs: 2000, sourceIp: '10.0.0.1', sourceUser: null },
    });
    const row = old.prepare(
      'INSERT INTO config (id, namespace_id, group_id, data_id, md5, facts, checksum, content) VALUES (7, ?, ?, ?, ?, ?, ?, ?)',
    );
    row.run('dev', 'g', 'old', md5('text'), facts, configChecksum(key, md5('text'), facts), 'text');
    const past = old.prepare(
      `INSERT INTO config_history
         (config_id, namespace_id, group_id, data_id, operation, md5, app_name, source_ip, source_user, at_ms, content)
       VALUES (?, 'dev', 'g', ?, ?, ?, 'shop', '10.0.0.1', NULL, 1000, ?)`,
    );
    past.run(0, 'old', 'I', md5('first'), 'first');
    past.run(7, 'old', 'U', md5('first'), 'first');
    past.run(6, 'older', 'D', md5('gone'), 'gone');
    old.exec(`INSERT INTO changes (kind, key, removed) VALUES ('config', '["dev","g","old"]', 0)`);
    old.close();

    const [store, other] = await Promise.all([open(path), open(path)]);
    const config = (await store.getConfig(key))!;
    assert.deepEqual([config.id, config.content, config.tags], ['7', 'text', ['t']]);
    assert.deepEqual((await other.searchConfigs(queryOf('dev', { appName: 'shop', tags: ['t'] }))).items, [config]);
    assert.equal((await store.previousHistory('7'))?.content, 'first');
    assert.equal((await store.previousHistory('6'))?.content, 'gone');
    assert.deepEqual(
      (await changesSince(store, 0)).map((change) => change.what),
      [{ kind: 'config', key }],
    );
    await store.putConfig(writeOf('old', 'new', { namespaceId: 'dev' }));
    assert.equal((await store.getConfig(key))!.id, '7');
    await other.putVariant(variantOf('old', 'beta', { kind: 'beta' }));
    assert.equal((await store.getVariants(keyOf('old'))).length, 1);
  });

  it('forgets changes and past writes that are old, a bounded number at a time', async () => {
    const store = createSqliteStore(createTestHost(), { path: newPath(), changesKept: 100 });
    stores.push(store);
    await store.start();
    await store.putConfig(writeOf('kept', '1'));
    const hand = new DatabaseSync(path);
    const past = (days: number, dataId: string) => {
      const atMs = Date.now() - days * 24 * 3600 * 1000;
      hand.exec(
        `INSERT INTO config_history
           (config_id, namespace_id, group_id, data_id, operation, md5, app_name, source_ip, source_user, at_ms, content)
         VALUES (1, '', 'g', '${dataId}', 'U', '', '', '', NULL, ${atMs}, 'x')`,
      );
    };
    past(HISTORY_KEPT_DAYS + 1, 'old');
    past(HISTORY_KEPT_DAYS - 1, 'young');
    hand.close();
    const countOf = async (dataId: string) => (await store.searchHistory(keyOf(dataId), 0, 10)).total;
    assert.deepEqual([await countOf('old'), await countOf('young')], [1, 1]);
    for (let i = 0; i < 3; i += 1) await store.putConfig(writeOf('kept', `${i}`));
    assert.deepEqual([await countOf('old'), await countOf('young'), await countOf('kept')], [0, 1, 4]);
  });

  it('never serves a row that was damaged: reads refuse it, scans leave it out and say so', async () => {
    const host = createTestHost();
    const store = await open(newPath(), host);
    await store.putConfig(writeOf('good', 'text'));
    await store.putConfig(writeOf('bad.content', 'text'));
    await store.putConfig(writeOf('bad.facts', 'text', { appName: 'shop' }));
    await store.putConfig(writeOf('bad.json', 'text', { appName: 'shop' }));
    await store.putRecord({ kind: 'instance', key: 'bad', value: '{"port":80}' });
    await store.putVariant(variantOf('bad', 'text', { kind: 'beta' }));
    const hand = new DatabaseSync(path);
    hand.exec(`UPDATE config SET content = 'texu' WHERE data_id = 'bad.content'`);
    hand.exec(`UPDATE config SET facts = replace(facts, 'shop', 'shoq') WHERE data_id = 'bad.facts'`);
    hand.exec(`UPDATE config SET facts = 'no json' WHERE data_id = 'bad.json'`);
    hand.exec(`UPDATE record SET value = '{"port":81}'`);
    hand.exec(`UPDATE variant SET facts = replace(facts, '"betaIps":""', '"betaIps":"*"')`);
    hand.exec(`UPDATE config_history SET content = 'texu' WHERE data_id = 'good'`);
    hand.close();
    for (const dataId of ['bad.content', 'bad.facts', 'bad.json']) {
      const error = await assertRefused('damaged', store.getConfig(keyOf(dataId)));
      assert.match(error.message, new RegExp(`config .*${dataId} does not fit its checksum`));
    }
    await assertRefused('damaged', store.getRecord('instance', 'bad'));
    const page = await store.scanConfigs(100);
    assert.deepEqual(
      page.items.map((config) => config.dataId),
      ['good'],
    );
    assert.deepEqual((await store.scanRecords('instance', 100)).items, []);
    await assertRefused('damaged', store.getVariants(keyOf('bad')));
    assert.deepEqual((await store.scanVariants(100)).items, []);
    assert.equal(host.lines.filter((line) => line.includes('a damaged row is left out')).length, 5);
    await assertRefused('damaged', store.getHistory('1'));
    assert.deepEqual(
      (await store.searchConfigs(queryOf('', { tags: ['t'] }))).items.map((config) => config.dataId),
      [],
    );
    assert.deepEqual(
      (await store.searchConfigs(queryOf(''))).items.map((config) => config.dataId),
      ['good'],
    );
    for (const dataId of ['bad.content', 'bad.json']) {
      await store.putConfig(writeOf(dataId, 'mended'));
      assert.equal((await store.getConfig(keyOf(dataId)))!.content, 'mended');
    }
    await store.putVariant(variantOf('bad', 'mended', { kind: 'beta' }));
    assert.equal((await store.getVariants(keyOf('bad')))[0]!.content, 'mended');
  });

  it('ends a page early when its contents are large', async () => {
    const store = await open(newPath());
    for (let i = 0; i < 6; i += 1) await store.putConfig(writeOf(`large.${i}`, 'x'.repeat(1024 * 1024)));
    const first = await store.scanConfigs(100);
    assert.equal(first.items.length, 3);
    const second = await store.scanConfigs(100, first.next);
    assert.equal(second.items.length, 3);
    assert.equal(second.next, undefined);
  });
});

/** A process of its own that publishes without pause and says on its output what was acknowledged. */
class Writer {
  readonly acks = new Map<string, number>();
  readonly failures: string[] = [];
  readonly #process: ChildProcess;
  #count = 0;
  #check: () => void = () => undefined;

  constructor(path: string, name: string) {
    const program = fileURLToPath(new URL('../../../e2e/engines/sqlite-writer.ts', import.meta.url));
    this.#process = spawn(process.execPath, [program, path, name], { stdio: ['ignore', 'pipe', 'inherit'] });
    createInterface(this.#process.stdout!).on('line', (line) => {
      const [outcome, dataId, n] = line.split(' ');
      if (outcome === 'ack') this.acks.set(dataId!, Number(n));
      else this.failures.push(line);
      this.#count += 1;
      this.#check();
    });
  }

  acknowledged(count: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#process.once('exit', () => reject(new Error(`the writer ended after ${this.#count} acknowledgements`)));
      this.#check = () => {
        if (this.#count >= count) resolve();
      };
      this.#check();
    });
  }

  async kill(): Promise<void> {
    const closed = once(this.#process, 'close');
    this.#process.kill('SIGKILL');
    // All that it wrote before its end was read once its output is closed.
    await closed;
  }
}
