import type { HttpRequest } from '@nacos-kube/core/host/host.ts';
import { isIpLiteral } from '@nacos-kube/core/model/ip-literal.ts';
import { MEMBER_HEADER } from '../http/peer-auth.ts';
import { isLoopback } from '../push/target.ts';

/** Hosts of the members that must not be probed, by name and by the addresses behind the names (S9). */
export class SeenAddresses {
  readonly #own: readonly string[];
  readonly #seen = new Map<string, string>();

  /**
   * `own` are this machine's addresses. They count only where members have names: then the machine is a pod, and its
   * addresses are the member's alone. Where the list holds addresses, other programs share the machine.
   */
  constructor(selfHost: string, own: readonly string[]) {
    this.#own = isIpLiteral(selfHost) || selfHost === 'localhost' ? [] : own;
  }

  /** To be called with requests whose sender is proven. */
  saw({ headers, remote }: Pick<HttpRequest, 'headers' | 'remote'>): void {
    const member = headers[MEMBER_HEADER];
    if (member !== undefined) this.#seen.set(member, plain(remote.address));
  }

  /** Loopback is left out: whether it may be probed is another rule. */
  of(members: readonly { readonly address: string; readonly host: string }[]): readonly string[] {
    const listed = new Set(members.map(({ address }) => address));
    for (const member of this.#seen.keys()) if (!listed.has(member)) this.#seen.delete(member);
    const hosts = new Set([...members.map(({ host }) => host), ...this.#seen.values(), ...this.#own.map(plain)]);
    return [...hosts].filter((host) => !isLoopback(host));
  }
}

function plain(address: string): string {
  return address.toLowerCase().replace(/^::ffff:/, '');
}
