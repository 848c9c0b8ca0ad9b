import type { Host } from '@nacos-kube/core/host/host.ts';
import { json } from '@nacos-kube/core/http/answers.ts';
import { badRequest } from '@nacos-kube/core/http/protocol-error.ts';
import type { Route } from '@nacos-kube/core/http/route.ts';
import { parseServiceKey, type ServiceId, serviceKey } from '@nacos-kube/core/model/names.ts';
import { parseObject } from '@nacos-kube/core/wire/naming-metadata.ts';
import {
  decodeSubscriberList,
  isAskedFor,
  SUBSCRIBERS_MAX,
  type Subscriber,
  type SubscribersRequest,
} from '@nacos-kube/core/wire/naming-subscribers.ts';
import type { PushHub } from './hub.ts';

export const SUBSCRIBERS_PATH = '/peer/v1/subscribers';
const SUBSCRIBERS_TIMEOUT_MS = 2_000;

/** The way to the other members. */
export interface SubscribersPeers {
  listed(): readonly string[];
  /** JSON over the peer port; rejects when there is no answer in time. */
  call(peer: string, path: string, message: unknown, timeoutMs: number): Promise<unknown>;
}

/** Who is pushed to by this member, and by the others. */
export class Subscribers {
  readonly #host: Host;
  readonly #hub: PushHub;
  readonly #peers: SubscribersPeers;

  constructor(host: Host, hub: PushHub, peers: SubscribersPeers) {
    this.#host = host;
    this.#hub = hub;
    this.#peers = peers;
  }

  /** Those of peers that do not answer are left out. */
  async of({ service, aggregation }: SubscribersRequest): Promise<readonly Subscriber[]> {
    const own = this.local(service);
    if (!aggregation) return own;
    const others = await Promise.all(this.#peers.listed().map((peer) => this.#ofPeer(peer, service)));
    const distinct = new Map<string, Subscriber>();
    for (const one of [...own, ...others.flat()]) distinct.set(JSON.stringify(Object.values(one)), one);
    return [...distinct.values()].slice(0, SUBSCRIBERS_MAX);
  }

  local(asked: ServiceId): Subscriber[] {
    const found: Subscriber[] = [];
    const nowMs = this.#host.clock.monotonic();
    for (const key of this.#hub.watchedServices()) {
      const service = parseServiceKey(key);
      if (service === undefined || !isAskedFor(asked, service)) continue;
      for (const { target, agent, app } of this.#hub.subscribers(key, nowMs)) {
        const { address: ip, port } = target;
        const { namespaceId, name: serviceName } = service;
        found.push({ addrStr: `${ip}:${port}`, agent, app, ip, namespaceId, serviceName });
        if (found.length >= SUBSCRIBERS_MAX) return found;
      }
    }
    return found;
  }

  /** What other members ask. */
  get peerRoute(): Route {
    return {
      method: 'POST',
      path: SUBSCRIBERS_PATH,
      policy: { kind: 'peer' },
      handler: ({ request }) => {
        const asked = serviceOf(request.body);
        if (asked === undefined) throw badRequest('a question without a service');
        return json({ subscribers: this.local(asked) });
      },
    };
  }

  async #ofPeer(peer: string, service: ServiceId): Promise<readonly Subscriber[]> {
    const message = { service: serviceKey(service) };
    try {
      const answer = await this.#peers.call(peer, SUBSCRIBERS_PATH, message, SUBSCRIBERS_TIMEOUT_MS);
      return decodeSubscriberList(answer);
    } catch (error) {
      this.#host.log.info('a peer did not say who its subscribers are', { peer, error });
      return [];
    }
  }
}

function serviceOf(body: Uint8Array): ServiceId | undefined {
  const service = parseObject(new TextDecoder().decode(body))?.service;
  return typeof service === 'string' ? parseServiceKey(service) : undefined;
}
