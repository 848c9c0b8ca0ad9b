/** Publishers, readers and listeners of a few keys, on all nodes at once, that note what they asked and were told. */
import { createHash } from 'node:crypto';
import type { RegisterOperation } from '@nacos-kube/core/testing/register-history.ts';
import { delay } from '../kubernetes/processes.ts';
import type { EngineCluster } from './cluster.ts';
import type { Random } from './random.ts';

const GROUP = 'HISTORY';
/** Above what a node takes to refuse a write, below what a paused one keeps its callers. */
const ANSWER_MS_MAX = 6_000;
/** As clients ask for; a poll that is not answered by then is given up and asked for again. */
const HOLD_MS = 30_000;
const PUBLISHERS = 4;
const LENGTH_MAX = 200;
/** Some need room that a full disk has not. */
const LARGE_LENGTH_MAX = 12_000;
const LARGE_ONE_IN = 6;
const PAUSE_MS_MAX = 40;
const TRUTH_PAUSE_MS = 60;

/** `refused`: no connection, so nothing was asked; undefined: no answer. */
type Asked = Answer | 'refused' | undefined;
type Answer = { readonly status: number; readonly text: string };

export interface CallersOptions {
  readonly cluster: EngineCluster;
  readonly random: Random;
  /** Of the keys, so that histories on one cluster do not meet. */
  readonly name: string;
  readonly keys: number;
}

export class Callers {
  readonly operations: RegisterOperation[] = [];
  readonly keys: readonly string[];
  acknowledged = 0;
  unanswered = 0;
  wakes = 0;
  /** Keys whose row the engine itself calls damaged, so that nobody knows what it should hold. */
  readonly damaged = new Set<string>();
  readonly #cluster: EngineCluster;
  readonly #random: Random;
  readonly #name: string;
  readonly #publishers: Promise<void>[];
  readonly #readers: Promise<void>[];
  /** What each listener was told last, by key. */
  readonly #heard: readonly Map<string, string | null>[];
  #contents = 0;
  #isPublishing = true;
  #isReading = true;
  /** Cuts listeners short that are held. */
  readonly #over = new AbortController();

  constructor({ cluster, random, name, keys }: CallersOptions) {
    this.#cluster = cluster;
    this.#random = random;
    this.#name = name;
    this.keys = Array.from({ length: keys }, (_, i) => `${name}.key-${i}`);
    this.#heard = cluster.nodes.map(() => new Map());
    this.#publishers = Array.from({ length: PUBLISHERS }, () => this.#publishOn());
    this.#readers = [
      ...cluster.nodes.flatMap((_, index) => [this.#readOn(index), this.#listenOn(index)]),
      this.#readTruthOn(),
    ];
  }

  async stopPublishing(): Promise<void> {
    this.#isPublishing = false;
    await Promise.all(this.#publishers);
  }

  async stop(): Promise<void> {
    this.#isReading = false;
    await this.stopPublishing();
    this.#over.abort();
    await Promise.all(this.#readers);
  }

  /** What the store holds of each key; undefined when it cannot be asked now. */
  async truth(): Promise<readonly (string | null)[] | undefined> {
    const values: (string | null)[] = [];
    for (const key of this.keys) {
      const value = await this.#read(this.#random.int(this.#cluster.nodes.length), key, 'truth');
      if (value === undefined && !this.damaged.has(key)) return undefined;
      values.push(value ?? null);
    }
    return values;
  }

  /** What each node serves, and what its listener knows. */
  async served(): Promise<readonly (readonly (string | null | undefined)[])[]> {
    const rows: (readonly (string | null | undefined)[])[] = [];
    for (const [index] of this.#cluster.nodes.entries()) {
      rows.push(await Promise.all(this.keys.map((key) => this.#read(index, key, 'copy'))));
      rows.push(this.keys.map((key) => this.#heard[index]!.get(key) ?? null));
    }
    return rows;
  }

  async #publishOn(): Promise<void> {
    /** What this publisher believes to stand there, so that swaps mostly fit. */
    const believed = new Map<string, string | null>();
    while (this.#isPublishing) {
      const index = this.#random.int(this.#cluster.nodes.length);
      const key = this.keys[this.#random.int(this.keys.length)]!;
      const chance = this.#random.int(10);
      if (chance === 0) await this.#remove(index, key, believed);
      else await this.#publish(index, key, believed, chance <= 2);
      await delay(this.#random.int(PAUSE_MS_MAX));
    }
  }

  async #publish(index: number, key: string, believed: Map<string, string | null>, isSwap: boolean): Promise<void> {
    const length = this.#random.int(LARGE_ONE_IN) === 0 ? LARGE_LENGTH_MAX : LENGTH_MAX;
    const value = `${this.#name} ${++this.#contents} ${'.'.repeat(this.#random.int(length))}`;
    const expected = believed.get(key);
    const casMd5 = isSwap && typeof expected === 'string' ? md5(expected) : undefined;
    const form = { dataId: key, group: GROUP, content: value, ...(casMd5 !== undefined && { casMd5 }) };
    const common = { key, session: this.#cluster.session(index), calledAt: performance.now() };
    const answer = await this.#ask(index, 'POST', '/v1/cs/configs', new URLSearchParams(form));
    if (answer === 'refused') return;
    const isDone = answer?.status === 200 && answer.text === 'true';
    const isRefused = casMd5 !== undefined && answer?.status === 409;
    const answeredAt = isDone || isRefused ? performance.now() : undefined;
    if (casMd5 === undefined) this.operations.push({ ...common, kind: 'write', value, answeredAt });
    else this.operations.push({ ...common, kind: 'swap', expected: expected!, value, isDone, answeredAt });
    this.#count(isDone, answeredAt);
    if (isDone) believed.set(key, value);
    else believed.delete(key);
  }

  async #remove(index: number, key: string, believed: Map<string, string | null>): Promise<void> {
    const common = { key, session: this.#cluster.session(index), calledAt: performance.now() };
    const answer = await this.#ask(index, 'DELETE', `/v1/cs/configs?dataId=${key}&group=${GROUP}`);
    if (answer === 'refused') return;
    const isDone = answer?.status === 200 && answer.text === 'true';
    const answeredAt = isDone ? performance.now() : undefined;
    this.operations.push({ ...common, kind: 'write', value: null, answeredAt });
    this.#count(isDone, answeredAt);
    believed.delete(key);
  }

  async #readOn(index: number): Promise<void> {
    while (this.#isReading) {
      await this.#read(index, this.keys[this.#random.int(this.keys.length)]!, 'copy');
      await delay(this.#random.int(PAUSE_MS_MAX));
    }
  }

  async #readTruthOn(): Promise<void> {
    while (this.#isReading) {
      const index = this.#random.int(this.#cluster.nodes.length);
      await this.#read(index, this.keys[this.#random.int(this.keys.length)]!, 'truth');
      await delay(this.#random.int(TRUTH_PAUSE_MS));
    }
  }

  /** As a client listens: one poll for all keys, then a read of each that changed. */
  async #listenOn(index: number): Promise<void> {
    const heard = this.#heard[index]!;
    while (this.#isReading) {
      const lines = this.keys.map((key) => `${key}\u0002${GROUP}\u0002${md5Of(heard.get(key) ?? null)}\u0001`);
      const form = new URLSearchParams({ 'Listening-Configs': lines.join('') });
      const answer = await this.#ask(index, 'POST', '/v1/cs/configs/listener', form);
      if (answer === undefined || answer === 'refused' || answer.status !== 200) {
        await delay(PAUSE_MS_MAX);
        continue;
      }
      const changed = decodeURIComponent(answer.text)
        .split('\u0001')
        .filter((line) => line.trim() !== '');
      for (const line of changed) {
        this.wakes += 1;
        const key = line.split('\u0002')[0]!;
        const value = await this.#read(index, key, 'copy');
        if (value !== undefined) heard.set(key, value);
      }
    }
  }

  /** Null: there is none; undefined: it was not told. */
  async #read(index: number, key: string, of: 'truth' | 'copy'): Promise<string | null | undefined> {
    const common = { key, session: this.#cluster.session(index), calledAt: performance.now() };
    const show = of === 'truth' ? '&show=all' : '';
    const answer = await this.#ask(index, 'GET', `/v1/cs/configs?dataId=${key}&group=${GROUP}${show}`);
    const value = answer === undefined || answer === 'refused' ? undefined : registered(answer, of);
    if (of === 'truth' && typeof answer === 'object' && answer.text.includes('the store is damaged'))
      this.damaged.add(key);
    if (value !== undefined)
      this.operations.push({ ...common, kind: 'read', of, value, answeredAt: performance.now() });
    return value;
  }

  async #ask(index: number, method: string, path: string, body?: URLSearchParams): Promise<Asked> {
    const headers = { 'Long-Pulling-Timeout': `${HOLD_MS}` };
    const tooLate = AbortSignal.timeout(ANSWER_MS_MAX);
    const signal = path.endsWith('/listener') ? AbortSignal.any([tooLate, this.#over.signal]) : tooLate;
    try {
      const response = await fetch(this.#cluster.nodes[index]!.url(path), {
        ...{ method, headers, signal },
        ...(body !== undefined && { body }),
      });
      return { status: response.status, text: await response.text() };
    } catch (error) {
      return (error as { readonly cause?: { readonly code?: string } }).cause?.code === 'ECONNREFUSED'
        ? 'refused'
        : undefined;
    }
  }

  #count(isDone: boolean, answeredAt: number | undefined): void {
    if (isDone) this.acknowledged += 1;
    else if (answeredAt === undefined) this.unanswered += 1;
  }
}

function registered({ status, text }: Answer, of: 'truth' | 'copy'): string | null | undefined {
  if (of === 'copy') return status === 200 ? text : status === 404 ? null : undefined;
  if (status !== 200) return undefined;
  return text === '' ? null : (JSON.parse(text) as { readonly content: string }).content;
}

function md5Of(value: string | null): string {
  return value === null ? '' : md5(value);
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}
