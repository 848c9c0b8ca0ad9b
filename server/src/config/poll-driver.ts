import type { Host, HttpRequest, HttpResponse, Timer } from '@nacos-kube/core/host/host.ts';
import { configError } from '@nacos-kube/core/wire/config-errors.ts';
import { type GroupKey, parseGroupKey } from '@nacos-kube/core/wire/config-key.ts';
import { encodeListenerAnswer } from '@nacos-kube/core/wire/listener.ts';
import type { ConfigCache } from './cache.ts';
import {
  LongPollMachine,
  POLL_BOUNDS,
  POLL_TICK_MS,
  type PollBounds,
  type PollEvent,
  type PollId,
} from './long-poll.ts';

interface Waiting {
  readonly resolve: (answer: HttpResponse) => void;
  readonly reject: (reason: Error) => void;
}

/** Holds the answers of long polls until the machine releases them. */
export class PollDriver {
  readonly #host: Host;
  readonly #machine: LongPollMachine;
  readonly #waiting = new Map<PollId, Waiting>();
  #ids: PollId = 0;
  #tick: Timer | undefined;
  #refused = 0;

  constructor(host: Host, cache: ConfigCache, bounds: PollBounds = POLL_BOUNDS) {
    this.#host = host;
    this.#machine = new LongPollMachine(bounds);
    cache.changes.subscribe(({ groupKey, before, after }) => {
      if (before?.md5 !== after?.md5) this.#step({ kind: 'changed', groupKey });
    });
  }

  /**
   * To be called in the turn in which the keys were found unchanged: then nothing can change in between, which is as
   * good as registering first and comparing afterwards.
   */
  hold(request: HttpRequest, clientIp: string, keys: Iterable<GroupKey>, holdMs: number): Promise<HttpResponse> {
    this.#ids += 1;
    const poll = this.#ids;
    const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>();
    this.#waiting.set(poll, { resolve, reject });
    request.onGone(this.#forgetter(poll));
    this.#step({ kind: 'hold', poll, clientIp, keys, holdMs, jitter: this.#host.random.float() });
    return promise;
  }

  /** Has every client compare anew. */
  release(): void {
    this.#step({ kind: 'release' });
  }

  /** Answers all; whoever asks to be held from now on is sent to another node. */
  drain(): void {
    this.#step({ kind: 'drain' });
  }

  metrics() {
    const { held, heldKeys, watchedKeys } = this.#machine;
    return { longPolls: held, heldKeys, watchedKeys, pollsRefused: this.#refused };
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
      for (const poll of effect.polls) this.#take(poll)?.resolve(answer);
    }
    this.#keepTime();
  }

  #take(poll: PollId): Waiting | undefined {
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
