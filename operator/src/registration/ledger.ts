import type { ObjectKey } from '../kube/objects.ts';
import type { ListedInstance } from './calls.ts';
import type { Registration, Wish } from './wish.ts';
import { identityOf, isSameRegistration, OWNER_MARK, POD_MARK, POD_UID_MARK } from './wish.ts';

export type LedgerStep =
  | { readonly kind: 'register'; readonly registration: Registration }
  | { readonly kind: 'deregister'; readonly registration: Registration };

/** What stands in the registries and for which pod, as far as we know. Who carries out a step says so afterwards. */
export class Ledger {
  /** By identity, so that a pod that took over an address of another owns its instance. */
  readonly #standing = new Map<string, { readonly podKey: ObjectKey; readonly registration: Registration }>();
  readonly #byPod = new Map<ObjectKey, Set<string>>();

  get size(): number {
    return this.#standing.size;
  }

  has(podKey: ObjectKey): boolean {
    return this.#byPod.has(podKey);
  }

  /** Steps that bring the registries to the pod's wish. First what is new, so that no list is empty in between. */
  steps(podKey: ObjectKey, wish: Wish): readonly LedgerStep[] {
    if (wish.kind === 'refused') return []; // what stands was right once; a slip of the pen takes nobody off the net
    const wanted = wish.kind === 'wanted' ? wish.registration : undefined;
    const identity = wanted && identityOf(wanted);
    const steps: LedgerStep[] = [];
    if (wanted && identity !== undefined) {
      const standing = this.#standing.get(identity);
      const isAsWanted = standing?.podKey === podKey && isSameRegistration(standing.registration, wanted);
      if (!isAsWanted) steps.push({ kind: 'register', registration: wanted });
    }
    for (const other of this.#byPod.get(podKey) ?? []) {
      const standing = this.#standing.get(other);
      if (other !== identity && standing) steps.push({ kind: 'deregister', registration: standing.registration });
    }
    return steps;
  }

  stands(podKey: ObjectKey, registration: Registration): void {
    const identity = identityOf(registration);
    this.gone(registration);
    this.#standing.set(identity, { podKey, registration });
    const identities = this.#byPod.get(podKey) ?? new Set();
    this.#byPod.set(podKey, identities.add(identity));
  }

  gone(registration: Registration): void {
    const identity = identityOf(registration);
    const podKey = this.#standing.get(identity)?.podKey;
    if (podKey === undefined) return;
    this.#standing.delete(identity);
    const identities = this.#byPod.get(podKey);
    identities?.delete(identity);
    if (identities?.size === 0) this.#byPod.delete(podKey);
  }

  isStanding(registration: Registration): boolean {
    return this.#standing.has(identityOf(registration));
  }

  of(clusterKey: ObjectKey): readonly Registration[] {
    return [...this.#standing.values()].flatMap(({ registration }) =>
      registration.clusterKey === clusterKey ? [registration] : [],
    );
  }

  /** A cluster that is gone took its registry along. */
  forgetCluster(clusterKey: ObjectKey): void {
    for (const registration of this.of(clusterKey)) this.gone(registration);
  }
}

export interface SweptInstance {
  readonly namespaceId: string;
  readonly service: string;
  readonly instance: ListedInstance;
}

export type SweepVerdict =
  /** Ours, and as its pod wants it. */
  | { readonly kind: 'keep'; readonly podKey: ObjectKey; readonly registration: Registration }
  /** Ours, and no pod stands for it: left over from before. */
  | { readonly kind: 'leftover'; readonly registration: Registration }
  /** Not ours to judge. */
  | { readonly kind: 'foreign' };

/**
 * What to do with an instance that a registry holds. Ours is what bears the mark of this very NacosCluster, is
 * persistent, and belongs to a pod whose namespace we watch; all else is foreign, however dead it looks.
 */
export function judgeListed(
  swept: SweptInstance,
  cluster: { readonly key: ObjectKey; readonly uid: string },
  isWatched: (kubeNamespace: string) => boolean,
  wishOfPod: (podKey: ObjectKey) => { readonly uid: string; readonly wish: Wish } | undefined,
): SweepVerdict {
  const { instance, namespaceId, service } = swept;
  const podKey = instance.metadata[POD_MARK];
  if (instance.ephemeral || instance.metadata[OWNER_MARK] !== cluster.uid || !podKey) return { kind: 'foreign' };
  if (!isWatched(podKey.split('/')[0] as string)) return { kind: 'foreign' };

  const { ip, port, weight, metadata } = instance;
  const registration: Registration = {
    clusterKey: cluster.key,
    namespaceId,
    service,
    ip,
    port,
    cluster: instance.cluster,
    weight,
    metadata,
  };
  const pod = wishOfPod(podKey);
  const isStandingFor =
    pod?.wish.kind === 'wanted' &&
    pod.uid === metadata[POD_UID_MARK] &&
    identityOf(pod.wish.registration) === identityOf(registration);
  return isStandingFor ? { kind: 'keep', podKey, registration } : { kind: 'leftover', registration };
}
