import { type Host, NetworkError, type OutboundRequest } from '@nacos-kube/core/host/host.ts';
import { contentMd5 } from '@nacos-kube/core/wire/config.ts';
import { PUBLIC_PORT, type SimulatedCluster } from './cluster.ts';
import { ReadFloors } from './read-floors.ts';
import { type RegisterOperation, registerProblem } from './register.ts';

const KEYS = ['config-0', 'config-1', 'config-2'];
const WRITERS = 2;
const PUBLISH_MS = 4_000;
const READ_MS = 2_000;
const STORED_READ_MS = 5_000;
const TIMEOUT_MS = 3_000;
const POLL_MS = 30_000;
const POLL_TIMEOUT_MS = 35_000;
const POLL_AGAIN_MS = 1_000;
/** The last operation has ended, and every node has looked at the feed since. */
const SPREAD_MS = 6_000;
/** From its start a node may be this long at what its disk and the store hold. */
const LOADING_MS = 15_000;
/** How many runs of what is asked again until every node has answered at the end. */
const LAST_TRIES_MAX = 5;
const NEVER = Number.POSITIVE_INFINITY;

export interface ConfigStage {
  readonly cluster: SimulatedCluster;
  /** Those who write and read, and those who listen. */
  readonly hosts: { readonly callers: readonly Host[]; readonly listeners: Host };
  readonly nowMs: () => number;
}

/**
 * Promise P2. Several publish, some only over what they know, and read what is stored, through any node, with faults in
 * between: there is an order that explains all answers. What a node has acknowledged or served it serves from then on,
 * each text that is read was committed, in the end every node serves the last one and every listener was told of it.
 */
export class ConfigChecker {
  readonly violations: string[] = [];
  readonly floors: ReadFloors;
  readonly #stage: ConfigStage;
  readonly #histories = new Map<string, RegisterOperation[]>(KEYS.map((key) => [key, []]));
  /** `node key` to what its listener has. */
  readonly #told = new Map<string, string>();
  /** The newest that any caller knows of each. */
  readonly #known = new Map<string, string>();
  #isEnding = false;
  #published = 0;
  operations = 0;

  constructor(stage: ConfigStage) {
    this.#stage = stage;
    this.floors = new ReadFloors(stage.cluster);
  }

  get histories(): number {
    return [...this.#histories.values()].filter((history) => history.length > 0).length;
  }

  start(): void {
    const { callers, listeners } = this.#stage.hosts;
    for (let n = 0; n < WRITERS; n++) {
      const host = callers[n % callers.length]!;
      this.#regularly(host, PUBLISH_MS, () => this.#publish(host, this.#anyNode(host), anyOf(host, KEYS)));
    }
    for (const host of callers) {
      this.#regularly(host, READ_MS, () => this.#read(host, this.#anyNode(host), anyOf(host, KEYS)));
      this.#regularly(host, STORED_READ_MS, () => this.#readStored(host, this.#anyNode(host), anyOf(host, KEYS)));
    }
    for (const node of this.#stage.cluster.names) listeners.background('listen', this.#listen(node));
  }

  /** After all is whole again. */
  async checkEqual(): Promise<void> {
    this.#isEnding = true;
    const [host] = this.#stage.hosts.callers as [Host];
    await host.clock.sleep(SPREAD_MS);
    for (const key of KEYS) await this.#publishAtLast(host, key);
    await host.clock.sleep(SPREAD_MS);
    for (const key of KEYS) {
      const last = this.#stage.cluster.commits.last(key);
      for (const node of this.#stage.cluster.names) {
        const served = await this.#readAgain(host, node, key);
        if (served !== last) this.violations.push(`${node} serves ${served} of ${key} at the end, not ${last}`);
        const told = this.#told.get(`${node} ${key}`);
        if (told !== last)
          this.violations.push(`the listener at ${node} has ${told} of ${key} at the end, not ${last}`);
      }
      const problem = registerProblem(this.#histories.get(key)!);
      if (problem !== undefined) this.violations.push(`what was seen of ${key} cannot be: ${problem}`);
    }
  }

  /** One such operation at a time. */
  #regularly(host: Host, periodMs: number, run: () => Promise<unknown>): void {
    let isBusy = false;
    host.clock.every(periodMs, () => {
      if (isBusy || this.#isEnding) return;
      isBusy = true;
      const done = run().finally(() => {
        isBusy = false;
      });
      host.background('work on configs', done);
    });
  }

  async #publish(host: Host, node: string, key: string): Promise<boolean> {
    const value = `text-${++this.#published}`;
    const from = this.#known.get(key);
    const isSwap = from !== undefined && !this.#isEnding && host.random.int(3) === 0;
    const condition = isSwap ? `&casMd5=${md5Of(from)}` : '';
    const startMs = this.#stage.nowMs();
    const answer = await this.#ask(host, node, 'POST', '', {
      form: `dataId=${key}&group=g&content=${value}${condition}`,
    });
    // It found something else, and left it.
    if (isSwap && answer?.status === 409) return false;
    const isAcknowledged = answer?.status === 200 && answer.text === 'true';
    this.#note(key, startMs, isAcknowledged ? this.#stage.nowMs() : NEVER, {
      ...(isSwap ? { kind: 'swap', from } : { kind: 'write' }),
      value,
    });
    if (!isAcknowledged) return false;
    this.#known.set(key, value);
    const place = this.#stage.cluster.commits.placeOf(key, value);
    if (place < 0) this.#violated(`${node} acknowledged ${value} of ${key}, which was never committed`);
    this.floors.raise(node, key, place, this.#stage.nowMs());
    return true;
  }

  async #read(host: Host, node: string, key: string): Promise<string | undefined> {
    const { cluster, nowMs } = this.#stage;
    const floor = this.floors.of(node, key);
    const life = cluster.node(node)?.startedMs;
    const isLoading = life === undefined || nowMs() - life < LOADING_MS || cluster.isPaused(node);
    const answer = await this.#ask(host, node, 'GET', `?dataId=${key}&group=g`);
    if (answer === undefined || cluster.node(node)?.startedMs !== life) return undefined;
    if (answer.status >= 500) {
      if (floor >= 0 && !isLoading) this.#violated(`${node} does not serve ${key} (${answer.status}), and has it`);
      return undefined;
    }
    this.operations++;
    const place = answer.status === 404 ? -1 : cluster.commits.placeOf(key, answer.text);
    if (answer.status === 200 && place < 0) this.#violated(`${node} serves ${answer.text}, which was never committed`);
    if (place < floor) this.#violated(`${node} serves ${answer.text} of ${key}, and served a later one before`);
    this.floors.raise(node, key, place, nowMs());
    return answer.status === 200 ? answer.text : undefined;
  }

  /** As consoles do: past the cache of the node. */
  async #readStored(host: Host, node: string, key: string): Promise<void> {
    const startMs = this.#stage.nowMs();
    const answer = await this.#ask(host, node, 'GET', `?dataId=${key}&group=g&show=all`);
    if (answer?.status !== 200) return;
    const value = answer.text === '' ? undefined : (JSON.parse(answer.text) as { readonly content: string }).content;
    this.#note(key, startMs, this.#stage.nowMs(), { kind: 'read', value });
    if (value !== undefined) this.#known.set(key, value);
  }

  async #listen(node: string): Promise<never> {
    const { listeners } = this.#stage.hosts;
    for (;;) {
      const listening = KEYS.map((key) => `${key}\x02g\x02${md5Of(this.#told.get(`${node} ${key}`))}\x01`).join('');
      const answer = await this.#ask(listeners, node, 'POST', '/listener', {
        form: `Listening-Configs=${encodeURIComponent(listening)}`,
        headers: { 'long-pulling-timeout': String(POLL_MS) },
        timeoutMs: POLL_TIMEOUT_MS,
      });
      if (answer?.status !== 200) await listeners.clock.sleep(POLL_AGAIN_MS);
      else {
        for (const key of KEYS.filter((one) => answer.text.includes(one))) {
          const content = await this.#read(listeners, node, key);
          if (content !== undefined) this.#told.set(`${node} ${key}`, content);
        }
      }
    }
  }

  async #publishAtLast(host: Host, key: string): Promise<void> {
    for (let tries = 0; tries < LAST_TRIES_MAX; tries++) {
      if (await this.#publish(host, this.#anyNode(host), key)) return;
    }
    this.violations.push(`${key} cannot be published at the end`);
  }

  async #readAgain(host: Host, node: string, key: string): Promise<string | undefined> {
    for (let tries = 0; tries < LAST_TRIES_MAX; tries++) {
      const served = await this.#read(host, node, key);
      if (served !== undefined) return served;
    }
    return undefined;
  }

  async #ask(
    host: Host,
    node: string,
    method: string,
    path: string,
    more: {
      readonly form?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly timeoutMs?: number;
    } = {},
  ): Promise<{ readonly status: number; readonly text: string } | undefined> {
    const { form, headers = {}, timeoutMs = TIMEOUT_MS } = more;
    const request: OutboundRequest = {
      ...{ address: node, port: PUBLIC_PORT, method, path: `/nacos/v1/cs/configs${path}`, timeoutMs },
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      ...(form !== undefined && { body: form }),
    };
    try {
      const answer = await host.network.request(request);
      return { status: answer.status, text: new TextDecoder().decode(answer.body) };
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
      return undefined;
    }
  }

  #note(key: string, startMs: number, endMs: number, what: RegisterOperation['what']): void {
    this.operations++;
    this.#histories.get(key)!.push({ startMs, endMs, what });
  }

  #violated(what: string): void {
    this.violations.push(`at ${(this.#stage.nowMs() / 1000).toFixed(1)} s ${what}`);
  }

  #anyNode(host: Host): string {
    return anyOf(host, this.#stage.cluster.names);
  }
}

function anyOf<T>(host: Host, from: readonly T[]): T {
  return from[host.random.int(from.length)]!;
}

function md5Of(content: string | undefined): string {
  return content === undefined ? '' : contentMd5(content);
}
