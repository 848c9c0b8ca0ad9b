import type { Endpoint, Host, Timer, UdpSocket } from '@nacos-kube/core/host/host.ts';
import type { Part } from '@nacos-kube/core/lifecycle.ts';
import type { ServiceKey } from '@nacos-kube/core/model/names.ts';
import type { Switches } from '@nacos-kube/core/model/switches.ts';
import { decodePushAck, encodePush, PUSH_BYTES_MAX, type Push } from '@nacos-kube/core/wire/push.ts';
import { PushHub, type Send, type Subscription, viewKey } from './hub.ts';
import { isAllowedTarget, isLoopback } from './target.ts';

const TICK_MS = 100;
const SWEEP_MS = 20_000;
/** Views that are remembered for their size. */
const TOO_LARGE_MAX = 10_000;
/** Pushes whose delay is remembered for the median that the metrics show. */
const DELAYS_KEPT = 1_024;

export interface PushOptions {
  readonly host: Host;
  readonly listen: string;
  /** Builds the list that a subscriber would be answered now. */
  readonly document: (subscription: Subscription) => string;
  /** Subscribers of this service at different addresses may see different lists in one view. */
  readonly isPersonal?: (service: ServiceKey) => boolean;
  readonly switches: Switches;
}

/** Sends what the hub decides as UDP datagrams, and hands it the acks. */
export class PushDriver implements Part {
  readonly name = 'push';
  readonly switches: Switches;
  readonly #host: Host;
  readonly #listen: string;
  readonly #document: (subscription: Subscription) => string;
  readonly #isPersonal: (service: ServiceKey) => boolean;
  readonly #hub: PushHub;
  readonly #timers: Timer[] = [];
  #socket: UdpSocket | undefined;
  /** Views whose last list fitted into no datagram: who asks for them has to poll. */
  readonly #tooLarge = new Set<string>();
  /** From sending to the ack, ms, the last `DELAYS_KEPT`. */
  readonly delaysMs: number[] = [];
  /** Datagrams that were no ack of anything. */
  strayPackets = 0;

  constructor({ host, listen, document, isPersonal = () => false, switches }: PushOptions) {
    this.#host = host;
    this.#listen = listen;
    this.#document = document;
    this.#isPersonal = isPersonal;
    this.switches = switches;
    // Above all numbers of an earlier run, and below 2^53 for centuries.
    this.#hub = new PushHub(host.clock.now() * 1_000, () => switches.current.defaultPushCacheMillis);
  }

  async start(): Promise<void> {
    this.#socket = await this.#host.network.udp({ address: this.#listen, port: 0 });
    this.#socket.onMessage((bytes, from) => this.#received(bytes, from));
    this.#timers.push(
      this.#host.clock.every(TICK_MS, () => this.#send(this.#hub.tick(this.#now()))),
      this.#host.clock.every(SWEEP_MS, () => this.#hub.sweep(this.#now())),
    );
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers.splice(0)) timer.cancel();
    await this.#socket?.close();
    this.#socket = undefined;
  }

  get hub(): PushHub {
    return this.#hub;
  }

  /** False: this caller cannot be pushed to (another's address, muted, too long a list), so it must poll more often. */
  subscribe(subscription: Subscription, clientIp: string): boolean {
    if (!this.switches.current.pushEnabled) return false;
    if (!isAllowedTarget(subscription.target.address, clientIp, () => this.#host.network.addresses())) {
      this.#hub.counts.refused++;
      return false;
    }
    return this.#hub.subscribe(subscription, this.#now()) && !this.#tooLarge.has(viewKey(subscription));
  }

  /** Pushes without an ack so far, with the list as it is now. */
  unacknowledged(max: number): Push[] {
    return this.#hub.awaiting(max).map(({ subscription, sequence }) => ({
      ...{ data: this.#document(subscription), sequence },
    }));
  }

  changed(service: ServiceKey): void {
    if (!this.#hub.isWatched(service) || !this.switches.current.pushEnabled) return;
    this.#send(this.#hub.changed(service, this.#now()));
  }

  #send(sends: readonly Send[]): void {
    if (sends.length === 0) return;
    const packets = new Map<string, Uint8Array>();
    for (const send of sends) {
      const view = viewKey(send.subscription);
      const { service, target } = send.subscription;
      const key = `${send.sequence} ${view} ${this.#isPersonal(service) ? target.address : ''}`;
      const packet = packets.get(key) ?? encodePush(this.#document(send.subscription), send.sequence);
      packets.set(key, packet);
      if (packet.length <= PUSH_BYTES_MAX) {
        this.#tooLarge.delete(view);
        this.#host.background('push', this.#sendOne(send, packet));
      } else {
        if (this.#tooLarge.size < TOO_LARGE_MAX) this.#tooLarge.add(view);
        this.#hub.isTooLarge(send);
      }
    }
  }

  async #sendOne(send: Send, packet: Uint8Array): Promise<void> {
    try {
      await this.#socket?.send(packet, send.subscription.target);
    } catch (error) {
      this.#hub.sendFailed(send, this.#now());
      this.#host.log.debug('a push could not be sent', { target: send.subscription.target, error });
    }
  }

  #received(bytes: Uint8Array, from: Endpoint): void {
    const sequence = decodePushAck(bytes);
    const tookMs = sequence === undefined ? undefined : this.#acked(from, sequence);
    if (tookMs === undefined) {
      this.strayPackets++;
      return;
    }
    if (this.delaysMs.length >= DELAYS_KEPT) this.delaysMs.shift();
    this.delaysMs.push(tookMs);
  }

  /** An SDK on this machine that named its LAN address answers a socket on loopback from loopback. */
  #acked(from: Endpoint, sequence: number): number | undefined {
    const senders = isLoopback(from.address) ? [from.address, ...this.#host.network.addresses()] : [from.address];
    for (const address of senders) {
      const tookMs = this.#hub.acked({ address, port: from.port }, sequence, this.#now());
      if (tookMs !== undefined) return tookMs;
    }
    return undefined;
  }

  #now(): number {
    return this.#host.clock.monotonic();
  }
}
