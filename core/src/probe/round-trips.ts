/** How long the targets of a cluster took to answer, in ms: best, worst, and the period that came of it. */
export interface RoundTrip {
  readonly service: string;
  readonly cluster: string;
  readonly best: number;
  readonly worst: number;
  readonly normalized: number;
}

export const CLUSTERS_MAX = 10_000;

/** Of the clusters that were probed last, the longest unheard of first. */
export class RoundTrips {
  readonly #known = new Map<string, RoundTrip>();
  readonly #untold = new Set<string>();

  observe(service: string, cluster: string, measuredMs: number, normalized: number): void {
    const id = idOf(service, cluster);
    const known = this.#known.get(id);
    const best = Math.min(known?.best ?? measuredMs, measuredMs);
    const worst = Math.max(known?.worst ?? measuredMs, measuredMs);
    this.take({ service, cluster, best, worst, normalized });
    this.#untold.add(id);
  }

  take(roundTrip: RoundTrip): void {
    const id = idOf(roundTrip.service, roundTrip.cluster);
    this.#known.delete(id);
    this.#known.set(id, roundTrip);
    if (this.#known.size <= CLUSTERS_MAX) return;
    const [oldest = ''] = this.#known.keys();
    this.#known.delete(oldest);
    this.#untold.delete(oldest);
  }

  get(service: string, cluster: string): RoundTrip | undefined {
    return this.#known.get(idOf(service, cluster));
  }

  /** Of those that were observed since they were last given out, the first ones. */
  takeUntold(count: number): RoundTrip[] {
    const ids = this.#untold.values().take(count).toArray();
    for (const id of ids) this.#untold.delete(id);
    return ids.flatMap((id) => this.#known.get(id) ?? []);
  }

  clear(): void {
    this.#known.clear();
    this.#untold.clear();
  }
}

/** The cluster of an instance by its key, `ip:port:cluster`; a name of a cluster has no colon. */
export function clusterOfKey(key: string): string {
  return key.slice(key.lastIndexOf(':') + 1);
}

function idOf(service: string, cluster: string): string {
  return `${service}##${cluster}`;
}
