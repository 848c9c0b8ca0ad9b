import { BackOff } from '@nacos-kube/core/back-off.ts';
import type { Host, Log, Timer } from '@nacos-kube/core/host/host.ts';
import type { KubeApi, WatchEvent } from './api.ts';
import { isGone, KubeError } from './api.ts';
import type { KubeObject, ObjectKey } from './objects.ts';
import { objectKey } from './objects.ts';
import type { ResourceType } from './resource-types.ts';

export interface ReflectorOptions<T extends KubeObject> {
  readonly type: ResourceType;
  readonly kubeNamespace?: string;
  readonly labelSelector?: string;
  /** Told of each change, after the cache has it: `after` is undefined for what was deleted. */
  readonly onChange: (key: ObjectKey, before: T | undefined, after: T | undefined) => void;
}

const LIST_LIMIT = 500;
/** Ends a watch that tells nothing, bookmarks included: a dead connection looks just so. */
export const SILENCE_MAX_MS = 90_000;
const BACK_OFF_FIRST_MS = 800;
const BACK_OFF_MAX_MS = 30_000;
/** A watch that lived so long was a good one. */
const GOOD_WATCH_MS = 5_000;

/**
 * Mirrors the objects of one type. It lists page by page, watches from there and never gives up:
 *
 *   listing --ok--> watching --ended--> watching (from the last resource version)
 *      ^               |
 *      +--410, error---+   after a back-off of 0.8 s to 30 s
 *
 * What is gone when a new list comes is reported as deleted then; until a list is whole nothing is.
 */
export class Reflector<T extends KubeObject> {
  readonly #host: Host;
  readonly #api: KubeApi;
  readonly #options: ReflectorOptions<T>;
  readonly #log: Log;
  readonly #backOff: BackOff;
  readonly #objects = new Map<ObjectKey, T>();
  readonly #synced = Promise.withResolvers<void>();
  #hasSynced = false;
  #isStopped = false;
  #abort: AbortController | undefined;
  #running: Promise<void> | undefined;
  #pause: { readonly timer: Timer; readonly end: () => void } | undefined;

  constructor(host: Host, api: KubeApi, options: ReflectorOptions<T>) {
    this.#host = host;
    this.#api = api;
    this.#options = options;
    this.#log = host.log.area(`watch ${options.type.plural}`);
    this.#backOff = new BackOff(host.random, BACK_OFF_FIRST_MS, BACK_OFF_MAX_MS);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#abort?.abort();
    this.#pause?.timer.cancel();
    this.#pause?.end();
    await this.#running;
  }

  /** Whether a whole list has been seen. Before, a missing object means nothing. */
  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** Resolves with the first whole list. */
  whenSynced(): Promise<void> {
    return this.#synced.promise;
  }

  get(key: ObjectKey): T | undefined {
    return this.#objects.get(key);
  }

  values(): IterableIterator<T> {
    return this.#objects.values();
  }

  async #run(): Promise<void> {
    let resourceVersion: string | undefined;
    while (!this.#isStopped) {
      try {
        resourceVersion ??= await this.#list();
        if (this.#isStopped) return;
        resourceVersion = await this.#watch(resourceVersion);
      } catch (error) {
        if (this.#isStopped) return;
        if (isGone(error)) resourceVersion = undefined;
        if (error instanceof WatchFailure) resourceVersion = error.resourceVersion;
        const delayMs = this.#backOff.nextMs();
        // One lost connection is daily life; that it does not come back is news.
        const tell = this.#backOff.failures > 2 ? 'warn' : 'debug';
        this.#log[tell](`failed, trying again in ${delayMs} ms`, { error });
        await this.#sleep(delayMs);
      }
    }
  }

  async #list(): Promise<string> {
    const seen = new Map<ObjectKey, T>();
    let page: { continue: string; resourceVersion: string } | undefined;
    do {
      const { kubeNamespace, labelSelector, type } = this.#options;
      const got = await this.#api.list<T>(type, {
        limit: LIST_LIMIT,
        ...(kubeNamespace === undefined ? {} : { kubeNamespace }),
        ...(labelSelector === undefined ? {} : { labelSelector }),
        ...(page ? { continue: page.continue } : {}),
      });
      for (const object of got.items) seen.set(objectKey(object.metadata), object);
      page = got;
    } while (page.continue !== '' && !this.#isStopped);
    if (this.#isStopped) return '';

    for (const key of [...this.#objects.keys()]) if (!seen.has(key)) this.#put(key, undefined);
    for (const [key, object] of seen) this.#put(key, object);
    this.#hasSynced = true;
    this.#synced.resolve();
    return page.resourceVersion;
  }

  /** Watches until the server ends it well; returns where to go on from. */
  async #watch(from: string): Promise<string> {
    let resourceVersion = from;
    let failure: KubeError | undefined;
    const abort = new AbortController();
    this.#abort = abort;
    const startedMs = this.#host.clock.monotonic();
    let silence = this.#silenceTimer(abort);
    const { kubeNamespace, labelSelector, type } = this.#options;
    try {
      await this.#api.watch(
        type,
        {
          resourceVersion,
          timeoutSeconds: 300 + this.#host.random.int(301),
          signal: abort.signal,
          ...(kubeNamespace === undefined ? {} : { kubeNamespace }),
          ...(labelSelector === undefined ? {} : { labelSelector }),
        },
        (event) => {
          silence.cancel();
          silence = this.#silenceTimer(abort);
          if (failure || abort.signal.aborted) return;
          if (event.type === 'ERROR') {
            const { code = 500, reason = '', message = 'the watch failed' } = event.object;
            failure = new KubeError(code, reason, message);
            return;
          }
          resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion;
          this.#take(event);
        },
      );
    } catch (error) {
      failure = error as KubeError;
    } finally {
      silence.cancel();
    }
    const livedMs = this.#host.clock.monotonic() - startedMs;
    if (livedMs >= GOOD_WATCH_MS) this.#backOff.reset();
    if (failure && isGone(failure)) throw failure;
    // A watch that ends as soon as it begins would be asked for again without rest.
    if (failure || (livedMs < 1_000 && !this.#isStopped)) {
      throw new WatchFailure(resourceVersion, failure ?? new Error(`the watch ended after ${Math.round(livedMs)} ms`));
    }
    return resourceVersion;
  }

  #take(event: WatchEvent): void {
    if (event.type === 'BOOKMARK') return;
    const key = objectKey(event.object.metadata);
    this.#put(key, event.type === 'DELETED' ? undefined : (event.object as KubeObject as T));
  }

  #put(key: ObjectKey, after: T | undefined): void {
    const before = this.#objects.get(key);
    if (after === undefined) this.#objects.delete(key);
    else this.#objects.set(key, after);
    if (before === undefined && after === undefined) return;
    if (before && after && before.metadata.resourceVersion === after.metadata.resourceVersion) return;
    try {
      this.#options.onChange(key, before, after);
    } catch (error) {
      this.#log.error('a reader of changes failed', { key, error });
    }
  }

  #silenceTimer(abort: AbortController): Timer {
    return this.#host.clock.after(SILENCE_MAX_MS, () => {
      this.#log.debug(`silent for ${SILENCE_MAX_MS} ms, watching anew`);
      abort.abort();
    });
  }

  async #sleep(delayMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pause = { timer: this.#host.clock.after(delayMs, resolve), end: resolve };
    await promise;
  }
}

class WatchFailure extends Error {
  override readonly name = 'WatchFailure';
  readonly resourceVersion: string;
  constructor(resourceVersion: string, cause: Error) {
    super(cause.message, { cause });
    this.resourceVersion = resourceVersion;
  }
}
