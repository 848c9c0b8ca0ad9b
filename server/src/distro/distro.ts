import type { Host, Timer } from '@nacos-kube/core/host/host.ts';
import type { Part } from '@nacos-kube/core/lifecycle.ts';
import { type Instance, type InstanceKey, instanceKey } from '@nacos-kube/core/model/instance.ts';
import { type ServiceKey, serviceKey } from '@nacos-kube/core/model/names.ts';
import type { Datum } from '../naming/datum.ts';
import type { Operation, OperationResult, Ownership } from '../naming/operation.ts';
import type { RegistryChange } from '../naming/registry-change.ts';
import type { NamingService } from '../naming/service.ts';
import { BadMessageError, decodeDatum, decodeResult, encodeDatum, encodeOperation, field, list } from './codec.ts';
import { FORWARD_BATCH_MAX, Forwarder } from './forward.ts';
import { Introductions } from './introduce.ts';
import { Journal } from './journal.ts';
import { Lateness } from './lateness.ts';
import { datumChars, inMessages } from './message-size.ts';
import { type Cursor, decodeCursor } from './pages.ts';
import { DELTA_PATH, FORWARD_PATH, SNAPSHOT_PATH } from './paths.ts';
import type { Peers } from './peers.ts';
import { BATCH_MAX, type Lag, NEWER_MAX, Sync, type SyncBatch } from './sync.ts';
import { VERIFY_PERIOD_MS, Verify } from './verify.ts';

export const DELTA_TIMEOUT_MS = 2_000;
/** A peer that does not answer in this time when this member starts is not waited for. */
export const SNAPSHOT_WAIT_MS = 5_000;
/** While nobody has answered, those that are heard are asked again: what they hold may be nowhere else. */
const SNAPSHOT_ROUNDS_MAX = 3;
const SNAPSHOT_PAUSE_MS = 500;
/** What peers see changes with their reports, without a word to this part. */
const TICK_MS = 500;
/** Whoever slept for a time-out holds lists that clients have left behind: it begins as one that starts. */
export const ASLEEP_MS = 15_000;
/** Members differ about owners for moments at each change; what lasts longer than their reports is a cut between some. */
const CONTEST_MS = 3_000;
/** A call to a peer that takes longer is logged: it is what the next one waits for. */
export const SLOW_CALL_MS = 1_000;
const FLUSH_WAIT_MS = 3_000;
const FLUSH_TICK_MS = 20;

export interface DistroOptions {
  readonly host: Host;
  readonly naming: NamingService;
  readonly peers: Peers;
  /** Where the journal is kept. */
  readonly directory: string;
}

/** Replicates the ephemeral instances; how, and what it promises, is in DESIGN.md. */
export class Distro implements Part {
  readonly name = 'distro';
  readonly journal: Journal;
  readonly verify: Verify;
  readonly lateness = new Lateness();
  readonly introductions: Introductions;
  readonly #host: Host;
  readonly #naming: NamingService;
  readonly #peers: Peers;
  readonly #sync = new Sync();
  readonly #forwarder: Forwarder;
  readonly #timers: Timer[] = [];
  #next: { readonly atMs: number; readonly timer: Timer } | undefined;
  #judged: ReadonlySet<ServiceKey> = new Set();
  #epoch = -1;
  #epochSinceMs = 0;
  #tickedMs = 0;
  /** Times that this process was asleep. */
  #sleeps = 0;
  #state: 'starting' | 'running' | 'draining' | 'stopped' = 'starting';
  merged = 0;
  refused = 0;
  /** Deltas and forwards that took longer than `SLOW_CALL_MS`. */
  slowCalls = 0;
  /** Messages of members that broke their schema. */
  badMessages = 0;

  constructor({ host, naming, peers, directory }: DistroOptions) {
    this.#host = host;
    this.#naming = naming;
    this.#peers = peers;
    this.journal = new Journal(host, directory, naming.registry);
    this.#forwarder = new Forwarder(host, (owner, operations, timeoutMs) =>
      this.#callForward(owner, operations, timeoutMs),
    );
    this.introductions = new Introductions({
      datumsOf: ({ service, key }) => naming.registry.datumsOfInstance(service, key),
      tell: (peer, datums) => this.#tell(peer, datums),
    });
    this.verify = new Verify({
      host,
      registry: naming.registry,
      peers,
      merge: (datums, from) => this.merge(datums, from),
      tell: (peer, datums) => this.#tell(peer, datums),
    });
  }

  async start(): Promise<void> {
    const nowMs = this.#now();
    this.#naming.registry.restore(await this.journal.read(), nowMs);
    this.#tickedMs = this.#now();
    this.#naming.changes.subscribe((change) => this.#changed(change));
    this.#peers.onChange(() => this.#membersChanged());
    this.#timers.push(
      this.#host.clock.every(TICK_MS, () => this.#tick()),
      this.#host.clock.every(VERIFY_PERIOD_MS, () => this.verify.round()),
    );
    this.#membersChanged();
    this.#host.background('load from peers', this.#load());
  }

  notReadyReason(): string | undefined {
    return this.#state === 'starting' ? 'peers are being asked for their instances' : undefined;
  }

  /** True as well when it was asleep and has not asked its peers yet what it missed: the first call may come before that. */
  get isStarting(): boolean {
    return this.#state === 'starting' || (this.#state === 'running' && this.#isAsleep(this.#now()));
  }

  /** Tells the peers what they do not have yet; ownership goes over by itself once this member is not healthy. */
  async drain(): Promise<void> {
    this.#state = 'draining';
    const untilMs = this.#now() + FLUSH_WAIT_MS;
    while (!this.#sync.isFlushed && this.#now() < untilMs) await this.#host.clock.sleep(FLUSH_TICK_MS);
  }

  async stop(): Promise<void> {
    this.#state = 'stopped';
    for (const timer of this.#timers.splice(0)) timer.cancel();
    this.#next?.timer.cancel();
    await this.journal.stop();
  }

  /** Who carries out what, for the naming service. */
  readonly ownership: Ownership = {
    isOwn: (service) => this.#peers.ownerOf(service) === this.#peers.self,
    judges: (service) => {
      // What this member inherits is granted its time-out before anything of it is judged (F3).
      this.#noteMembers();
      return this.#peers.judges(service);
    },
    isContested: (service) => this.#now() - this.#epochSinceMs > CONTEST_MS && !this.#peers.judges(service),
    forward: (service, operation) => this.#forward(service, operation),
  };

  /** To be asked for each call of a peer: whether it comes when the peer has given it up. */
  isLate(peer: string, sentMs: number): boolean {
    return this.lateness.isLate(peer, sentMs, this.#host.clock.now());
  }

  lag(): Lag[] {
    return this.#sync.lag(this.#now());
  }

  /** What peers and operators are told of how far the others have what is here. */
  facts() {
    const lags = this.lag();
    return {
      syncLagEntries: lags.reduce((sum, { entries }) => sum + entries, 0),
      syncLagSeconds: Math.max(0, ...lags.map(({ waitingMs }) => waitingMs)) / 1000,
      peersCompared: this.verify.comparedCount,
    };
  }

  get counts(): Readonly<Record<'forwarded' | 'unreachable' | 'overflows', number>> {
    const { forwarded, unreachable } = this.#forwarder;
    return { forwarded, unreachable, overflows: this.#sync.overflows };
  }

  /** Takes over what a peer says; returns what this member knows better. */
  merge(datums: readonly Datum[], from: string): Datum[] {
    const nowMs = this.#now();
    const newer: Datum[] = [];
    const changes: RegistryChange[] = [];
    for (const datum of datums) {
      const owner = this.#peers.ownerOf(datum.service);
      const roles = { iAmOwner: owner === this.#peers.self, senderIsOwner: owner === from };
      const merged = this.#naming.registry.merge(datum, roles, nowMs);
      if (merged.outcome === 'applied' || merged.outcome === 'restamped') changes.push(merged.change);
      if (merged.outcome === 'refused') this.refused++;
      if (merged.outcome === 'older') newer.push(...this.#naming.registry.datumsOfInstance(datum.service, datum.key));
    }
    this.merged += datums.length;
    for (const change of changes) this.#naming.changes.publish(change);
    return newer;
  }

  // ---------------------------------------------------------------------------------------------- inside

  async #forward(service: ServiceKey, operation: Operation): Promise<OperationResult | 'unreachable'> {
    const owner = this.#peers.ownerOf(service);
    if (!(await this.#introduceWritten(owner, service, operation))) return 'unreachable';
    const result = await this.#forwarder.forward(owner, operation);
    if (result === 'unreachable' || result.outcome === 'done') return result;
    if (operation.kind !== 'beat' && operation.kind !== 'change') return result;
    const isIntroduced = await this.introductions.introduce(owner, { service, key: operation.key });
    return isIntroduced ? this.#forwarder.forward(owner, operation) : result;
  }

  /**
   * Carried out on an older state, or on none, a write would be stamped below what is here, and undone by it: so an owner
   * that did not stamp that itself is told of it first. False when it did not answer.
   */
  async #introduceWritten(owner: string, service: ServiceKey, operation: Operation): Promise<boolean> {
    const { registry } = this.#naming;
    const isOfOther = ({ stamp }: Datum) => !stamp.owner.startsWith(`${owner}~`);
    const untold = writtenKeys(operation, () => registry.view(service)?.instances ?? []).filter((key) =>
      registry.datumsOfInstance(service, key).some(isOfOther),
    );
    const told = await Promise.all(untold.map((key) => this.introductions.introduce(owner, { service, key }, 'all')));
    return told.every((isTold) => isTold);
  }

  #changed(change: RegistryChange): void {
    if (change.origin === 'store') return;
    this.journal.changed(change.service, change.keys);
    if (change.origin !== 'here' || !this.#sync.hasPeers) return;
    this.#send(this.#sync.changed(change.service, change.keys, this.#now()));
  }

  #tick(): void {
    this.#noteSleep();
    this.#noteMembers();
  }

  #noteSleep(): void {
    const nowMs = this.#now();
    const sinceMs = Math.round(nowMs - this.#tickedMs);
    const wasAsleep = this.#isAsleep(nowMs);
    this.#tickedMs = nowMs;
    if (!wasAsleep) return;
    this.#sleeps++;
    if (this.#state === 'running') this.#wake(sinceMs);
  }

  #isAsleep(nowMs: number): boolean {
    return nowMs - this.#tickedMs > ASLEEP_MS + TICK_MS;
  }

  #wake(asleepMs: number): void {
    this.#host.log.warn('this process was asleep: no lists are answered until peers have told what it missed', {
      asleepMs,
    });
    this.#state = 'starting';
    this.#host.background('load from peers', this.#load());
  }

  #noteMembers(): void {
    if (this.#peers.epoch() !== this.#epoch) this.#membersChanged();
  }

  #membersChanged(): void {
    if (this.#epoch !== this.#peers.epoch()) this.#epochSinceMs = this.#now();
    this.#epoch = this.#peers.epoch();
    const before = this.#judged;
    const own = new Set<ServiceKey>();
    for (const view of this.#naming.registry.views()) if (this.#peers.judges(view.key)) own.add(view.key);
    this.#judged = own;
    const nowMs = this.#now();
    this.#naming.registry.grant(nowMs, (service) => own.has(service) && !before.has(service));
    this.#send(this.#sync.setPeers(this.#peers.healthy(), nowMs));
    this.lateness.keep(this.#peers.listed());
    this.verify.setPeers(this.#peers.healthy());
  }

  #send(batches: readonly SyncBatch[]): void {
    for (const batch of batches) this.#host.background('sync', this.#sendOne(batch));
    this.#sendLater();
  }

  /** What has to wait, for the pace or after a failure, leaves when its time comes. */
  #sendLater(): void {
    const atMs = this.#sync.nextDueMs();
    if (atMs === undefined || this.#state === 'stopped') return;
    if (this.#next !== undefined && this.#next.atMs <= atMs) return;
    this.#next?.timer.cancel();
    // In whole milliseconds: a clock that goes a little wrong must not make an endless loop of ever shorter waits.
    const timer = this.#host.clock.after(Math.max(1, Math.ceil(atMs - this.#now())), () => {
      this.#next = undefined;
      this.#send(this.#sync.due(this.#now()));
    });
    this.#next = { atMs, timer };
  }

  async #sendOne(batch: SyncBatch): Promise<void> {
    const { peer, places } = batch;
    const { registry } = this.#naming;
    const datums = places.flatMap(({ service, key }) => registry.datumsOfInstance(service, key));
    try {
      await this.#tell(peer, datums);
      this.#send(this.#sync.delivered(batch, this.#now()));
    } catch (error) {
      this.#host.log.debug('a peer did not take a delta', { peer, error });
      this.#sync.failed(batch, this.#now());
      this.#sendLater();
    }
  }

  async #tell(peer: string, datums: Iterable<Datum>): Promise<void> {
    for (const some of inMessages(datums, datumChars, BATCH_MAX)) {
      const call = this.#peers.call(peer, DELTA_PATH, { datums: some.map(encodeDatum) }, DELTA_TIMEOUT_MS);
      const answer = await this.#watched(call, 'delta', peer, some.length);
      this.merge(list(field(answer, 'newer'), 'newer', NEWER_MAX).map(decodeDatum), peer);
    }
  }

  async #callForward(
    owner: string,
    operations: readonly Operation[],
    timeoutMs: number,
  ): Promise<readonly OperationResult[]> {
    const unknown = [...operations.keys()].filter((index) => this.#isUnknown(operations[index]!));
    const message = { operations: operations.map(encodeOperation), ...(unknown.length > 0 && { unknown }) };
    const call = this.#peers.call(owner, FORWARD_PATH, message, timeoutMs);
    const answer = await this.#watched(call, 'forward', owner, operations.length);
    const results = list(field(answer, 'results'), 'results', operations.length).map(decodeResult);
    this.#learn(owner, field(answer, 'datums') ?? []);
    return results;
  }

  /** What a client was told is done must be seen by its next question here, though the owner's delta is late or held. */
  #learn(owner: string, told: unknown): void {
    try {
      const newer = this.merge(list(told, 'datums', 2 * FORWARD_BATCH_MAX).map(decodeDatum), owner);
      // Such as the verdict of a time when this member was alone: the owner decides, on what it has heard since.
      if (newer.length > 0) this.#host.background('tell the owner', this.#tellNewer(owner, newer));
    } catch (error) {
      // The operations are carried out all the same; the delta brings what came of them.
      if (!(error instanceof BadMessageError)) throw error;
      this.badMessages++;
    }
  }

  async #tellNewer(owner: string, datums: readonly Datum[]): Promise<void> {
    try {
      await this.#tell(owner, datums);
    } catch (error) {
      this.#host.log.debug('the owner did not take what it knows less well', { owner, error });
    }
  }

  /** A beat writes nothing at the owner, so no delta tells this member what it lacks. */
  #isUnknown(operation: Operation): boolean {
    if (operation.kind !== 'beat') return false;
    return this.#naming.registry.aliveMs(serviceKey(operation.service), operation.key) === undefined;
  }

  async #watched(call: Promise<unknown>, what: string, peer: string, entries: number): Promise<unknown> {
    const startedMs = this.#now();
    try {
      return await call;
    } finally {
      const tookMs = Math.round(this.#now() - startedMs);
      if (tookMs > SLOW_CALL_MS) {
        this.slowCalls++;
        this.#host.log.warn('a peer was slow to take what it was sent', { peer, what, entries, tookMs });
      }
    }
  }

  async #load(): Promise<void> {
    await this.#peers.untilListed();
    let sleeps: number;
    do {
      sleeps = this.#sleeps;
      await this.#loadOnce();
      // What was told before it fell asleep again is old.
      this.#noteSleep();
    } while (sleeps !== this.#sleeps && this.#state === 'starting');
    // A node that was stopped meanwhile has written its journal for the last time.
    if (this.#state === 'stopped') return;
    if (this.#state === 'starting') this.#state = 'running';
    if (!this.journal.isStarted) this.journal.start();
  }

  async #loadOnce(): Promise<void> {
    let peers = this.#peers.listed();
    for (let round = 1; peers.length > 0; round++) {
      const outcomes = await Promise.all(peers.map((peer) => this.#loadFrom(peer)));
      const answered = outcomes.filter((one) => one !== undefined);
      const instances = answered.reduce((sum, one) => sum + one, 0);
      this.#host.log.info('loaded from peers', { asked: peers.length, answered: answered.length, datums: instances });
      if (answered.length > 0 || round === SNAPSHOT_ROUNDS_MAX || this.#state !== 'starting') break;
      await this.#host.clock.sleep(SNAPSHOT_PAUSE_MS);
      peers = this.#peers.healthy();
    }
  }

  /** How many datums it had; undefined when it did not answer in time. A snapshot adds and updates, it never deletes. */
  async #loadFrom(peer: string): Promise<number | undefined> {
    let after: Cursor | null = null;
    let loaded = 0;
    try {
      do {
        const answer = await this.#peers.call(peer, SNAPSHOT_PATH, { after }, SNAPSHOT_WAIT_MS);
        const datums = list(field(answer, 'datums'), 'datums').map(decodeDatum);
        const nowMs = this.#now();
        for (const datum of datums) {
          const merged = this.#naming.registry.merge(datum, { iAmOwner: false, senderIsOwner: true }, nowMs);
          if (merged.outcome === 'applied' || merged.outcome === 'restamped') {
            this.#naming.changes.publish(merged.change);
          }
        }
        loaded += datums.length;
        after = decodeCursor(field(answer, 'next'));
      } while (after !== null);
      return loaded;
    } catch (error) {
      this.#host.log.info('a peer gave no snapshot', { peer, error });
      return undefined;
    }
  }

  #now(): number {
    return this.#host.clock.monotonic();
  }
}

/** The instances that a write is about; beats write nothing that is not there already. */
function writtenKeys(operation: Operation, all: () => readonly Instance[]): readonly InstanceKey[] {
  switch (operation.kind) {
    case 'register':
      return [instanceKey(operation.instance)];
    case 'deregister':
    case 'change':
      return [operation.key];
    case 'clear':
      return all().map(instanceKey);
    default:
      return [];
  }
}
