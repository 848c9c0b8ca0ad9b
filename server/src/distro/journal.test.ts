import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Instance } from '@nacos-kube/core/model/instance.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import type { Datum } from '../naming/datum.ts';
import { COMPACT_SLACK_LINES, FLUSH_MS, Journal, PIECE_LINES, RETRY_MS, WAITING_MAX } from './journal.ts';

const PATH = '/data/naming/instances.jsonl';
const instance = (ip: string): Instance => ({
  ip,
  port: 80,
  cluster: 'DEFAULT',
  weight: 1,
  healthy: true,
  enabled: true,
  ephemeral: true,
  metadata: new Map([['text', 'a\nb']]),
  instanceId: ip,
  app: '',
});
const live = (ip: string, sequence = 1): Datum => ({
  service: 'public##DEFAULT_GROUP@@demo',
  key: `${ip}:80:DEFAULT`,
  stamp: { epoch: 1, sequence, owner: 'm1' },
  kind: 'live',
  instance: instance(ip),
});

const left = (ip: string, sequence: number): Datum => ({
  service: 'public##DEFAULT_GROUP@@demo',
  key: `${ip}:80:DEFAULT`,
  stamp: { epoch: 1, sequence, owner: 'm1' },
  kind: 'left',
});

/** A registry, as far as a journal sees it. */
class Registered {
  readonly datums = new Map<string, Datum>();

  put(...datums: readonly Datum[]): void {
    for (const datum of datums) this.datums.set(datum.key, datum);
  }

  allDatums(): Iterable<Datum> {
    return this.datums.values();
  }

  datumsOfInstance(_service: string, key: string): readonly Datum[] {
    const datum = this.datums.get(key);
    return datum === undefined ? [] : [datum];
  }
}

/** A journal of what `registered` holds. */
function start(host = new FakeHost()) {
  const registered = new Registered();
  const journal = new Journal(host, '/data/naming', registered);
  const lines = () => (host.disk.files.get(PATH) ?? '').split('\n').filter((line) => line !== '').length;
  /** As the node does it: into the registry, then into the journal. */
  const add = (...datums: Datum[]) => {
    registered.put(...datums);
    for (const { service, key } of datums) journal.changed(service, [key]);
  };
  return { host, registered, journal, lines, add };
}
const readAgain = (host: FakeHost) => new Journal(host, '/data/naming', new Registered()).read();

test('what was registered and what changed since is read again, in order', async () => {
  const { host, registered, journal, add } = start();
  registered.put(live('10.0.0.1'));
  journal.start();
  await host.advance(FLUSH_MS);
  add(live('10.0.0.2'));
  add(live('10.0.0.1', 2));
  await host.advance(FLUSH_MS);
  assert.deepEqual(await readAgain(host), [live('10.0.0.1'), live('10.0.0.2'), live('10.0.0.1', 2)]);
});

test('a journal that is not there is empty, one that cannot be read is told and counted', async () => {
  const { host } = start();
  assert.deepEqual(await readAgain(host), []);
  assert.deepEqual(host.log.lines, []);
});

test('a torn line and a foreign one are skipped, the others count', async () => {
  const { host, journal, add } = start();
  journal.start();
  await host.advance(FLUSH_MS);
  add(live('10.0.0.1'), live('10.0.0.2'));
  await host.advance(FLUSH_MS);
  const whole = host.disk.files.get(PATH) ?? '';
  host.disk.files.set(PATH, `{"foreign":true}\n\n${whole.slice(0, -20)}`);
  const journalAfter = new Journal(host, '/data/naming', new Registered());
  assert.deepEqual(await journalAfter.read(), [live('10.0.0.1')]);
  assert.equal(journalAfter.skippedLines, 2);
});

test('several changes of an instance become one line, of what it is at the flush', async () => {
  const { host, journal, lines, add } = start();
  journal.start();
  await host.advance(FLUSH_MS);
  add(live('10.0.0.1', 1));
  add(live('10.0.0.2', 2));
  add(live('10.0.0.1', 3));
  add(left('10.0.0.1', 4));
  await host.advance(FLUSH_MS);
  assert.equal(lines(), 2);
  assert.deepEqual(await readAgain(host), [left('10.0.0.1', 4), live('10.0.0.2', 2)]);
});

test('an instance that left after its line was written is read again as one that left', async () => {
  const { host, journal, add } = start();
  journal.start();
  await host.advance(FLUSH_MS);
  add(live('10.0.0.1', 1));
  await host.advance(FLUSH_MS);
  add(left('10.0.0.1', 2));
  await host.advance(FLUSH_MS);
  assert.deepEqual(await readAgain(host), [live('10.0.0.1', 1), left('10.0.0.1', 2)]);
});

test('a line of what was forgotten altogether before the flush does not stay', async () => {
  const { host, registered, journal, add } = start();
  journal.start();
  await host.advance(FLUSH_MS);
  add(live('10.0.0.1'), live('10.0.0.2'));
  await host.advance(FLUSH_MS);
  add(left('10.0.0.1', 2));
  registered.datums.delete(left('10.0.0.1', 2).key);
  await host.advance(2 * FLUSH_MS);
  assert.deepEqual(await readAgain(host), [live('10.0.0.2')]);
});

test('it is written anew when most of its lines are of the past', async () => {
  const { host, registered, journal, lines, add } = start();
  const many = Array.from({ length: COMPACT_SLACK_LINES / 2 }, (_, n) => live(`10.1.${n >> 8}.${n & 255}`));
  journal.start();
  await host.advance(FLUSH_MS);
  for (const last of [many, many, many.slice(0, 1)]) {
    add(...last);
    await host.advance(FLUSH_MS);
  }
  assert.equal(lines(), COMPACT_SLACK_LINES + 1);
  registered.datums.clear();
  registered.put(live('10.0.0.1', 99));
  await host.advance(FLUSH_MS);
  assert.equal(lines(), 1);
  assert.deepEqual([...host.disk.files.keys()], [PATH]);
});

/** Carries this out after the next write to a file that is opened from now on. */
function afterNextWrite(host: FakeHost, what: () => void): void {
  const { append } = host.disk;
  let isDone = false;
  host.disk.append = async (path) => {
    const file = await append.call(host.disk, path);
    const write = async (content: string | Uint8Array) => {
      await file.write(content);
      if (!isDone) what();
      isDone = true;
    };
    return { ...file, write };
  };
}

test('what changes while it is written anew is in it, and it may be larger than a piece', async () => {
  const { host, registered, journal, lines, add } = start();
  for (let n = 0; n < PIECE_LINES + 5; n++) registered.put(live(`10.1.${n >> 8}.${n & 255}`));
  afterNextWrite(host, () => add(live('10.1.0.0', 2)));
  journal.start();
  await host.advance(2 * FLUSH_MS);
  assert.equal(lines(), PIECE_LINES + 6);
  assert.deepEqual((await readAgain(host)).at(-1), live('10.1.0.0', 2));
});

test('what changes while a piece of the changes before is written comes with the next flush', async () => {
  const { host, journal, lines, add } = start();
  journal.start();
  await host.advance(FLUSH_MS);
  afterNextWrite(host, () => add(live('10.1.0.0', 2)));
  add(...Array.from({ length: PIECE_LINES + 5 }, (_, n) => live(`10.1.${n >> 8}.${n & 255}`)));
  await host.advance(FLUSH_MS);
  assert.equal(lines(), PIECE_LINES + 5);
  await host.advance(FLUSH_MS);
  assert.equal(lines(), PIECE_LINES + 6);
  assert.deepEqual((await readAgain(host)).at(-1), live('10.1.0.0', 2));
});

test('a piece takes lines of any length and any characters', async () => {
  const { host, registered, journal } = start();
  const names = ['x', 'größe', '\u{1f40b}'.repeat(20_000), '\ud800', 'y'.repeat(300_000)];
  const datums = names.map((name, n): Datum => {
    const datum = live(`10.0.0.${n}`) as Datum & { readonly kind: 'live' };
    return { ...datum, instance: { ...datum.instance, app: name } };
  });
  registered.put(...datums);
  journal.start();
  await host.advance(FLUSH_MS);
  assert.deepEqual(await readAgain(host), datums);
});

test('a full disk costs nothing but the journal: it is told once, counted, and made good', async () => {
  const { host, journal, lines, add } = start();
  journal.start();
  await host.advance(FLUSH_MS);
  host.disk.fault = 'full';
  add(live('10.0.0.1'));
  await host.advance(5 * RETRY_MS);
  assert.equal(lines(), 0);
  assert.ok(journal.failures >= 4);
  assert.equal(host.log.lines.filter((line) => line.startsWith('warn')).length, 1);
  host.disk.fault = undefined;
  add(live('10.0.0.2'));
  await host.advance(RETRY_MS + FLUSH_MS);
  assert.deepEqual(await readAgain(host), [live('10.0.0.1'), live('10.0.0.2')]);
});

test('a disk that takes nothing for long does not fill the memory', async () => {
  const { host, registered, journal } = start();
  journal.start();
  await host.advance(FLUSH_MS);
  registered.put(live('10.0.0.1'));
  const keys = Array.from(
    { length: WAITING_MAX + 1 },
    (_, n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}:80:DEFAULT`,
  );
  let asked = 0;
  registered.datumsOfInstance = () => {
    asked++;
    return [];
  };
  journal.changed('public##DEFAULT_GROUP@@demo', keys);
  await host.advance(2 * FLUSH_MS);
  assert.equal(asked, 0);
  assert.deepEqual(await readAgain(host), [live('10.0.0.1')]);
});

test('a failure that nobody foresaw does not end the journal', async () => {
  const { host, registered, journal, add } = start();
  registered.put(live('10.0.0.1'));
  const { rename } = host.disk;
  host.disk.rename = () => Promise.reject(new RangeError('Invalid string length'));
  journal.start();
  await host.advance(FLUSH_MS);
  assert.match(host.log.lines.join('\n'), /error journal failed/);
  host.disk.rename = rename;
  add(live('10.0.0.2'));
  await host.advance(RETRY_MS + FLUSH_MS);
  assert.deepEqual(await readAgain(host), [live('10.0.0.1'), live('10.0.0.2')]);
});

test('a stop writes what is left', async () => {
  const { host, journal, add } = start();
  journal.start();
  await host.advance(FLUSH_MS);
  add(live('10.0.0.1'));
  await journal.stop();
  assert.deepEqual(await readAgain(host), [live('10.0.0.1')]);
});
