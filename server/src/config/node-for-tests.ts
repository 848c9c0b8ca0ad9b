import assert from 'node:assert/strict';
import type { HttpResponse } from '@nacos-kube/core/host/host.ts';
import { createPipeline } from '@nacos-kube/core/http/pipeline.ts';
import { writeListening } from '@nacos-kube/core/wire/listener.ts';
import { Follower, type FollowerSettings } from '../store/follow.ts';
import { createMemoryDatabase, createMemoryStore, type MemoryDatabase } from '../store/memory.ts';
import type { Store } from '../store/store.ts';
import type { CapacitySettings } from './capacity.ts';
import { createFakeHost, type FakeHost } from './fake-host.ts';
import { type ConfigService, createConfigService } from './service.ts';

export async function twoNodes(
  follow: FollowerSettings = {},
  withHints = true,
  more: Pick<NodeOptions, 'capacity' | 'contentCacheBytesMax'> = {},
) {
  const database = createMemoryDatabase();
  const host = createFakeHost('node-1');
  const a = await startNode(host, database, { ...more, follow, withHints });
  const b = await startNode(createFakeHost('node-2', host), database, { ...more, follow, withHints });
  return { a, b, host, database };
}

type Headers = Readonly<Record<string, string>>;

export interface NodeOptions {
  readonly follow?: FollowerSettings;
  readonly withHints?: boolean;
  readonly contentCacheBytesMax?: number;
  readonly capacity?: CapacitySettings;
}

export async function startNode(host: FakeHost, database: MemoryDatabase, options: NodeOptions = {}) {
  const node = new TestNode(host, database, options);
  await node.start();
  return node;
}

/** A node's configuration behind the real pipeline, called with request values. */
export class TestNode {
  readonly host: FakeHost;
  readonly service: ConfigService;
  readonly hints: number[] = [];
  diesAfterCommit = false;
  /** How much later than its commit a write is answered. */
  slowWrites = 0;
  onScan: () => void = () => undefined;
  /** Before a row is read by itself. */
  onRead: () => void = () => undefined;
  readonly store: Store;
  readonly #follower: Follower;
  readonly #handle: ReturnType<typeof createPipeline>;

  constructor(host: FakeHost, database: MemoryDatabase, options: NodeOptions) {
    this.host = host;
    this.store = this.#faulty(createMemoryStore(host, database), options.withHints ?? true);
    this.#follower = new Follower(host, this.store, options.follow);
    this.service = createConfigService(host, this.store, this.#follower, {
      dumpDirectory: 'data/config',
      peers: {
        listed: () => ['peer'],
        isHealthy: () => true,
        hint: async (_, revision) => void this.hints.push(revision),
      },
      ...(options.contentCacheBytesMax === undefined ? {} : { contentCacheBytesMax: options.contentCacheBytesMax }),
      ...(options.capacity === undefined ? {} : { capacity: options.capacity }),
    });
    this.#handle = createPipeline({
      contextPath: '/nacos',
      routes: this.service.routes,
      authorize: () => undefined,
      clientIp: ({ headers, remote }) => headers['test-client-ip'] ?? remote.address,
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
      isUp = await this.store.start().then(
        () => true,
        () => false,
      );
      if (!isUp) await this.host.clock.sleep(1_000);
    }
  }

  async stop(): Promise<void> {
    await this.#inTime(Promise.resolve(this.service.stop?.()));
    this.#follower.stop();
    await this.store.stop();
    assert.deepEqual(this.host.crashes, []);
  }

  publish(dataId: string, content: string, more: Readonly<Record<string, string>> = {}): Promise<HttpResponse> {
    return this.call('POST', '/v1/cs/configs', { dataId, group: 'g', content, ...more });
  }

  get(dataId: string, more: Headers = {}, headers: Headers = {}): Promise<HttpResponse> {
    return this.call('GET', '/v1/cs/configs', { dataId, group: 'g', ...more }, headers);
  }

  remove(dataId: string, more: Headers = {}): Promise<HttpResponse> {
    return this.call('DELETE', '/v1/cs/configs', { dataId, group: 'g', ...more });
  }

  /** For the clients at these addresses only, separated by commas. */
  publishBeta(dataId: string, content: string, betaips: string): Promise<HttpResponse> {
    return this.call('POST', '/v1/cs/configs', { dataId, group: 'g', content }, { betaips });
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
    return [...this.host.files.keys()].filter((path) => /\/[0-9a-f]{64}\.[0-9a-f]{16}$/.test(path)).sort();
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
        if (name === 'getConfig') this.onRead();
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

export function shown({ status, body }: HttpResponse): readonly [number, string] {
  return [status, typeof body === 'string' ? body : new TextDecoder('utf-8', { ignoreBOM: true }).decode(body)];
}
