import type { HttpRequest, HttpResponse } from '@nacos-kube/core/host/host.ts';
import { text } from '@nacos-kube/core/http/answers.ts';
import type { Switches, SwitchValues } from '@nacos-kube/core/model/switches.ts';

/** Under which route the metrics count what is turned away. */
export const TURNED_AWAY = 'turned away';
/** Never closed: who closed the gate must be able to open it. */
const ALWAYS_OPEN = ['/v1/ns/operator/switches', '/v1/ns/ops/switches'];

/**
 * Turns naming traffic away as operators say by the switches (spec/naming.md 0.1): by the beginning of its target, or
 * all of it by a status that they put in the place of the real one. The real status closes nothing: whoever starts or
 * drains answers what it can (F5).
 */
export class TrafficGate {
  readonly #contextPath: string;
  #limits: readonly (readonly [prefix: string, status: number])[] = [];
  #status: string | null = null;
  /** False while nothing is switched, so that the gate costs one look on each request. */
  isShut = false;

  constructor(contextPath: string, switches: Switches) {
    this.#contextPath = contextPath;
    this.take(switches.current);
  }

  take({ limitedUrlMap, overriddenServerStatus }: SwitchValues): void {
    this.#limits = [...limitedUrlMap];
    this.#status = overriddenServerStatus === 'UP' ? null : overriddenServerStatus;
    this.isShut = this.#limits.length > 0 || this.#status !== null;
  }

  /** What a request is turned away with; undefined: it may pass. */
  refuse({ method, path, query, headers }: HttpRequest): HttpResponse | undefined {
    const inside = path.startsWith(this.#contextPath) ? path.slice(this.#contextPath.length) : '';
    if (!inside.startsWith('/v1/ns/') || ALWAYS_OPEN.some((open) => inside === open || inside === `${open}/`)) {
      return undefined;
    }
    // As the reference writes a target without a query, so that its prefixes fit.
    const target = `${path}?${query === '' ? 'null' : query}`;
    const limit = this.#limits.find(([prefix]) => target.startsWith(prefix));
    if (limit !== undefined) return { status: limit[1], body: '' };
    const agent = headers['user-agent'] || headers['client-version'] || '';
    if (this.#status === null || agent.startsWith('Nacos-Server')) return undefined;
    const isRead = method === 'GET' || method === 'HEAD';
    if (this.#status === (isRead ? 'READ_ONLY' : 'WRITE_ONLY')) return undefined;
    return text(`server is ${this.#status}now, please try again later!`, 503);
  }
}
