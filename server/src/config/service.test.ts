import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HttpResponse } from '@nacos-kube/core/host/host.ts';
import { createPipeline } from '@nacos-kube/core/http/pipeline.ts';
import { contentMd5 } from '@nacos-kube/core/wire/config.ts';
import { writeListening } from '@nacos-kube/core/wire/listener.ts';
import { FOLLOW_PERIOD_MS, Follower, type FollowerSettings } from '../store/follow.ts';
import { createMemoryDatabase, createMemoryStore, type MemoryDatabase } from '../store/memory.ts';
import type { Store } from '../store/store.ts';
import { createFakeHost, type FakeHost } from './fake-host.ts';
import { type ConfigService, createConfigService, FULL_DUMP_PERIOD_MS } from './service.ts';

const NEVER_MS = 1e12;

test('a publish is served by its node before it is answered, with the md5 of its bytes', async () => {
  const { a } = await twoNodes();
  const content = '\ufeffa: 1\r\n 配置 ';
  assert.deepEqual(shown(await a.publish('d', content, { type: 'yaml' })), [200, 'true']);
  const answer = await a.get('d');
  assert.deepEqual(shown(answer), [200, content]);
  assert.equal(answer.headers?.['content-md5'], contentMd5(content));
  assert.equal(answer.headers?.['config-type'], 'yaml');
});

test('a publish on one node wakes a poll on another, which then reads the new text', async () => {
  const { a, b, host } = await twoNodes();
  await a.publish('d', 'one');
  await host.advance(100);
  const poll = b.listen([['d', contentMd5('one')]]);
  await host.advance(1_000);
  assert.equal(poll.answer, undefined);
  await a.publish('d', 'two');
  await host.advance(100);
  assert.deepEqual(poll.shown(), [200, 'd%02g%01\n']);
  assert.deepEqual(shown(await b.get('d')), [200, 'two']);
});

test('a poll is answered empty at its time, and at once when it must not hang', async () => {
  const { a, host } = await twoNodes();
  await a.publish('d', 'one');
  const held = a.listen([['d', contentMd5('one')]]);
  const quick = a.listen([['d', contentMd5('one')]], { 'long-pulling-timeout-no-hangup': 'true' });
  await host.advance(0);
  assert.deepEqual(quick.shown(), [200, '']);
  await host.advance(29_000);
  assert.equal(held.answer, undefined);
  await host.advance(500);
  assert.deepEqual(held.shown(), [200, '']);
});

test('a poll that comes with another md5 is told all changed keys at once', async () => {
  const { a, host } = await twoNodes();
  await a.publish('d', 'one');
  await a.publish('e', 'one');
  const poll = a.listen([
    ['d', 'old'],
    ['e', contentMd5('one')],
    ['absent', ''],
    ['removed', 'old'],
  ]);
  await host.advance(0);
  assert.deepEqual(poll.shown(), [200, 'd%02g%01removed%02g%01\n']);
});

test('a removal wakes listeners everywhere and reads 404 afterwards, removing again is fine', async () => {
  const { a, b, host } = await twoNodes();
  await a.publish('d', 'one');
  await host.advance(100);
  const polls = [a.listen([['d', contentMd5('one')]]), b.listen([['d', contentMd5('one')]])];
  await host.advance(0);
  assert.deepEqual(shown(await a.remove('d')), [200, 'true']);
  assert.deepEqual(shown(await a.get('d')), [404, 'config data not exist\n']);
  await host.advance(100);
  for (const poll of polls) assert.deepEqual(poll.shown(), [200, 'd%02g%01\n']);
  assert.deepEqual(shown(await b.get('d')), [404, 'config data not exist\n']);
  assert.deepEqual(shown(await b.remove('d')), [200, 'true']);
});

test('a node that misses every hint finds a publish within 2 s', async () => {
  assert.equal(await findsPublishOfDyingNode({ withHints: false }), true);
});

test('F9: a publisher that dies between commit and hint is noticed within 2 s, and only because nodes follow', async () => {
  assert.equal(await findsPublishOfDyingNode({ withHints: false, dies: true }), true);
  const mutant = await findsPublishOfDyingNode({ withHints: false, dies: true, follow: { periodMs: NEVER_MS } });
  assert.equal(mutant, false, 'with following switched off this scenario must fail, or it proves nothing');
});

test('F12: with the store down at the start the last dump is served, flagged, and caught up later', async () => {
  const database = createMemoryDatabase();
  const first = createFakeHost('node-1');
  const before = await startNode(first, database);
  await before.publish('kept', 'one');
  await before.publish('changed', 'one');
  await before.publish('removed', 'one');
  await first.advance(1_000);
  await before.stop();

  const other = await startNode(createFakeHost('node-2', first), database);
  await other.publish('changed', 'two');
  await other.publish('new', 'one');
  await other.remove('removed');
  database.faults.down = 'unavailable';
  const restarted = createFakeHost('node-1', first);
  for (const [path, bytes] of first.files) restarted.files.set(path, bytes);
  const node = await startNode(restarted, database);
  assert.equal(node.service.notReadyReason?.(), undefined);
  assert.match(node.service.staleReason() ?? '', /last dump/);
  assert.deepEqual(shown(await node.get('kept')), [200, 'one']);
  assert.deepEqual(shown(await node.get('changed')), [200, 'one']);
  // What the dump lacks may exist: a 404 would have clients throw their own copies away.
  assert.equal((await node.get('new')).status, 503);
  assert.deepEqual(shown(await node.publish('kept', 'x')), [
    503,
    'caused: the store cannot be reached, try again later;',
  ]);
  const waiting = node.listen([['new', 'whatever']]);
  await restarted.advance(8_000);
  assert.equal(waiting.answer, undefined);

  database.faults.down = undefined;
  await restarted.advance(6_000);
  assert.equal(node.service.staleReason(), undefined);
  assert.deepEqual(waiting.shown(), [200, 'new%02g%01\n']);
  assert.deepEqual(shown(await node.get('changed')), [200, 'two']);
  assert.deepEqual(shown(await node.get('new')), [200, 'one']);
  assert.equal((await node.get('removed')).status, 404);
  await restarted.advance(1_000);
  assert.equal([...restarted.files.keys()].filter((path) => /[0-9a-f]{64}$/.test(path)).length, 3);
});

test('a first start without the store is alive but not ready, and answers no false 404', async () => {
  const database = createMemoryDatabase();
  database.faults.down = 'unavailable';
  const host = createFakeHost();
  const node = await startNode(host, database);
  assert.match(node.service.notReadyReason?.() ?? '', /store/);
  assert.equal((await node.get('d')).status, 503);
  database.faults.down = undefined;
  await host.advance(6_000);
  assert.equal(node.service.notReadyReason?.(), undefined);
  assert.equal((await node.get('d')).status, 404);
});

test('a dump of nothing is a dump: a cluster without configs restarts without its store', async () => {
  const database = createMemoryDatabase();
  const host = createFakeHost();
  const node = await startNode(host, database);
  await host.advance(1_000);
  await node.stop();
  database.faults.down = 'unavailable';
  assert.equal((await startNode(host, database)).service.notReadyReason?.(), undefined);
});

test('P8: while the store is away reads and polls go on, writes fail, and all heals by itself', async () => {
  const { a, b, host, database } = await twoNodes();
  await a.publish('d', 'one');
  await host.advance(3_000);
  database.faults.down = 'unavailable';
  assert.deepEqual(shown(await b.get('d')), [200, 'one']);
  assert.equal((await a.publish('d', 'lost')).status, 503);
  assert.deepEqual(shown(await a.get('d')), [200, 'one']);
  database.faults.down = 'read-only';
  assert.deepEqual(shown(await a.remove('d')), [503, 'caused: the store takes no writes now, try again later;']);
  await host.advance(20_000);
  assert.match(b.service.staleReason() ?? '', /has not answered for \d+ s/);
  const poll = b.listen([['d', contentMd5('one')]]);
  database.faults.down = undefined;
  await a.publish('d', 'two');
  await host.advance(6_000);
  assert.deepEqual(poll.shown(), [200, 'd%02g%01\n']);
  assert.deepEqual(shown(await b.get('d')), [200, 'two']);
  assert.equal(b.service.staleReason(), undefined);
});

test('a write whose answer was lost is found by the feed', async () => {
  const { a, host, database } = await twoNodes();
  database.faults.losesAnswers = true;
  assert.equal((await a.publish('d', 'one')).status, 503);
  database.faults.losesAnswers = false;
  await host.advance(2_000);
  assert.deepEqual(shown(await a.get('d')), [200, 'one']);
});

test('F14: a full disk costs the dump, not the service; it is told once a minute and repaired later', async () => {
  const { a, host } = await twoNodes();
  await host.advance(1_000);
  a.host.diskFault = 'full';
  for (let i = 0; i < 20; i += 1) await a.publish(`d${i}`, 'text');
  await host.advance(180_000);
  assert.deepEqual(shown(await a.get('d0')), [200, 'text']);
  assert.equal(a.service.metrics()['dumpQueue'], 20);
  assert.ok(a.host.warnings.length >= 2 && a.host.warnings.length <= 4, `${a.host.warnings.length} warnings`);
  a.host.diskFault = undefined;
  await host.advance(11_000);
  assert.equal(a.service.metrics()['dumpQueue'], 0);
  assert.equal(a.dumpFiles().length, 20);
});

test('a dump is written within 1 s, once for many changes, and follows removals', async () => {
  const { a, host } = await twoNodes();
  await host.advance(1_000);
  const writes = a.host.writes;
  for (let i = 0; i < 50; i += 1) await a.publish('d', `text ${i}`);
  await a.publish('e', 'text');
  await host.advance(1_000);
  assert.equal(a.host.writes - writes, 2);
  assert.match(new TextDecoder().decode(a.host.files.get(a.dumpFiles()[0]!)), /text( 49)?$/);
  await a.remove('d');
  await a.remove('e');
  await host.advance(1_000);
  assert.equal(a.dumpFiles().length, 0);
});

test('contents that memory has no room for are read from the dump, and from the store when that is damaged', async () => {
  const database = createMemoryDatabase();
  const host = createFakeHost();
  const node = await startNode(host, database, { contentCacheBytesMax: 10 });
  await node.publish('d', '12345678');
  await node.publish('e', 'abcdefgh');
  await host.advance(1_000);
  assert.deepEqual(shown(await node.get('d')), [200, '12345678']);
  assert.deepEqual(shown(await node.get('e')), [200, 'abcdefgh']);
  assert.equal(node.service.metrics()['readsFromStore'], 0);
  for (const path of node.dumpFiles()) node.host.files.get(path)!.fill(0, 40);
  assert.deepEqual(shown(await node.get('d')), [200, '12345678']);
  assert.equal(node.service.metrics()['dumpDamaged'], 1);
  await host.advance(1_000);
  database.faults.down = 'unavailable';
  assert.deepEqual(shown(await node.get('d')), [200, '12345678'], 'the file was repaired');
  assert.equal((await node.get('e')).status, 503);
});

test('damaged, torn and foreign files are never served, and repaired or removed at the next start', async () => {
  const database = createMemoryDatabase();
  const host = createFakeHost();
  const first = await startNode(host, database);
  for (const dataId of ['a', 'b', 'c']) await first.publish(dataId, `text of ${dataId}`);
  await host.advance(1_000);
  await first.stop();
  const [one, two] = first.dumpFiles();
  host.files.get(one!)![60]! ^= 1;
  host.files.set(two!, host.files.get(two!)!.slice(0, 50));
  const stray = `data/config/00/00/${'0'.repeat(64)}`;
  host.files.set(stray, new TextEncoder().encode('no file of ours'));

  database.faults.down = 'unavailable';
  const stale = await startNode(host, database);
  const statuses = await Promise.all(['a', 'b', 'c'].map(async (dataId) => (await stale.get(dataId)).status));
  assert.deepEqual(statuses.sort(), [200, 503, 503]);
  assert.equal(stale.service.metrics()['dumpDamaged'], 3);
  database.faults.down = undefined;
  await host.advance(8_000);
  assert.equal(stale.dumpFiles().includes(stray), false);
  await stale.stop();

  database.faults.down = 'unavailable';
  const repaired = await startNode(host, database);
  for (const dataId of ['a', 'b', 'c']) {
    assert.deepEqual(shown(await repaired.get(dataId)), [200, `text of ${dataId}`]);
  }
});

test('a start with a good dump writes nothing again', async () => {
  const database = createMemoryDatabase();
  const host = createFakeHost();
  const first = await startNode(host, database);
  for (let i = 0; i < 30; i += 1) await first.publish(`d${i}`, 'text');
  await host.advance(1_000);
  await first.stop();
  const writes = host.writes;
  const second = await startNode(host, database);
  await host.advance(1_000);
  assert.equal(host.writes - writes, 1, 'the mark only');
  assert.equal(second.service.metrics()['configs'], 30);
});

test('a full read that fails half-way removes nothing', async () => {
  const { a, host, database } = await twoNodes({ periodMs: NEVER_MS });
  for (let i = 0; i < 250; i += 1) await a.publish(`d${i}`, 'text');
  await host.advance(1_000);
  let pages = 0;
  a.onScan = () => {
    pages += 1;
    if (pages % 2 === 0) database.faults.down = 'unavailable';
  };
  await host.advance(FULL_DUMP_PERIOD_MS);
  assert.ok(pages >= 2);
  assert.equal(a.service.metrics()['configs'], 250);
  assert.deepEqual(shown(await a.get('d249')), [200, 'text']);
});

test('a config changed behind the feed is found by the regular full read', async () => {
  const { a, b, host } = await twoNodes({ periodMs: NEVER_MS }, false);
  await a.publish('d', 'one');
  await host.advance(10_000);
  assert.equal((await b.get('d')).status, 404);
  await host.advance(FULL_DUMP_PERIOD_MS);
  assert.deepEqual(shown(await b.get('d')), [200, 'one']);
});

test('10,000 keys are listened to in one poll, and one change among them is told', async () => {
  const { a, host } = await twoNodes();
  await a.publish('d7777', 'one');
  const keys = Array.from({ length: 10_000 }, (_, i): [string, string] => [
    `d${i}`,
    i === 7777 ? contentMd5('one') : '',
  ]);
  const poll = a.listen(keys);
  await host.advance(1_000);
  assert.equal(poll.answer, undefined);
  assert.equal(a.service.metrics()['heldKeys'], 10_000);
  await a.publish('d7777', 'two');
  await host.advance(0);
  assert.deepEqual(poll.shown(), [200, 'd7777%02g%01\n']);
  assert.equal(a.service.metrics()['heldKeys'], 0);
});

test('a client that goes away frees its poll', async () => {
  const { a, host } = await twoNodes();
  const poll = a.listen([['d', '']]);
  await host.advance(0);
  assert.equal(a.service.metrics()['longPolls'], 1);
  poll.goAway();
  assert.equal(a.service.metrics()['longPolls'], 0);
});

test('a node that drains answers every poll and sends new ones to another node', async () => {
  const { a, host } = await twoNodes();
  const poll = a.listen([['d', '']]);
  await host.advance(0);
  await a.service.drain?.();
  await host.advance(0);
  assert.deepEqual(poll.shown(), [200, '']);
  const next = a.listen([['d', '']]);
  await host.advance(0);
  assert.deepEqual(next.shown(), [503, 'caused: the node is draining;']);
});

test('bad parameters change nothing and name their fault', async () => {
  const { a } = await twoNodes();
  assert.deepEqual(shown(await a.publish('a/b', 'x')), [400, 'caused: invalid dataId : a/b;']);
  assert.deepEqual(shown(await a.publish('d', ' ')), [400, 'caused: content is blank :  ;']);
  assert.deepEqual(shown(await a.publish('d', 'x', { tag: 't' })), [
    501,
    'caused: publishing under a tag is not supported yet;',
  ]);
  const missing = "caused: Required request parameter 'group' for method parameter type String is not present;";
  assert.deepEqual(shown(await a.call('GET', '/v1/cs/configs', { dataId: 'd' })), [400, missing]);
  assert.deepEqual(shown(await a.call('POST', '/v1/cs/configs/listener', {}, { 'long-pulling-timeout': '30000' })), [
    400,
    'caused: invalid probeModify;',
  ]);
  assert.equal(a.service.metrics()['configs'], 0);
});

test('publishes hint the peers, many at once share a hint', async () => {
  const { a, host } = await twoNodes();
  for (let i = 0; i < 100; i += 1) await a.publish('d', `text ${i}`);
  await host.advance(100);
  assert.deepEqual(a.hints, [1, 100]);
  await a.remove('d');
  await host.advance(100);
  assert.deepEqual(a.hints, [1, 100, 101]);
});

test('what others write while a publish is under way is never hidden by it', async () => {
  const { a, b, host } = await twoNodes();
  await a.publish('d', 'zero');
  await host.advance(100);
  // The answer to node A is late: node B's newer text arrives by the feed before it.
  a.slowWrites = 300;
  const slow = a.publish('d', 'one');
  await host.advance(0);
  const seen: string[] = [];
  await b.publish('d', 'two');
  await host.advance(200);
  seen.push(String(shown(await a.get('d'))[1]));
  await host.advance(200);
  assert.equal((await slow).status, 200);
  seen.push(String(shown(await a.get('d'))[1]));
  assert.deepEqual(seen, ['two', 'two']);
});

async function findsPublishOfDyingNode(options: {
  readonly withHints: boolean;
  readonly dies?: boolean;
  readonly follow?: FollowerSettings;
}): Promise<boolean> {
  const { a, b, host } = await twoNodes(options.follow, options.withHints);
  const poll = b.listen([['d', '']]);
  await host.advance(0);
  if (options.dies) a.diesAfterCommit = true;
  const published = a.publish('d', 'one');
  await host.advance(0);
  if (!options.dies) assert.equal((await published).status, 200);
  await host.advance(FOLLOW_PERIOD_MS);
  return poll.answer !== undefined && shown(await b.get('d'))[1] === 'one';
}

async function twoNodes(follow: FollowerSettings = {}, withHints = true) {
  const database = createMemoryDatabase();
  const host = createFakeHost('node-1');
  const a = await startNode(host, database, { follow, withHints });
  const b = await startNode(createFakeHost('node-2', host), database, { follow, withHints });
  return { a, b, host, database };
}

interface NodeOptions {
  readonly follow?: FollowerSettings;
  readonly withHints?: boolean;
  readonly contentCacheBytesMax?: number;
}

async function startNode(host: FakeHost, database: MemoryDatabase, options: NodeOptions = {}) {
  const node = new TestNode(host, database, options);
  await node.start();
  return node;
}

/** A node's configuration behind the real pipeline, called with request values. */
class TestNode {
  readonly host: FakeHost;
  readonly service: ConfigService;
  readonly hints: number[] = [];
  diesAfterCommit = false;
  /** How much later than its commit a write is answered. */
  slowWrites = 0;
  onScan: () => void = () => undefined;
  readonly #store: Store;
  readonly #follower: Follower;
  readonly #handle: ReturnType<typeof createPipeline>;

  constructor(host: FakeHost, database: MemoryDatabase, options: NodeOptions) {
    this.host = host;
    this.#store = this.#faulty(createMemoryStore(host, database), options.withHints ?? true);
    this.#follower = new Follower(host, this.#store, options.follow);
    this.service = createConfigService(host, this.#store, this.#follower, {
      dumpDirectory: 'data/config',
      hintPeers: (revision) => void this.hints.push(revision),
      ...(options.contentCacheBytesMax === undefined ? {} : { contentCacheBytesMax: options.contentCacheBytesMax }),
    });
    this.#handle = createPipeline({
      contextPath: '/nacos',
      routes: this.service.routes,
      authorize: () => undefined,
      clientIp: (request) => request.remote.address,
      answerFailure: () => undefined,
      log: host.log,
    });
  }

  async start(): Promise<void> {
    this.host.background('start the store', this.#startStore());
    this.#follower.start();
    await this.#inTime(Promise.resolve(this.service.start?.()));
  }

  /** As a program does: without its store it starts all the same, and keeps trying. */
  async #startStore(): Promise<void> {
    for (let isUp = false; !isUp; ) {
      isUp = await this.#store.start().then(
        () => true,
        () => false,
      );
      if (!isUp) await this.host.clock.sleep(1_000);
    }
  }

  async stop(): Promise<void> {
    await this.#inTime(Promise.resolve(this.service.stop?.()));
    this.#follower.stop();
    await this.#store.stop();
    assert.deepEqual(this.host.crashes, []);
  }

  publish(dataId: string, content: string, more: Readonly<Record<string, string>> = {}): Promise<HttpResponse> {
    return this.call('POST', '/v1/cs/configs', { dataId, group: 'g', content, ...more });
  }

  get(dataId: string): Promise<HttpResponse> {
    return this.call('GET', '/v1/cs/configs', { dataId, group: 'g' });
  }

  remove(dataId: string): Promise<HttpResponse> {
    return this.call('DELETE', '/v1/cs/configs', { dataId, group: 'g' });
  }

  listen(keys: readonly (readonly [string, string])[], headers: Readonly<Record<string, string>> = {}) {
    const entries = keys.map(([dataId, md5]) => [{ dataId, group: 'g', namespaceId: '' }, md5] as const);
    const poll = {
      answer: undefined as HttpResponse | undefined,
      goAway: (): void => undefined,
      shown: () => (poll.answer === undefined ? undefined : shown(poll.answer)),
    };
    const listening = { 'Listening-Configs': writeListening(entries) };
    const timeout = { 'long-pulling-timeout': '30000', ...headers };
    const answered = this.call('POST', '/v1/cs/configs/listener', listening, timeout, (run) => {
      poll.goAway = run;
    });
    void answered.then((answer) => {
      poll.answer = answer;
    });
    return poll;
  }

  dumpFiles(): readonly string[] {
    return [...this.host.files.keys()].filter((path) => /\/[0-9a-f]{64}$/.test(path)).sort();
  }

  async call(
    method: string,
    path: string,
    parameters: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = {},
    onGone: (run: () => void) => void = () => undefined,
  ): Promise<HttpResponse> {
    const form = new URLSearchParams(parameters).toString();
    const isPost = method === 'POST';
    return await this.#handle({
      method,
      path: `/nacos${path}`,
      query: isPost ? '' : form,
      headers: isPost ? { ...headers, 'content-type': 'application/x-www-form-urlencoded' } : headers,
      body: new TextEncoder().encode(isPost ? form : ''),
      remote: { address: '10.0.0.9', port: 50_000 },
      onGone,
    });
  }

  /** Lets time pass until the work is done. */
  async #inTime(work: Promise<unknown>): Promise<void> {
    let isDone = false;
    const ended = work.finally(() => {
      isDone = true;
    });
    ended.catch(() => undefined);
    for (let i = 0; i < 1_000 && !isDone; i += 1) await this.host.advance(10);
    await ended;
  }

  #faulty(store: Store, withHints: boolean): Store {
    return new Proxy(store, {
      get: (_, name) => {
        const value = store[name as keyof Store] as unknown;
        if (typeof value !== 'function') return value;
        if (name === 'onHint' && !withHints) return () => undefined;
        if (name === 'putConfig') return (write: never) => this.#put(store, write);
        if (name === 'scanConfigs') this.onScan();
        return value.bind(store);
      },
    });
  }

  async #put(store: Store, write: Parameters<Store['putConfig']>[0]) {
    const written = await store.putConfig(write);
    if (this.diesAfterCommit) await new Promise(() => undefined);
    if (this.slowWrites > 0) await this.host.clock.sleep(this.slowWrites);
    return written;
  }
}

function shown({ status, body }: HttpResponse): readonly [number, string] {
  return [status, typeof body === 'string' ? body : new TextDecoder('utf-8', { ignoreBOM: true }).decode(body)];
}
