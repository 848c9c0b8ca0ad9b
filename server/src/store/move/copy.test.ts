import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { keyOf, variantOf, writeOf } from '../contract-tools.ts';
import { createTestHost } from '../host-for-tests.ts';
import { createMemoryDatabase, createMemoryStore, type MemoryStore } from '../memory.ts';
import { createSqliteStore } from '../sqlite.ts';
import { type Store, StoreError } from '../store.ts';
import { type CopyOptions, type CopyResult, copyStore } from './copy.ts';
import { Patience } from './patience.ts';
import { Progress } from './progress.ts';
import { fillStore, INSTANCE, md5, rowsOf } from './store-for-tests.ts';
import { StoreSource } from './store-source.ts';
import { StoreTarget } from './store-target.ts';

const host = createTestHost();

describe('a copy of a store', () => {
  let folder: string;
  let from: MemoryStore;
  let to: MemoryStore;
  let lines: string[];
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nacos-kube-copy-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));
  beforeEach(async () => {
    from = await memoryStore();
    to = await memoryStore();
    lines = [];
    await rm(statePath(), { force: true });
  });
  const statePath = () => join(folder, 'state.json');

  function copy(source: Store, target: Store, more: Partial<CopyOptions> = {}): Promise<CopyResult> {
    const patience = new Patience(host, 0);
    return copyStore({
      ...{ host, statePath: statePath(), isIntoExisting: false, isStopped: () => false },
      ...{ source: new StoreSource(source, 'from', patience), target: new StoreTarget(target, 'to', patience) },
      ...{ progress: new Progress(host.clock, (line) => lines.push(line)), ...more },
    });
  }

  it('has everything, with ids, times and the past', async () => {
    await fillStore(from);
    const result = await copy(from, to);
    assert.deepEqual(result.wrong, []);
    assert.deepEqual(await rowsOf(to), await rowsOf(from));
    assert.equal(result.compared, (await rowsOf(from)).length);
    await assert.rejects(readFile(statePath()), { code: 'ENOENT' });
  });

  it('goes on where the source says once that it was started again, and tells what to do where changes are gone', async () => {
    await fillStore(from);
    const changes = from.changes.bind(from);
    let gaps = 1;
    from.changes = async (after, limit) => {
      if (gaps > 0) await from.putConfig(writeOf('meanwhile', `${gaps}`));
      gaps -= 1;
      return gaps < 0 ? changes(after, limit) : { gap: true, upTo: await from.revision() };
    };
    assert.deepEqual((await copy(from, to)).wrong, []);
    assert.deepEqual(await rowsOf(to), await rowsOf(from));
    gaps = 2;
    const message = `from changed more meanwhile than its feed keeps; what it removed is still in other: empty that, remove ${statePath()}, and start anew`;
    const target = new StoreTarget(await memoryStore(), 'other', new Patience(host, 0));
    await assert.rejects(copy(from, to, { target }), { name: 'MoveError', message });
  });

  it('goes through sqlite and back', async () => {
    await fillStore(from, 450);
    const sqlite = createSqliteStore(host, { path: join(folder, 'through.sqlite') });
    await sqlite.start();
    try {
      assert.deepEqual((await copy(from, sqlite)).wrong, []);
      assert.deepEqual((await copy(sqlite, to)).wrong, []);
      assert.deepEqual(await rowsOf(to), await rowsOf(from));
    } finally {
      await sqlite.stop();
    }
  });

  it('is refused where something stands, unless it may be written over', async () => {
    await fillStore(from);
    await to.putConfig(writeOf('c.1', 'other'));
    await to.putConfig(writeOf('kept', 'own'));
    await assert.rejects(copy(from, to), { name: 'MoveError', message: /to is not empty: .*--into-existing/ });
    assert.equal((await to.getConfig(keyOf('c.1')))!.content, 'other');
    const result = await copy(from, to, { isIntoExisting: true });
    assert.deepEqual(result.wrong, []);
    assert.equal((await to.getConfig(keyOf('c.1')))!.content, 'content 1');
    assert.equal((await to.getConfig(keyOf('kept')))!.content, 'own');
    for (const record of ['namespace', 'capacity', 'switch', 'service'] as const) {
      assert.equal((await to.scanRecords(record, 10)).items.length, record === 'capacity' ? 2 : 1, record);
    }
  });

  it('goes on after a failure of either side, writing no past twice', async () => {
    await fillStore(from, 900);
    const broken = breaking(to, 'putMoved', 3);
    await assert.rejects(copy(from, broken), { name: 'StoreError', kind: 'unavailable' });
    assert.ok((await to.scanConfigs(1000)).items.length > 0);
    assert.match(await readFile(statePath(), 'utf8'), /"cursor":"config /);
    await assert.rejects(copy(breaking(from, 'scanHistory', 1), to), { kind: 'unavailable' });
    const result = await copy(from, to);
    assert.deepEqual(result.wrong, []);
    assert.ok(lines.some((line) => line.startsWith('going on where')));
    assert.deepEqual(await rowsOf(to), await rowsOf(from));
  });

  it('stops between two pages when it is told to, and goes on', async () => {
    await fillStore(from, 900);
    let pages = 0;
    await assert.rejects(copy(from, to, { isStopped: () => ++pages > 7 }), { name: 'MoveStoppedError' });
    assert.deepEqual((await copy(from, to)).wrong, []);
    assert.deepEqual(await rowsOf(to), await rowsOf(from));
  });

  it('goes on with no copy of other stores', async () => {
    await fillStore(from);
    await assert.rejects(copy(from, breaking(to, 'putMoved', 0)));
    const other = new StoreTarget(to, 'elsewhere', new Patience(host, 0));
    await assert.rejects(copy(from, to, { target: other }), /is the state of a copy from from to to/);
  });

  it('goes on neither from an older store at the same place nor into one that was emptied', async () => {
    await fillStore(from, 900);
    let pages = 0;
    await assert.rejects(copy(from, to, { isStopped: () => ++pages > 7 }), { name: 'MoveStoppedError' });
    const older = await memoryStore();
    await fillStore(older, 2);
    await assert.rejects(copy(older, to), {
      name: 'MoveError',
      message: /from is not the store that .*: it has revision/,
    });
    const emptied = await memoryStore();
    const lost = /to is empty, but .* says that \d+ rows were copied to it: remove that file/;
    await assert.rejects(copy(from, emptied), { name: 'MoveError', message: lost });
    assert.deepEqual((await copy(from, to)).wrong, []);
  });

  it('has what changed while it was made', async () => {
    await fillStore(from, 500);
    const changing = onCall(from, 'scanVariants', 1, async () => {
      await from.putConfig(writeOf('c.1', 'changed'));
      await from.putConfig(writeOf('new', 'new'));
      await from.removeConfig(keyOf('c.2'), { ip: '', user: null });
      await from.putVariant(variantOf('c.3', 'late', { kind: 'beta' }));
      await from.removeRecord('instance', INSTANCE);
    });
    // Once more while it is compared.
    const again = onCall(changing, 'scanVariants', 2, async () => {
      await from.putConfig(writeOf('c.4', 'changed'));
      await from.removeVariant(keyOf('c.1'), { kind: 'beta' });
    });
    assert.deepEqual((await copy(again, to)).wrong, []);
    const withoutPast = async (store: Store) =>
      (await rowsOf(store, false)).filter((row) => (row as { what: string }).what !== 'history');
    assert.deepEqual(await withoutPast(to), await withoutPast(from));
    assert.equal(await to.getRecord('instance', INSTANCE), undefined);
  });

  it('that goes on tells of rows that were damaged in what was copied before', async () => {
    await fillStore(from);
    const damaged = new Proxy(from, {
      get: (store, name) => {
        if (name !== 'scanConfigs') return bound(store, name);
        return async (limit: number, after?: string) => ({
          ...(await store.scanConfigs(limit, after)),
          damaged: ['config with the id 7 does not fit its checksum'],
        });
      },
    });
    await assert.rejects(copy(damaged, breaking(to, 'putMoved', 1)), { kind: 'unavailable' });
    const progress = new Progress(host.clock, (line) => lines.push(line));
    await copy(damaged, to, { progress });
    assert.equal(progress.damagedRows.size, 1);
  });

  it('says which rows the target does not have as they are', async () => {
    await fillStore(from);
    const wrong = onCall(to, 'getConfig', 1, async () => {
      await to.putConfig(writeOf('c.3', 'falsified'));
    });
    const { wrong: found } = await copy(from, wrong);
    assert.deepEqual(found, ['config ["","g","c.3"]: it differs']);
  });

  it('has all but what the target does not take, and names that', async () => {
    await fillStore(from);
    const picky = new Proxy(to, {
      get: (store, name) => {
        if (name !== 'putMoved') return bound(store, name);
        return async (rows: Parameters<MemoryStore['putMoved' & keyof MemoryStore] & object>[0]) => {
          const all = rows as unknown as readonly { row: { dataId: string } }[];
          if (all.some(({ row }) => row.dataId === 'c.2')) throw new StoreError('invalid', 'c.2 is too large');
          await store.putMoved!(rows as never);
        };
      },
    });
    const { wrong } = await copy(from, picky);
    assert.equal(wrong.length, 2);
    assert.match(wrong[0]!, /c\.2.*: c\.2 is too large/);
    assert.equal((await to.getConfig(keyOf('c.3')))!.content, 'content 3');
  });

  it('leaves the past out where the engine cannot take it, and makes none by going on', async () => {
    await fillStore(from, 300);
    const plain = new Proxy(to, {
      get: (store, name) => (name === 'putMoved' ? undefined : bound(store, name)),
    });
    await assert.rejects(copy(from, breaking(plain, 'putConfig', 250)), { kind: 'unavailable' });
    const target = new StoreTarget(plain, 'to', new Patience(host, 0));
    assert.deepEqual((await copy(from, plain, { target })).wrong, []);
    assert.ok(target.pastLeftOut > 300);
    assert.equal((await to.searchHistory(keyOf('c.1'), 0, 10)).total, 1);
    const present = async (store: Store) =>
      (await rowsOf(store, false)).filter((row) => (row as { what: string }).what !== 'history');
    assert.deepEqual(await present(to), await present(from));
  });

  it('does not mind a target that forgets what is old', async () => {
    await fillStore(from);
    const past = { nid: '5', configId: '0', operation: 'U', ...keyOf('old'), content: 'x', md5: md5('x') } as const;
    const row = { ...past, appName: '', sourceIp: '', sourceUser: null, atMs: 0 };
    await from.putMoved!([{ what: 'history', row }]);
    const forgetful = new Proxy(to, {
      get: (store, name) => {
        if (name !== 'getHistory') return bound(store, name);
        return async (nid: string) => {
          const found = await store.getHistory(nid);
          return found?.dataId === 'old' ? undefined : found;
        };
      },
    });
    assert.deepEqual((await copy(from, forgetful)).wrong, []);
  });

  it('waits for a store that is away for a moment', async () => {
    await fillStore(from);
    const patience = new Patience({ ...host, clock: { ...host.clock, sleep: async () => {} } }, 60_000);
    const target = new StoreTarget(breaking(to, 'putMoved', 0, 2), 'to', patience);
    assert.deepEqual((await copy(from, to, { target })).wrong, []);
  });
});

async function memoryStore(): Promise<MemoryStore> {
  const store = createMemoryStore(host, createMemoryDatabase());
  await store.start();
  return store;
}

/** Its calls fail after the first few; `times`: then it is back. */
function breaking<T extends Store>(store: T, call: keyof Store, after: number, times = Number.POSITIVE_INFINITY): T {
  let calls = 0;
  return new Proxy(store, {
    get(target, name) {
      if (name !== call) return bound(target, name);
      return async (...args: readonly unknown[]) => {
        calls += 1;
        if (calls > after && calls <= after + times) throw new StoreError('unavailable', 'the store is away');
        return (bound(target, name) as (...args: readonly unknown[]) => unknown)(...args);
      };
    },
  });
}

/** Does something before the call of that number. */
function onCall<T extends Store>(store: T, call: keyof Store, number: number, run: () => Promise<void>): T {
  let calls = 0;
  return new Proxy(store, {
    get(target, name) {
      if (name !== call) return bound(target, name);
      return async (...args: readonly unknown[]) => {
        calls += 1;
        if (calls === number) await run();
        return (bound(target, name) as (...args: readonly unknown[]) => unknown)(...args);
      };
    },
  });
}

function bound(target: object, name: string | symbol): unknown {
  const value = Reflect.get(target, name, target) as unknown;
  return typeof value === 'function' ? value.bind(target) : value;
}
