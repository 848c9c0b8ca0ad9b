import type { Host, HttpRequest, HttpResponse, Timer } from '@nacos-kube/core/host/host.ts';
import { configError } from '@nacos-kube/core/wire/config-errors.ts';
import { type GroupKey, parseGroupKey } from '@nacos-kube/core/wire/config-key.ts';
import { encodeListenerAnswer, type Listening } from '@nacos-kube/core/wire/listener.ts';
import type { ConfigCache } from './cache.ts';
import {
  LongPollMachine,
  POLL_BOUNDS,
  POLL_TICK_MS,
  type PollBounds,
  type PollEvent,
  type PollId,
} from './long-poll.ts';
import { ownText } from './own-text.ts';
import type { Viewer } from './view.ts';

const NONE: ReadonlySet<string> = new Set();

interface Waiting {
  readonly resolve: (answer: HttpResponse) => void;
  readonly reject: (reason: Error) => void;
}

/** A poll that is compared when its time is over. */
interface FixedWaiting extends Waiting {
  readonly viewer: Viewer;
  readonly listening: Listening;
}

export interface PollDriverParts {
  readonly host: Host;
  readonly cache: ConfigCache;
  /** Keys whose md5 is not the one that the client has. */
  readonly changed: (listening: Listening, viewer: Viewer) => readonly GroupKey[];
  readonly bounds?: PollBounds;
}

/** Holds the answers of long polls until the machine releases them. */
export class PollDriver {
  readonly #host: Host;
  readonly #cache: ConfigCache;
  readonly #changed: PollDriverParts['changed'];
  readonly #machine: LongPollMachine;
  readonly #waiting = new Map<PollId, Waiting | FixedWaiting>();
  #ids: PollId = 0;
  #tick: Timer | undefined;
  #refused = 0;

  constructor({ host, cache, changed, bounds = POLL_BOUNDS }: PollDriverParts) {
    this.#host = host;
    this.#cache = cache;
    this.#changed = changed;
    this.#machine = new LongPollMachine(bounds);
    cache.changes.subscribe(({ groupKey, before, after }) => {
      if (before?.md5 !== after?.md5) this.#step({ kind: 'changed', groupKey });
    });
    cache.variants.changes.subscribe(({ groupKey, before, after }) => {
      if (before?.md5 === after?.md5 && before?.betaIps === after?.betaIps) return;
      // A tag may matter to whoever holds the key: to be woken for nothing does no harm (spec: gotcha 4).
      if ((after ?? before)?.variant.kind === 'tag') this.#step({ kind: 'changed', groupKey });
      else this.#step({ kind: 'changed', groupKey, ips: (before?.ips ?? NONE).union(after?.ips ?? NONE) });
    });
  }

  /**
   * To be called in the turn in which the keys were found unchanged: then nothing can change in between, which is as
   * good as registering first and comparing afterwards.
   */
  hold(request: HttpRequest, viewer: Viewer, keys: Iterable<GroupKey>, holdMs: number): Promise<HttpResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>();
    return this.#hold(request, viewer, keys, holdMs, { resolve, reject }, promise);
  }

  /** Waits for its time whatever changes, and compares then. */
  holdFixed(request: HttpRequest, viewer: Viewer, listening: Listening, holdMs: number): Promise<HttpResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>();
    const owned = new Map([...listening].map(([key, md5]) => [ownText(key), ownText(md5)]));
    const waiting: FixedWaiting = { resolve, reject, viewer, listening: owned };
    return this.#hold(request, viewer, owned.keys(), holdMs, waiting, promise);
  }

  /** The md5 that each address holds of a key; of a poll that is held it is the one that the cache has for it. */
  listeners(groupKey: GroupKey): ReadonlyMap<string, string> {
    const md5s = new Map<string, string>();
    for (const holder of this.#machine.holders(groupKey)) md5s.set(holder.clientIp, this.#cache.md5(groupKey, holder));
    for (const { viewer, listening } of this.#fixed()) {
      const md5 = listening.get(groupKey);
      if (md5 !== undefined) md5s.set(viewer.clientIp, md5);
    }
    return md5s;
  }

  listenersOfIp(clientIp: string): ReadonlyMap<GroupKey, string> {
    const md5s = new Map<GroupKey, string>();
    for (const [key, holder] of this.#machine.heldBy(clientIp)) md5s.set(key, this.#cache.md5(key, holder));
    for (const { viewer, listening } of this.#fixed()) {
      if (viewer.clientIp === clientIp) for (const [key, md5] of listening) md5s.set(key, md5);
    }
    return md5s;
  }

  /** Has every client compare anew. */
  release(): void {
    this.#step({ kind: 'release' });
  }

  /** Answers all; whoever asks to be held from now on is answered soon, and asks another node then. */
  drain(): void {
    this.#step({ kind: 'drain' });
  }

  metrics() {
    const { held, heldKeys, watchedKeys } = this.#machine;
    return { longPolls: held, heldKeys, watchedKeys, pollsRefused: this.#refused };
  }

  #hold(
    request: HttpRequest,
    { clientIp, tag }: Viewer,
    keys: Iterable<GroupKey>,
    holdMs: number,
    waiting: Waiting | FixedWaiting,
    promise: Promise<HttpResponse>,
  ): Promise<HttpResponse> {
    this.#ids += 1;
    const poll = this.#ids;
    this.#waiting.set(poll, waiting);
    request.onGone(this.#forgetter(poll));
    const isFixed = 'listening' in waiting;
    this.#step({ kind: 'hold', poll, clientIp, tag, keys, isFixed, holdMs, jitter: this.#host.random.float() });
    return promise;
  }

  *#fixed(): Generator<FixedWaiting> {
    for (const waiting of this.#waiting.values()) if ('listening' in waiting) yield waiting;
  }

  /** Made apart from `hold`, so that what it closes over cannot be the request. */
  #forgetter(poll: PollId): () => void {
    return () => {
      this.#waiting.delete(poll);
      this.#step({ kind: 'gone', poll });
    };
  }

  #step(event: PollEvent): void {
    for (const effect of this.#machine.step(event, this.#host.clock.monotonic())) {
      if (effect.kind === 'refuse') {
        this.#refused += 1;
        // Clients go to the next node on 503; on any other refusal they ask again at once, without end.
        this.#take(effect.poll)?.reject(configError(503, effect.reason));
        continue;
      }
      const answer = encodeListenerAnswer(effect.changed === undefined ? [] : [parseGroupKey(effect.changed)]);
      for (const poll of effect.polls) this.#answer(this.#take(poll), answer);
    }
    this.#keepTime();
  }

  #answer(waiting: Waiting | FixedWaiting | undefined, answer: HttpResponse): void {
    if (waiting === undefined) return;
    if (!('listening' in waiting)) waiting.resolve(answer);
    else waiting.resolve(encodeListenerAnswer(this.#changed(waiting.listening, waiting.viewer).map(parseGroupKey)));
  }

  #take(poll: PollId): Waiting | FixedWaiting | undefined {
    const waiting = this.#waiting.get(poll);
    this.#waiting.delete(poll);
    return waiting;
  }

  /** The clock runs only while somebody waits. */
  #keepTime(): void {
    if (this.#machine.held === 0) {
      this.#tick?.cancel();
      this.#tick = undefined;
    } else {
      this.#tick ??= this.#host.clock.every(POLL_TICK_MS, () => this.#step({ kind: 'tick' }));
    }
  }
}
