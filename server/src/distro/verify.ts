import type { Host } from '@nacos-kube/core/host/host.ts';
import type { ServiceKey } from '@nacos-kube/core/model/names.ts';
import type { Datum } from '../naming/datum.ts';
import type { Registry } from '../naming/registry.ts';
import { decodeDatum, field, list, serviceText } from './codec.ts';
import { type Cursor, decodeCursor } from './pages.ts';
import { DIGEST_PATH, EXCHANGE_PATH } from './paths.ts';
import type { Peers } from './peers.ts';

export const VERIFY_PERIOD_MS = 5_000;
export const VERIFY_TIMEOUT_MS = 5_000;
/** Services whose digests go in one message; there are as many messages as it takes. */
export const DIGESTS_PER_MESSAGE_MAX = 5_000;
export const SERVICES_PER_EXCHANGE_MAX = 200;
/** Of one exchange: bounds what a peer that never comes to an end could make of it. */
const PAGES_PER_EXCHANGE_MAX = 10_000;

export interface VerifyOptions {
  readonly host: Host;
  readonly registry: Registry;
  readonly peers: Peers;
  readonly merge: (datums: readonly Datum[], from: string) => Datum[];
  /** Tells a peer of datums, in as many messages as it takes. */
  readonly tell: (peer: string, datums: Iterable<Datum>) => Promise<void>;
}

/** One digest over all services that `owner` owns, and the list of them when asked for. */
export interface OwnedDigests {
  readonly total: string;
  readonly services: readonly (readonly [ServiceKey, string])[];
}

/**
 * Finds services whose lists differ between their owner and a peer, and exchanges them both ways. It adds and updates
 * only (F1): what one side lacks is handed to it, what one side buried carries a tombstone.
 */
export class Verify {
  readonly #options: VerifyOptions;
  readonly #busy = new Set<string>();
  readonly #compared = new Set<string>();
  /** Services that were found to differ, since the start. */
  differing = 0;
  rounds = 0;

  constructor(options: VerifyOptions) {
    this.#options = options;
  }

  /** Peers with which all that this member owns was compared, and what differed exchanged, since they came. */
  get comparedCount(): number {
    return this.#compared.size;
  }

  setPeers(peers: readonly string[]): void {
    for (const peer of this.#compared) if (!peers.includes(peer)) this.#compared.delete(peer);
  }

  /** Compares with every healthy peer; one that is still busy with the last round is left out. */
  round(): void {
    const { host, peers } = this.#options;
    this.rounds++;
    for (const peer of peers.healthy()) {
      if (this.#busy.has(peer)) continue;
      this.#busy.add(peer);
      const own = ownedDigests(this.#options.registry, peers, { owner: peers.self, peer });
      host.background(
        'verify',
        this.#compare(peer, own).finally(() => this.#busy.delete(peer)),
      );
    }
  }

  async #compare(peer: string, own: OwnedDigests): Promise<void> {
    try {
      if (await this.#isEqual(peer, own)) {
        this.#compared.add(peer);
        return;
      }
      const differing = await this.#findDiffering(peer, own);
      this.differing += differing.length;
      for (let from = 0; from < differing.length; from += SERVICES_PER_EXCHANGE_MAX) {
        await this.#exchange(peer, differing.slice(from, from + SERVICES_PER_EXCHANGE_MAX).sort());
      }
      this.#compared.add(peer);
    } catch (error) {
      this.#options.host.log.debug('a peer could not be compared with', { peer, error });
    }
  }

  async #isEqual(peer: string, own: OwnedDigests): Promise<boolean> {
    const message = { total: own.total };
    const answer = await this.#options.peers.call(peer, DIGEST_PATH, message, VERIFY_TIMEOUT_MS);
    return field(answer, 'equal') === true;
  }

  async #findDiffering(peer: string, own: OwnedDigests): Promise<ServiceKey[]> {
    const { peers } = this.#options;
    const differing: ServiceKey[] = [];
    // In order, and each message says which range it covers, so the peer can name what only it has.
    const services = [...own.services].sort(byService);
    let after = '';
    for (let from = 0; from === 0 || from < services.length; from += DIGESTS_PER_MESSAGE_MAX) {
      const page = services.slice(from, from + DIGESTS_PER_MESSAGE_MAX);
      const isLast = from + DIGESTS_PER_MESSAGE_MAX >= services.length;
      const upTo = isLast ? null : page.at(-1)![0];
      const answer = await peers.call(peer, DIGEST_PATH, { after, upTo, digests: page }, VERIFY_TIMEOUT_MS);
      differing.push(...list(field(answer, 'differing'), 'differing').map(serviceText));
      after = upTo ?? '';
    }
    return differing;
  }

  /** What this member has goes there, then what the peer has comes here. */
  async #exchange(peer: string, services: readonly ServiceKey[]): Promise<void> {
    const { registry, peers, merge, tell } = this.#options;
    await tell(peer, datumsOfAll(registry, services));
    let after: Cursor | null = null;
    for (let page = 0; page < PAGES_PER_EXCHANGE_MAX; page++) {
      const answer = await peers.call(peer, EXCHANGE_PATH, { services, after }, VERIFY_TIMEOUT_MS);
      merge(list(field(answer, 'datums'), 'datums').map(decodeDatum), peer);
      after = decodeCursor(field(answer, 'next'));
      if (after === null) return;
    }
  }
}

function* datumsOfAll(registry: Registry, services: readonly ServiceKey[]): Iterable<Datum> {
  for (const service of services) yield* registry.datums(service);
}

/**
 * What this member holds of the services that `owner` owns to itself or to `peer`; one of the two is this member. Both
 * count the same services, though they may differ about the owners: else one that only the bridge between them knows
 * would never be compared.
 */
export function ownedDigests(
  registry: Registry,
  peers: Peers,
  { owner, peer }: { readonly owner: string; readonly peer: string },
): OwnedDigests {
  const services: (readonly [ServiceKey, string])[] = [];
  let high = 0;
  let low = 0;
  for (const [service, digest] of registry.digests()) {
    if (peers.ownerOf(service) !== owner && peers.ownerFor(peer, service) !== owner) continue;
    services.push([service, digest]);
    const [highText = '0', lowText = '0'] = digest.split('.');
    high ^= Number.parseInt(highText, 36);
    low ^= Number.parseInt(lowText, 36);
  }
  return { total: `${services.length} ${high >>> 0} ${low >>> 0}`, services };
}

/** The services of a range that differ, or that only one side has. */
export function differingServices(
  mine: OwnedDigests,
  theirs: readonly (readonly [ServiceKey, string])[],
  range: { readonly after: ServiceKey; readonly upTo: ServiceKey | null },
): ServiceKey[] {
  const known = new Map(theirs);
  const differing = new Set<ServiceKey>();
  for (const [service, digest] of mine.services) {
    if (service <= range.after || (range.upTo !== null && service > range.upTo)) continue;
    if (known.get(service) !== digest) differing.add(service);
    known.delete(service);
  }
  for (const service of known.keys()) differing.add(service);
  return [...differing];
}

function byService(a: readonly [ServiceKey, string], b: readonly [ServiceKey, string]): number {
  return a[0] < b[0] ? -1 : 1;
}
