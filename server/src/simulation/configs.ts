import { type Host, NetworkError, type OutboundRequest } from '@nacos-kube/core/host/host.ts';
import type { Store } from '../store/store.ts';
import { PUBLIC_PORT } from './cluster.ts';

const KEYS = 3;
const PUBLISH_MS = 2_000;
const READ_MS = 1_000;
const TIMEOUT_MS = 3_000;
/** The last publish has ended, and every node has looked at the feed since. */
const SPREAD_MS = 6_000;
/** How many runs of what is asked again until every node has answered at the end. */
const LAST_READS_MAX = 5;

/** What the store has committed, in order; no content is written twice. */
export class CommitLog {
  readonly #contents = new Map<string, string[]>();

  /** Configurations that were ever written. */
  get size(): number {
    return this.#contents.size;
  }

  /** A store that notes each commit in the turn in which it happens. */
  watching<T extends Store>(store: T): T {
    const putConfig = store.putConfig.bind(store);
    store.putConfig = async (write) => {
      const written = await putConfig(write);
      if (written.outcome === 'written') this.#noted(write.dataId).push(write.content);
      return written;
    };
    return store;
  }

  /** -1 when it was never committed. */
  placeOf(dataId: string, content: string): number {
    return this.#noted(dataId).indexOf(content);
  }

  last(dataId: string): string | undefined {
    return this.#noted(dataId).at(-1);
  }

  #noted(dataId: string): string[] {
    let contents = this.#contents.get(dataId);
    if (contents === undefined) {
      contents = [];
      this.#contents.set(dataId, contents);
    }
    return contents;
  }
}

/**
 * Promise P2 in a simple form: what a node has acknowledged it serves from then on, what a node serves never goes back,
 * each text that is read was committed, and in the end every node serves the last one. One publish and one read are
 * under way at a time, through any node.
 */
export class ConfigChecker {
  readonly violations: string[] = [];
  readonly #host: Host;
  readonly #nodes: readonly string[];
  readonly #log: CommitLog;
  readonly #nowMs: () => number;
  /** `node dataId` to the place in the log that reads of it must have reached. */
  readonly #floors = new Map<string, number>();
  #isPublishing = false;
  #isReading = false;
  #isEnding = false;
  #published = 0;
  acknowledged = 0;
  reads = 0;

  constructor(host: Host, nodes: readonly string[], log: CommitLog, nowMs: () => number) {
    this.#host = host;
    this.#nodes = nodes;
    this.#log = log;
    this.#nowMs = nowMs;
  }

  get histories(): number {
    return this.#log.size;
  }

  get operations(): number {
    return this.#published + this.reads;
  }

  start(): void {
    const { clock } = this.#host;
    clock.every(PUBLISH_MS, () => {
      if (this.#isPublishing || this.#isEnding) return;
      this.#isPublishing = true;
      const done = () => {
        this.#isPublishing = false;
      };
      this.#host.background('publish', this.#publish(this.#anyNode(), this.#anyKey()).finally(done));
    });
    clock.every(READ_MS, () => {
      if (this.#isReading || this.#isEnding) return;
      this.#isReading = true;
      const done = () => {
        this.#isReading = false;
      };
      this.#host.background('read', this.#read(this.#anyNode(), this.#anyKey()).finally(done));
    });
  }

  /** After all is whole again. */
  async checkEqual(): Promise<void> {
    this.#isEnding = true;
    await this.#host.clock.sleep(SPREAD_MS);
    for (const node of this.#nodes) {
      for (let key = 0; key < KEYS; key++) {
        const dataId = `config-${key}`;
        const served = await this.#readAgain(node, dataId);
        const last = this.#log.last(dataId);
        if (served !== last) this.violations.push(`${node} serves ${served} of ${dataId} at the end, not ${last}`);
      }
    }
  }

  async #publish(node: string, dataId: string): Promise<void> {
    const content = `text-${++this.#published}`;
    const form = `dataId=${dataId}&group=g&content=${content}`;
    const answer = await this.#ask(node, 'POST', '/nacos/v1/cs/configs', form);
    // Without an answer it may be committed or not, now or later: then nothing is known.
    if (answer?.status !== 200 || answer.text !== 'true') return;
    this.acknowledged++;
    const place = this.#log.placeOf(dataId, content);
    if (place < 0) this.#violated(`${node} acknowledged ${content} of ${dataId}, which was never committed`);
    this.#raise(node, dataId, place);
  }

  async #read(node: string, dataId: string): Promise<string | undefined> {
    const floor = this.#floors.get(`${node} ${dataId}`) ?? -1;
    const answer = await this.#ask(node, 'GET', `/nacos/v1/cs/configs?dataId=${dataId}&group=g`);
    if (answer === undefined || answer.status >= 500) return undefined;
    this.reads++;
    const place = answer.status === 404 ? -1 : this.#log.placeOf(dataId, answer.text);
    if (answer.status === 200 && place < 0) this.#violated(`${node} serves ${answer.text}, which was never committed`);
    if (place < floor) this.#violated(`${node} serves ${answer.text} of ${dataId}, and served a later one before`);
    this.#raise(node, dataId, place);
    return answer.status === 200 ? answer.text : undefined;
  }

  async #readAgain(node: string, dataId: string): Promise<string | undefined> {
    for (let tries = 0; tries < LAST_READS_MAX; tries++) {
      const served = await this.#read(node, dataId);
      if (served !== undefined) return served;
    }
    return undefined;
  }

  async #ask(node: string, method: string, path: string, form?: string) {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const request: OutboundRequest = { address: node, port: PUBLIC_PORT, method, path, timeoutMs: TIMEOUT_MS };
    try {
      const answer = await this.#host.network.request({
        ...request,
        ...(form !== undefined && { headers, body: form }),
      });
      return { status: answer.status, text: new TextDecoder().decode(answer.body) };
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
      return undefined;
    }
  }

  #raise(node: string, dataId: string, place: number): void {
    const id = `${node} ${dataId}`;
    this.#floors.set(id, Math.max(place, this.#floors.get(id) ?? -1));
  }

  #violated(what: string): void {
    this.violations.push(`at ${(this.#nowMs() / 1000).toFixed(1)} s ${what}`);
  }

  #anyNode(): string {
    return this.#nodes[this.#host.random.int(this.#nodes.length)]!;
  }

  #anyKey(): string {
    return `config-${this.#host.random.int(KEYS)}`;
  }
}
