import type { PeerFacts } from './machine.ts';
import { ownerAmong } from './owner.ts';
import type { MembersView } from './view.ts';

/** Reports come every two seconds; looking twice as often as anything can matter is enough. */
const LOOK_MS = 200;

export interface Observed {
  readonly view: MembersView;
  peer(address: string): PeerFacts | undefined;
}

/**
 * Peers that see other members than this one does. While links are cut between some members but not all, two of them
 * may take themselves for the owner of a service, while a third one forwards its beats to one of them only: so a member
 * judges a service only where all that it can hear see it as the owner.
 */
export class Dissent {
  readonly #members: Observed;
  readonly #nowMs: () => number;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #views: readonly (readonly string[])[] = [];
  /** Of the peers that see others than this member does. */
  #viewOf: ReadonlyMap<string, readonly string[]> = new Map();
  #signature = '';
  #epoch = 0;

  constructor(members: Observed, nowMs: () => number) {
    this.#members = members;
    this.#nowMs = nowMs;
  }

  judges(service: string): boolean {
    this.#look();
    const { self, healthy } = this.#members.view;
    if (ownerAmong(healthy, service) !== self) return false;
    return this.#views.every((view) => ownerAmong(view, service) === self);
  }

  /** The owner of a service as a peer sees it, as far as its last report tells. */
  ownerFor(peer: string, service: string): string {
    this.#look();
    return ownerAmong(this.#viewOf.get(peer) ?? this.#members.view.healthy, service);
  }

  /** Another number whenever owners, or what peers think of them, may have changed. */
  epoch(): number {
    this.#look();
    return this.#epoch;
  }

  #look(): void {
    const nowMs = this.#nowMs();
    const { version, healthy } = this.#members.view;
    if (nowMs - this.#lookedMs < LOOK_MS && this.#signature.startsWith(`${version} `)) return;
    this.#lookedMs = nowMs;
    const own = healthy.join(' ');
    const viewOf = new Map<string, readonly string[]>();
    for (const address of healthy) {
      const view = this.#healthyFor(address);
      if (view !== undefined && view.join(' ') !== own) viewOf.set(address, view);
    }
    const signature = `${version} ${[...viewOf].map(([address, view]) => `${address}: ${view.join(' ')}`).join('|')}`;
    if (signature === this.#signature) return;
    this.#signature = signature;
    this.#viewOf = viewOf;
    this.#views = [...viewOf.values()];
    this.#epoch++;
  }

  /** The members that a peer counts as healthy, as far as its last report tells. */
  #healthyFor(address: string): readonly string[] | undefined {
    const { self, members } = this.#members.view;
    const report = this.#members.peer(address)?.report;
    if (address === self || report === undefined || report.phase !== 'running') return undefined;
    // It says whom it reaches, starting ones too; those own nothing yet for anyone.
    const starting = new Set(members.filter(({ state }) => state === 'STARTING').map((one) => one.address));
    return [address, ...report.sees].filter((one) => !starting.has(one)).sort();
  }
}
