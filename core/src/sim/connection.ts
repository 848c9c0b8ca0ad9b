import { type Endpoint, NetworkError } from '../host/host.ts';
import type { Kernel } from './kernel.ts';
import { type Bound, LOOPBACK_ADDRESS, type Machine } from './machine.ts';
import type { SimProcess } from './process.ts';

/**
 * A connection, as the kernels of two machines keep it: messages arrive in order and whole, late rather than never,
 * until an end closes, its process dies, or nothing got through for too long. What is under way when an end closes
 * still arrives: a request may be carried out long after its caller has given up.
 */
export interface Listening extends Bound {
  accept(end: End): void;
}

export type CloseReason = 'ended' | 'reset';

const CONNECT_RETRY_MS = 1_000;
const RESEND_MS = 200;
const RESEND_MS_MAX = 10_000;
/** A kernel gives up on a connection that delivers nothing for so long. */
const GIVE_UP_MS = 120_000;

type Parcel =
  | { readonly kind: 'message'; readonly value: unknown }
  | { readonly kind: 'close'; readonly reason: CloseReason };

export class End {
  readonly owner: SimProcess;
  readonly remote: Endpoint;
  readonly #kernel: Kernel;
  readonly #address: string;
  #peer: End | undefined;
  #isOpen = true;
  #isBroken = false;
  readonly #outbox: Parcel[] = [];
  #isSending = false;
  #lastArrivalMs = 0;
  readonly #inbox: unknown[] = [];
  #onMessage: ((value: unknown) => void) | undefined;
  #onClose: ((reason: CloseReason) => void) | undefined;
  #closedBecause: CloseReason | undefined;

  private constructor(kernel: Kernel, owner: SimProcess, remote: Endpoint) {
    this.#kernel = kernel;
    this.owner = owner;
    this.remote = remote;
    this.#address = owner.machine.address;
    owner.ends.add(this);
  }

  static pair(kernel: Kernel, client: SimProcess, server: SimProcess, target: Endpoint, source: Endpoint): [End, End] {
    const near = new End(kernel, client, target);
    const far = new End(kernel, server, source);
    near.#peer = far;
    far.#peer = near;
    return [near, far];
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** One reader; what came before it is kept for it. */
  onMessage(run: (value: unknown) => void): void {
    this.#onMessage = run;
    for (const value of this.#inbox.splice(0)) run(value);
  }

  /** One reader, told once when the other side closed or was lost; never of its own `close`. */
  onClose(run: (reason: CloseReason) => void): void {
    this.#onClose = run;
    if (this.#closedBecause !== undefined) run(this.#closedBecause);
  }

  send(value: unknown): void {
    if (!this.#isOpen) return;
    this.#outbox.push({ kind: 'message', value });
    this.#pump();
  }

  close(reason: CloseReason = 'ended'): void {
    if (!this.#isOpen) return;
    this.#forget();
    this.#outbox.push({ kind: 'close', reason });
    this.#pump();
  }

  /** The machine lost power: nothing is sent any more, and the other side hears nothing. */
  vanish(): void {
    this.#forget();
    this.#isBroken = true;
    this.#outbox.length = 0;
  }

  #forget(): void {
    this.#isOpen = false;
    this.owner.ends.delete(this);
  }

  #pump(): void {
    if (this.#isSending) return;
    this.#isSending = true;
    this.#attempt(RESEND_MS, this.#kernel.nowMs);
  }

  /** Sends what waits until one packet is lost, and that one again later. */
  #attempt(resendMs: number, sinceMs: number): void {
    const kernel = this.#kernel;
    const peer = this.#peer as End;
    const way = [this.#address, peer.#address] as const;
    let firstSinceMs = sinceMs;
    for (;;) {
      const parcel = this.#outbox[0];
      if (parcel === undefined || this.#isBroken) {
        this.#isSending = false;
        return;
      }
      if (!kernel.links.passes(...way)) break;
      this.#outbox.shift();
      firstSinceMs = kernel.nowMs;
      this.#lastArrivalMs = Math.max(this.#lastArrivalMs, kernel.nowMs + kernel.links.delayMs(...way));
      const delayMs = this.#lastArrivalMs - kernel.nowMs;
      kernel.schedule(
        delayMs,
        () => peer.#receive(parcel),
        peer.owner,
        () => this.#onPeerDead(),
      );
    }
    if (kernel.nowMs - firstSinceMs >= GIVE_UP_MS) {
      this.#isBroken = true;
      this.#outbox.length = 0;
      this.#isSending = false;
      this.#lose();
      return;
    }
    kernel.schedule(resendMs, () => this.#attempt(Math.min(resendMs * 2, RESEND_MS_MAX), firstSinceMs));
  }

  #receive(parcel: Parcel): void {
    if (!this.#isOpen) return;
    if (parcel.kind === 'close') this.#closed(parcel.reason);
    else if (this.#onMessage === undefined) this.#inbox.push(parcel.value);
    else this.#onMessage(parcel.value);
  }

  /** A machine that is up again knows nothing of the connection, and says so; one that is down says nothing. */
  #onPeerDead(): void {
    const peer = this.#peer as End;
    if (!peer.owner.machine.isUp || !this.#isOpen) return;
    const { links } = this.#kernel;
    if (links.passes(peer.#address, this.#address)) {
      this.#kernel.schedule(links.delayMs(peer.#address, this.#address), () => this.#closed('reset'), this.owner);
    }
  }

  #lose(): void {
    if (this.#isOpen) this.#kernel.schedule(0, () => this.#closed('reset'), this.owner);
  }

  #closed(reason: CloseReason): void {
    if (!this.#isOpen) return;
    this.#forget();
    this.#closedBecause = reason;
    this.#onClose?.(reason);
  }
}

/** Finds the machine that an address or a name stands for, as seen from another. */
export function findMachine(kernel: Kernel, from: Machine, address: string): Machine | undefined {
  if (from.isOwn(address)) return from;
  return kernel.machines.get(kernel.names.get(address) ?? address);
}

/** Bounded by `timeoutMs` on the client's clock; the promise never settles once the client is dead. */
export function connect(kernel: Kernel, client: SimProcess, target: Endpoint, timeoutMs: number): Promise<End> {
  const doing = `connecting to ${target.address}:${target.port}`;
  const machine = findMachine(kernel, client.machine, target.address);
  return new Promise((resolve, reject) => {
    let isSettled = false;
    const fail = (error: NetworkError) => {
      if (isSettled) return;
      isSettled = true;
      timer.cancel();
      reject(error);
    };
    const timer = client.clock.after(timeoutMs, () => {
      fail(new NetworkError('timeout', `${doing}: no answer in ${timeoutMs} ms`));
    });
    if (machine === undefined) {
      const unknown = () => fail(new NetworkError('unreachable', `${doing}: no such address`));
      kernel.schedule(0, unknown, client);
      return;
    }
    const way = [client.machine.address, machine.address] as const;
    const back = [machine.address, client.machine.address] as const;
    const toAddress =
      target.address === machine.address || client.machine !== machine ? machine.address : target.address;

    const arrive = () => {
      if (!machine.isUp) return;
      const listening = machine.boundAt('tcp', toAddress, target.port) as Listening | undefined;
      const backMs = kernel.links.delayMs(...back);
      if (listening === undefined) {
        const refused = () => fail(new NetworkError('refused', `${doing}: nothing listens there`));
        kernel.schedule(backMs, refused, client);
        return;
      }
      const sourceAddress = client.machine === machine && toAddress !== machine.address ? LOOPBACK_ADDRESS : way[0];
      const source = { address: sourceAddress, port: client.machine.freePort() };
      const [near, far] = End.pair(kernel, client, listening.process, target, source);
      kernel.schedule(0, () => listening.accept(far), listening.process);
      const established = () => {
        if (isSettled) {
          near.close('reset');
          return;
        }
        isSettled = true;
        timer.cancel();
        resolve(near);
      };
      kernel.schedule(backMs, established, client);
    };
    const attempt = (retryMs: number) => {
      if (isSettled || !client.isAlive) return;
      if (kernel.links.passes(...way) && kernel.links.passes(...back) && machine.isUp) {
        kernel.schedule(kernel.links.delayMs(...way), arrive);
      } else {
        kernel.schedule(retryMs, () => attempt(retryMs * 2));
      }
    };
    attempt(CONNECT_RETRY_MS);
  });
}
