import { ProtocolError } from '@nacos-kube/core/http/protocol-error.ts';
import { type ServiceId, serviceKey } from '@nacos-kube/core/model/names.ts';
import type { Registry } from './registry.ts';
import type { ServiceView } from './service-entry.ts';

export interface ReadsOptions {
  readonly registry: Registry;
  /** False while this node has not yet heard from its peers what is registered. */
  readonly isLoaded: () => boolean;
  /** False while services and persistent instances were never read from the store. */
  readonly knowsStored: () => boolean;
}

/**
 * Questions about what is registered, as far as this node can know. To say that a service is not there takes a client's
 * traffic away, an error sends it to the next node (F6).
 */
export class Reads {
  readonly #options: ReadsOptions;

  constructor(options: ReadsOptions) {
    this.#options = options;
  }

  get registry(): Registry {
    this.#refuseUnless(this.#options.isLoaded());
    return this.#options.registry;
  }

  view(service: ServiceId): ServiceView | undefined {
    const view = this.registry.view(serviceKey(service));
    if (view === undefined) this.#refuseUnless(this.#options.knowsStored());
    return view;
  }

  #refuseUnless(isKnown: boolean): void {
    if (!isKnown) throw new ProtocolError(503, 'server is STARTINGnow, please try again later!');
  }
}
