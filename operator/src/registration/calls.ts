import type { Host, InboundResponse } from '@nacos-kube/core/host/host.ts';
import { PUBLIC_NAMESPACE } from '@nacos-kube/core/model/names.ts';
import { NODE_PORT } from '../resources/names.ts';
import type { Registration } from './wish.ts';

/** An instance as a registry lists it. */
export interface ListedInstance {
  readonly ip: string;
  readonly port: number;
  readonly cluster: string;
  readonly weight: number;
  readonly ephemeral: boolean;
  readonly metadata: Readonly<Record<string, string>>;
}

const CALL_TIMEOUT_MS = 3_000;
/** Members that are tried before a call fails. */
const TRIES_MAX = 3;
const PAGE_SIZE = 500;
/** A registry with more is swept in part, and says so. */
export const SWEPT_SERVICES_MAX = 20_000;

export class RegistryError extends Error {
  override readonly name = 'RegistryError';
}

/** The calls of the registry that registration needs, made to any ready member. */
export class RegistryCalls {
  readonly #host: Host;
  readonly #members: () => readonly string[];

  /** `members` gives the IPs of those that are ready now. */
  constructor(host: Host, members: () => readonly string[]) {
    this.#host = host;
    this.#members = members;
  }

  async register(registration: Registration): Promise<void> {
    await this.#send('POST', '/nacos/v1/ns/instance', {
      ...address(registration),
      weight: String(registration.weight),
      enabled: 'true',
      healthy: 'true',
      metadata: JSON.stringify(registration.metadata),
    });
  }

  /** Missing is fine. */
  async deregister(registration: Omit<Registration, 'weight' | 'metadata'>): Promise<void> {
    await this.#send('DELETE', '/nacos/v1/ns/instance', address(registration));
  }

  async namespaceIds(): Promise<readonly string[]> {
    const body = asJson(await this.#send('GET', '/nacos/v1/console/namespaces', {})) as { readonly data?: unknown };
    if (!Array.isArray(body.data)) throw new RegistryError('the namespaces are no list');
    return body.data.map((one: { readonly namespace?: string }) => one.namespace || PUBLIC_NAMESPACE);
  }

  /** Names `GROUP@@service` of a namespace. */
  async services(namespaceId: string): Promise<readonly string[]> {
    const names: string[] = [];
    for (let pageNo = 1; names.length < SWEPT_SERVICES_MAX; pageNo++) {
      const query = { namespaceId, groupName: '*', pageNo: String(pageNo), pageSize: String(PAGE_SIZE) };
      const page = asJson(await this.#send('GET', '/nacos/v1/ns/service/list', query)) as { readonly doms?: unknown };
      if (!Array.isArray(page.doms)) throw new RegistryError('the services are no list');
      names.push(...page.doms.map(String));
      if (page.doms.length < PAGE_SIZE) return names;
    }
    this.#host.log.warn(`more than ${SWEPT_SERVICES_MAX} services, the rest is not swept`, { namespaceId });
    return names;
  }

  async instances(namespaceId: string, service: string): Promise<readonly ListedInstance[]> {
    const query = { namespaceId, serviceName: service, healthyOnly: 'false' };
    const list = asJson(await this.#send('GET', '/nacos/v1/ns/instance/list', query)) as { readonly hosts?: unknown };
    if (!Array.isArray(list.hosts)) throw new RegistryError('the instances are no list');
    return list.hosts.map((one: Record<string, unknown>) => ({
      ip: String(one.ip),
      port: Number(one.port),
      cluster: String(one.clusterName),
      weight: Number(one.weight),
      ephemeral: one.ephemeral !== false,
      metadata: (one.metadata ?? {}) as Record<string, string>,
    }));
  }

  /** A member that does not answer is passed over for the next; one that refuses is believed. */
  async #send(method: string, path: string, form: Readonly<Record<string, string>>): Promise<InboundResponse> {
    const members = this.#members();
    if (members.length === 0) throw new RegistryError('no member of the cluster is ready');
    const start = this.#host.random.int(members.length);
    let failure: unknown;
    for (let i = 0; i < Math.min(TRIES_MAX, members.length); i++) {
      const address = members[(start + i) % members.length] as string;
      try {
        // DELETE bodies get lost on their way with some proxies, so only POST has one.
        const text = new URLSearchParams(form).toString();
        const answer = await this.#host.network.request({
          address,
          port: NODE_PORT,
          method,
          path: method === 'POST' || text === '' ? path : `${path}?${text}`,
          headers: { 'user-agent': 'nacos-kube-operator', 'content-type': 'application/x-www-form-urlencoded' },
          ...(method === 'POST' ? { body: text } : {}),
          timeoutMs: CALL_TIMEOUT_MS,
        });
        if (answer.status === 200) return answer;
        const said = new TextDecoder().decode(answer.body).slice(0, 200);
        failure = new RegistryError(`${method} ${path} was answered ${answer.status} by ${address}: ${said}`);
        if (answer.status < 500) break;
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }
}

function address(registration: Omit<Registration, 'weight' | 'metadata'>): Record<string, string> {
  return {
    namespaceId: registration.namespaceId,
    serviceName: registration.service,
    ip: registration.ip,
    port: String(registration.port),
    clusterName: registration.cluster,
    ephemeral: 'false',
  };
}

function asJson(answer: InboundResponse): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(answer.body));
  } catch (cause) {
    throw new RegistryError('a member answered with something else than JSON', { cause });
  }
}
