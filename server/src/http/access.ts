import { timingSafeEqual } from 'node:crypto';
import type { HttpRequest } from '@nacos-kube/core/host/host.ts';
import { ProtocolError } from '@nacos-kube/core/http/protocol-error.ts';
import type { Policy } from '@nacos-kube/core/http/route.ts';
import { isLoopback } from '../push/target.ts';

/** Who may do what on the public port: nothing that belongs to members, and all else while accounts are off. */
export function authorizePublic(policy: Policy): void {
  switch (policy.kind) {
    case 'open':
    case 'read':
    case 'write':
      return;
    case 'peer':
    case 'sidecar':
    case 'refused':
      throw new ProtocolError(403, 'forbidden');
  }
}

export interface PeerAccess {
  /** Throws when a request is not signed by a member. */
  readonly verifyPeer: (request: HttpRequest) => void;
  /** What the sidecar must show; undefined while there is none. */
  readonly sidecarToken: () => string | undefined;
}

/** On the peer port there is nothing for anybody else. */
export function authorizePeer(access: PeerAccess): (policy: Policy, request: HttpRequest) => void {
  return (policy, request) => {
    if (policy.kind === 'peer') access.verifyPeer(request);
    else if (policy.kind === 'sidecar') verifySidecar(access.sidecarToken(), request);
    else throw new ProtocolError(403, 'forbidden');
  };
}

function verifySidecar(token: string | undefined, request: HttpRequest): void {
  const given = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
  const isAllowed = token !== undefined && given !== undefined && isEqual(given, token);
  if (!isAllowed || !isLoopback(request.remote.address)) throw new ProtocolError(401, 'unauthorized');
}

/** In a time that does not tell how much of it was right. */
function isEqual(a: string, b: string): boolean {
  const [left, right] = [new TextEncoder().encode(a), new TextEncoder().encode(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/**
 * The caller's address: the other end of the connection, or, when that is a trusted proxy, whoever called it. Each proxy
 * adds its caller at the end of X-Forwarded-For, so what stands before the last one that is no proxy is the caller's own
 * claim: believing it would let anybody have pushes sent to anyone (S10).
 */
export function clientIpOf(trustedProxies: readonly string[]): (request: HttpRequest) => string {
  const trusted = new Set(trustedProxies);
  return (request) => {
    const { remote } = request;
    if (!trusted.has(remote.address)) return remote.address;
    const { headers } = request;
    const chain = (headers['x-forwarded-for'] ?? '').split(',').map((one) => one.trim());
    return chain.findLast((one) => one !== '' && !trusted.has(one)) ?? (headers['x-real-ip']?.trim() || remote.address);
  };
}
