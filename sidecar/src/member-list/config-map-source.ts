import { ConfigMapWatch } from '@nacos-kube/client/kubernetes/config-map-watch.ts';
import type { Host, Timer } from '@nacos-kube/core/host/host.ts';
import type { SecureRequests } from '@nacos-kube/core/host/secure.ts';
import type { ListSource } from '../settings/read.ts';
import { FileListSource } from './file-source.ts';

export const CONFIG_MAP_KEY = 'cluster.conf';
/** So long the API may take to answer at the start before the mounted file is looked at. */
export const API_PATIENCE_MS = 5_000;

/**
 * Offers the list in a ConfigMap: by the API, which tells a change at once, and from the mounted file as the fallback.
 * The file waits for the API at the start, for it may be the older one; from then on both are followed, and the
 * generation says which list is better, whether the API can be reached or not.
 */
export class ConfigMapListSource {
  readonly #host: Host;
  readonly #watch: ConfigMapWatch;
  readonly #fallback: FileListSource | undefined;
  #patience: Timer | undefined;

  constructor(
    host: Host,
    secure: SecureRequests,
    source: Extract<ListSource, { kind: 'configmap' }>,
    offer: (text: string, from: string) => void,
  ) {
    this.#host = host;
    const log = host.log.area('member-list');
    const { kind: _, fallbackFile, ...place } = source;
    this.#watch = new ConfigMapWatch(host, secure, place, (data) => {
      const text = data?.get(CONFIG_MAP_KEY);
      if (text !== undefined) offer(text, 'the API');
      else log.warn('the ConfigMap has no member list, the last one stays', { name: place.name });
      this.#fallback?.start();
    });
    if (fallbackFile !== undefined) {
      this.#fallback = new FileListSource(host, fallbackFile, (text) => offer(text, 'the mounted file'));
    }
  }

  get failures(): number {
    return this.#watch.failures;
  }

  start(): void {
    this.#patience = this.#host.clock.after(API_PATIENCE_MS, () => this.#fallback?.start());
    this.#watch.start();
  }

  async stop(): Promise<void> {
    this.#patience?.cancel();
    this.#fallback?.stop();
    await this.#watch.stop();
  }
}
