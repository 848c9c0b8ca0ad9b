import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Instance } from '@nacos-kube/core/model/instance.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import type { Datum } from '../naming/datum.ts';
import { COMPACT_SLACK_LINES, FLUSH_MS, Journal, PIECE_LINES, RETRY_MS, WAITING_LINES_MAX } from './journal.ts';

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

/** A journal of what `registered` holds. */
function start(host = new FakeHost()) {
  const registered: Datum[] = [];
  const journal = new Journal(host, '/data/naming', () => registered);
  const lines = () => (host.disk.files.get(PATH) ?? '').split('\n').filter((line) => line !== '').length;
  /** As the node does it: into the registry, then into the journal. */
  const add = (...datums: Datum[]) => {
    registered.push(...datums);
    journal.add(datums);
  };
  return { host, registered, journal, lines, add };
}
const readAgain = (host: FakeHost) => new Journal(host, '/data/naming', () => []).read();

test('what was registered and what changed since is read again, in order', async () => {
  const { host, registered, journal, add } = start();
  registered.push(live('10.0.0.1'));
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
  const journalAfter = new Journal(host, '/data/naming', () => []);
  assert.deepEqual(await journalAfter.read(), [live('10.0.0.1')]);
  assert.equal(journalAfter.skippedLines, 2);
});

test('it is written anew when most of its lines are of the past', async () => {
  const { host, registered, journal, lines, add } = start();
  journal.start();
  await host.advance(FLUSH_MS);
  for (let n = 0; n <= COMPACT_SLACK_LINES; n++) add(live('10.0.0.1', n + 1));
  await host.advance(FLUSH_MS);
  assert.equal(lines(), COMPACT_SLACK_LINES + 1);
  registered.splice(0, registered.length, live('10.0.0.1', 99));
  await host.advance(FLUSH_MS);
  assert.equal(lines(), 1);
  assert.deepEqual([...host.disk.files.keys()], [PATH]);
});

test('what changes while it is written anew is in it, and it may be larger than a piece', async () => {
  const { host, registered, journal, lines } = start();
  for (let n = 0; n < PIECE_LINES + 5; n++) registered.push(live(`10.1.${n >> 8}.${n & 255}`));
  const { append } = host.disk;
  let isFirst = true;
  host.disk.append = async (path) => {
    const file = await append.call(host.disk, path);
    return {
      ...file,
      write: async (content) => {
        await file.write(content);
        if (isFirst) journal.add([live('10.0.0.9')]);
        isFirst = false;
      },
    };
  };
  journal.start();
  await host.advance(2 * FLUSH_MS);
  assert.equal(lines(), PIECE_LINES + 6);
  assert.deepEqual((await readAgain(host)).at(-1), live('10.0.0.9'));
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
  const { host, journal, add } = start();
  journal.start();
  await host.advance(FLUSH_MS);
  const many = Array.from({ length: WAITING_LINES_MAX + 1 }, () => live('10.0.0.1'));
  add(...many.slice(0, 1));
  journal.add(many);
  await host.advance(2 * FLUSH_MS);
  assert.deepEqual(await readAgain(host), [live('10.0.0.1')]);
});

test('a failure that nobody foresaw does not end the journal', async () => {
  const { host, registered, journal, add } = start();
  registered.push(live('10.0.0.1'));
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
