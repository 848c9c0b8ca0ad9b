import { type ClientDuplexStream, Metadata } from '@grpc/grpc-js';
import type { Clock, Host } from '@nacos-kube/core/host/host.ts';
import { OPERATION_DEADLINE_MS } from '../bounds.ts';
import { EtcdEndpoint } from './endpoint.ts';
import { EtcdFailure, failureOf } from './failure.ts';
import type { Calls, Streams } from './protocol.ts';
import type { EtcdSettings } from './settings.ts';

/** Of an operation of several calls, of which each is answered within `OPERATION_DEADLINE_MS`. */
const PATIENCE_MS = 5000;
/** After its call; later its caller has gone, or does not count on it any more. */
const BEGIN_MS_MAX = 5000;
/** Where there are others to ask, a member gets no longer for its answer. */
const MEMBER_TIMEOUT_MS = 1200;
const RETRY_WAIT_MS = 25;
const RETRY_WAIT_MS_MAX = 200;
const LOGINS_PER_CALL_MAX = 2;
/** A token that was good for nothing for so long may be why nobody answers. */
const TOKEN_DOUBTED_MS = 5000;

/** When etcd answered last, whoever asked; it does not matter what. */
export interface Answers {
  lastMs: number;
}

/** How long one operation of the store may take: in all, and without any answer. */
export class Patience {
  readonly #clock: Clock;
  readonly #answers: Readonly<Answers>;
  readonly #calledMs: number;
  #endMs: number;
  #silentSinceMs: number;

  constructor(clock: Clock, answers: Readonly<Answers>, patienceMs = PATIENCE_MS) {
    this.#clock = clock;
    this.#answers = answers;
    this.#calledMs = clock.monotonic();
    this.#silentSinceMs = this.#calledMs;
    this.#endMs = this.#calledMs + patienceMs;
  }

  get leftMs(): number {
    return Math.min(this.#endMs, this.#silentSinceMs + OPERATION_DEADLINE_MS) - this.#clock.monotonic();
  }

  answered(): void {
    this.#silentSinceMs = this.#clock.monotonic();
  }

  /**
   * For others, before anything was sent; it costs nothing up to the moment when etcd last answered anybody. Rejects once
   * it is too late to begin, though etcd answers.
   */
  async wait(others: Promise<unknown>): Promise<void> {
    const sinceMs = this.#clock.monotonic();
    await others;
    const { lastMs } = this.#answers;
    if (lastMs > sinceMs) {
      this.#silentSinceMs = Math.max(this.#silentSinceMs, lastMs);
      this.#endMs += lastMs - sinceMs;
    }
    // Who has no time left hears from the call that etcd is silent.
    if (this.leftMs <= 0 || this.#clock.monotonic() - this.#calledMs <= BEGIN_MS_MAX) return;
    const message = `etcd is overloaded: the write waited over ${BEGIN_MS_MAX} ms for others`;
    throw new EtcdFailure(message, { kind: 'unavailable' });
  }
}

interface OpenStream {
  readonly endpoint: EtcdEndpoint;
  cancel(): void;
}

/**
 * Calls to an etcd cluster. One member is asked until it fails; then the next one. Where it hangs its streams end too, for
 * it would keep them as long as the connection stands; one that refuses lives and goes on with them. What it answers in
 * time is passed on; outages are sat out for `OPERATION_DEADLINE_MS`, by calls that may be repeated without harm.
 */
export class EtcdClient {
  readonly place: string;
  readonly #host: Host;
  readonly #settings: EtcdSettings;
  readonly #endpoints: readonly EtcdEndpoint[];
  readonly #answers: Answers = { lastMs: Number.NEGATIVE_INFINITY };
  readonly #streams = new Set<OpenStream>();
  #current = 0;
  #token: Promise<string | undefined> | undefined;
  #isOpen = false;

  constructor(host: Host, settings: EtcdSettings) {
    this.#host = host;
    this.#settings = settings;
    this.place = `etcd ${settings.endpoints.join(',')}`;
    this.#endpoints = settings.endpoints.map((url) => new EtcdEndpoint(host, settings, url));
    // Not all nodes shall ask the same member.
    this.#current = host.random.int(this.#endpoints.length);
  }

  open(): void {
    this.#isOpen = true;
  }

  close(): void {
    this.#isOpen = false;
    for (const endpoint of this.#endpoints) endpoint.close();
  }

  /** How long one member may take for its answer. */
  get answerTimeoutMs(): number {
    return this.#endpoints.length > 1 ? MEMBER_TIMEOUT_MS : OPERATION_DEADLINE_MS;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  patience(patienceMs?: number): Patience {
    return new Patience(this.#host.clock, this.#answers, patienceMs);
  }

  /** For calls that change nothing, or that change the same when they are carried out twice. */
  repeat<Name extends keyof Calls>(name: Name, request: Calls[Name][0], patience: Patience): Promise<Calls[Name][1]> {
    return this.#call(name, request, patience, (failure) => failure.isPassing);
  }

  /** Is repeated only when it surely was not carried out. */
  once<Name extends keyof Calls>(name: Name, request: Calls[Name][0], patience: Patience): Promise<Calls[Name][1]> {
    return this.#call(name, request, patience, (failure) => failure.isPassing && !failure.mayBeDone);
  }

  /** On the member that calls ask, until it hangs; when the stream fails, `leave` it before the next one. */
  async stream<Name extends keyof Streams>(
    name: Name,
  ): Promise<{ readonly stream: ClientDuplexStream<Streams[Name][0], Streams[Name][1]>; leave(): void }> {
    const metadata = await this.#metadata(this.patience());
    this.#requireOpen();
    const endpoint = this.#endpoint;
    const stream = await endpoint.stream(name, metadata);
    const open = { endpoint, cancel: () => stream.cancel() };
    this.#streams.add(open);
    stream.on('status', () => this.#streams.delete(open));
    // Its reader hears of it, and attaches first.
    if (endpoint !== this.#endpoint) this.#host.clock.after(0, open.cancel);
    return { stream, leave: () => this.#leave(endpoint) };
  }

  background(name: string, work: Promise<unknown>): void {
    this.#host.background(name, work);
  }

  /** The next call logs in anew. */
  forgetToken(): void {
    this.#token = undefined;
  }

  get #endpoint(): EtcdEndpoint {
    return this.#endpoints[this.#current]!;
  }

  #leave(endpoint: EtcdEndpoint, doesHang = true): void {
    if (this.#endpoint !== endpoint || this.#endpoints.length === 1) return;
    this.#current = (this.#current + 1) % this.#endpoints.length;
    if (!doesHang) return;
    for (const open of [...this.#streams]) if (open.endpoint === endpoint) open.cancel();
  }

  async #call<Name extends keyof Calls>(
    name: Name,
    request: Calls[Name][0],
    patience: Patience,
    isRepeated: (failure: EtcdFailure) => boolean,
  ): Promise<Calls[Name][1]> {
    const { clock, random } = this.#host;
    let waitMs = RETRY_WAIT_MS;
    let before: EtcdFailure | undefined;
    for (let logins = 0; ; ) {
      this.#requireOpen();
      const endpoint = this.#endpoint;
      let isAsked = false;
      let token: Promise<string | undefined> | undefined;
      try {
        const metadata = name === 'Auth/Authenticate' ? new Metadata() : await this.#metadata(patience);
        token = this.#token;
        if (patience.leftMs <= 0) throw lateFailure(this.place);
        isAsked = true;
        const answer = await endpoint.call(name, request, metadata, Math.min(patience.leftMs, this.answerTimeoutMs));
        this.#answered(name, patience);
        return answer;
      } catch (error) {
        const failure = failureOf(error, this.place);
        if (!this.#isOpen) throw closedFailure(this.place, failure.mayBeDone);
        // A refusal is an answer too.
        if (isAsked && !failure.isPassing) this.#answered(name, patience);
        if (failure.reason === 'token' && this.#settings.user !== undefined && logins < LOGINS_PER_CALL_MAX) {
          logins += 1;
          this.forgetToken();
          continue;
        }
        if (isAsked && failure.isPassing) this.#leave(endpoint, failure.reason === 'late');
        // A member that has not come as far as the one that gave it answers it nothing: after a restore for ever.
        const isDoubted = clock.monotonic() - this.#answers.lastMs >= TOKEN_DOUBTED_MS;
        // Many calls find that at once, and one login is enough.
        if (failure.reason === 'late' && isDoubted && this.#token === token) this.forgetToken();
        if (!isRepeated(failure) || patience.leftMs <= waitMs) throw withReason(failure, before);
        if (failure.reason !== 'late') before = failure;
        await clock.sleep(waitMs * (0.5 + random.float()));
        waitMs = Math.min(waitMs * 2, RETRY_WAIT_MS_MAX);
      }
    }
  }

  #answered(name: keyof Calls, patience: Patience): void {
    patience.answered();
    // A member tells its own state even where nothing can be written.
    if (name !== 'Maintenance/Status') this.#answers.lastMs = this.#host.clock.monotonic();
  }

  /** With word that a member which knows no leader shall say so at once. */
  async #metadata(patience: Patience): Promise<Metadata> {
    const metadata = new Metadata();
    metadata.set('hasleader', 'true');
    const token = await this.#login(patience);
    if (token !== undefined) metadata.set('token', token);
    return metadata;
  }

  #login(patience: Patience): Promise<string | undefined> {
    const { user: name, password } = this.#settings;
    if (name === undefined) return Promise.resolve(undefined);
    if (this.#token === undefined) {
      const login = this.#authenticate(name, password ?? '', patience);
      login.catch(() => {
        if (this.#token === login) this.#token = undefined;
      });
      this.#token = login;
    }
    return this.#token;
  }

  /** Undefined when this etcd asks for no login. */
  async #authenticate(name: string, password: string, patience: Patience): Promise<string | undefined> {
    try {
      return (await this.repeat('Auth/Authenticate', { name, password }, patience)).token;
    } catch (error) {
      if (!/authentication is not enabled/.test((error as Error).message)) throw error;
      this.#host.log.warn('etcd asks for no login, though a user is set', { place: this.place });
      return undefined;
    }
  }

  #requireOpen(): void {
    if (!this.#isOpen) throw closedFailure(this.place, false);
  }
}

function closedFailure(place: string, mayBeDone: boolean): EtcdFailure {
  return new EtcdFailure(`${place}: the store is not running`, { kind: 'unavailable', mayBeDone });
}

/** That no time is left says little beside what went wrong before. */
function withReason(failure: EtcdFailure, before: EtcdFailure | undefined): EtcdFailure {
  if (failure.reason !== 'late' || before === undefined) return failure;
  return new EtcdFailure(`${failure.message}; before that: ${before.message}`, failure, before);
}

function lateFailure(place: string): EtcdFailure {
  return new EtcdFailure(`${place}: it did not answer in time`, {
    kind: 'unavailable',
    isPassing: true,
    reason: 'late',
  });
}
