import { KeepAliveCaller } from '../../e2e/processes/keep-alive.ts';
import { type Cluster, delay, serviceOwnedBy } from './replication-cluster.ts';

/** Between two of the changes that are watched, about; not in step with anything. */
export const SPACED_MS = 40;
const SHOWN_MS_MAX = 20_000;

/** Services of each member, changed at the first one and looked for at all others. */
export class Watched {
  readonly #at: KeepAliveCaller;
  readonly #others: readonly KeepAliveCaller[];
  readonly #services: readonly string[];
  #weight = 1;
  readonly #to: Cluster['to'];

  constructor(cluster: Cluster) {
    const { members, to } = cluster;
    const [at, ...others] = members.map(({ node }) => new KeepAliveCaller(`${node().host}:${node().port}`));
    this.#at = at!;
    this.#others = others;
    this.#services = members.map((member) => serviceOwnedBy(member, cluster, 'watched'));
    this.#to = to;
  }

  /** From the start of each call to the first list of the last of the others that shows it, in order of size. */
  async measure(forMs: number): Promise<Float64Array> {
    const endsMs = performance.now() + forMs;
    const tookMs: number[] = [];
    for (let n = 0; performance.now() < endsMs; n += 1) {
      const service = `${this.#to.prefix}${this.#services[n % this.#services.length]!}`;
      this.#weight += 1;
      const weight = this.#weight;
      const startedMs = performance.now();
      const shown = this.#others.map((other) => this.#shows(other, service, weight, startedMs));
      const called = this.#at.call('POST', `/nacos/v1/ns/instance?${watchedQuery(service, weight)}`);
      const [answer, ...tooks] = await Promise.all([called, ...shown]);
      if (answer.text !== 'ok') throw new Error(`a registration was answered ${answer.status} ${answer.text}`);
      tookMs.push(Math.max(...tooks));
      await delay(SPACED_MS * (0.5 + Math.random()));
    }
    return Float64Array.from(tookMs).sort();
  }

  close(): void {
    for (const caller of [this.#at, ...this.#others]) caller.close();
  }

  async #shows(other: KeepAliveCaller, service: string, weight: number, startedMs: number): Promise<number> {
    for (;;) {
      const hosts = await hostsOf(other, service);
      const tookMs = performance.now() - startedMs;
      if (hosts[0]?.weight === weight) return tookMs;
      if (tookMs > SHOWN_MS_MAX) throw new Error(`a change is not listed after ${SHOWN_MS_MAX} ms`);
    }
  }
}

function watchedQuery(serviceName: string, weight: number): URLSearchParams {
  const metadata = JSON.stringify({
    'preserved.heart.beat.timeout': '3600000',
    'preserved.ip.delete.timeout': '3600000',
  });
  return new URLSearchParams({ serviceName, ip: '10.1.1.1', port: '80', weight: `${weight}`, metadata });
}

export async function hostsOf(
  caller: KeepAliveCaller,
  service: string,
): Promise<readonly { readonly weight: number }[]> {
  const answer = await caller.call('GET', `/nacos/v1/ns/instance/list?serviceName=${service}`);
  return (JSON.parse(answer.text) as { hosts: readonly { weight: number }[] }).hosts;
}
