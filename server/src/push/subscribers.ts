import type { Host } from '@nacos-kube/core/host/host.ts';
import { json } from '@nacos-kube/core/http/answers.ts';
import { badRequest } from '@nacos-kube/core/http/protocol-error.ts';
import type { Route } from '@nacos-kube/core/http/route.ts';
import { parseServiceKey, type ServiceId, serviceKey } from '@nacos-kube/core/model/names.ts';
import {
  isAskedFor,
  SUBSCRIBERS_MAX,
  type Subscriber,
  type SubscribersRequest,
} from '@nacos-kube/core/wire/naming-subscribers.ts';
import { BadMessageError, field, list, serviceText, text } from '../distro/codec.ts';
import type { Peers } from '../distro/peers.ts';
import type { PushHub } from './hub.ts';

export const SUBSCRIBERS_PATH = '/peer/v1/subscribers';
const SUBSCRIBERS_TIMEOUT_MS = 2_000;

/** Who is pushed to by this member, and by the others. */
export class Subscribers {
  readonly #host: Host;
  readonly #hub: PushHub;
  readonly #peers: Pick<Peers, 'listed' | 'call'>;

  constructor(host: Host, hub: PushHub, peers: Pick<Peers, 'listed' | 'call'>) {
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
        try {
          const message: unknown = JSON.parse(new TextDecoder().decode(request.body));
          const asked = parseServiceKey(serviceText(field(message, 'service'))) as ServiceId;
          return json({ subscribers: this.local(asked) });
        } catch (error) {
          if (!(error instanceof BadMessageError || error instanceof SyntaxError)) throw error;
          throw badRequest(error.message);
        }
      },
    };
  }

  async #ofPeer(peer: string, service: ServiceId): Promise<readonly Subscriber[]> {
    const message = { service: serviceKey(service) };
    try {
      const answer = await this.#peers.call(peer, SUBSCRIBERS_PATH, message, SUBSCRIBERS_TIMEOUT_MS);
      return list(field(answer, 'subscribers'), 'subscribers', SUBSCRIBERS_MAX).map(decodeSubscriber);
    } catch (error) {
      this.#host.log.info('a peer did not say who its subscribers are', { peer, error });
      return [];
    }
  }
}

function decodeSubscriber(value: unknown): Subscriber {
  const of = (name: keyof Subscriber) => text(field(value, name), `${name} of a subscriber`);
  return {
    addrStr: of('addrStr'),
    agent: of('agent'),
    app: of('app'),
    ip: of('ip'),
    namespaceId: of('namespaceId'),
    serviceName: of('serviceName'),
  };
}
