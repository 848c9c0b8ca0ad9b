import { isIpLiteral } from '../model/ip-literal.ts';
import { httpRefusal } from './http-check.ts';
import type { ProbeTarget } from './target.ts';

export interface ProbeGuard {
  /** Hosts that are never probed: the members and the API server. */
  readonly forbidden: ReadonlySet<string>;
  /** True only where the node itself listens on loopback alone. */
  readonly isLoopbackAllowed: boolean;
}

/** Databases are not asked unless an operator says so (S9). */
export const MYSQL_IS_OFF = 'MYSQL checks are off';

/** Why a target may not be probed (S9), or undefined when it may; its instance keeps the health that it has. */
export function targetRefusal({ ip, check }: ProbeTarget, guard: ProbeGuard, hasMysql: boolean): string | undefined {
  const refusal = probeRefusal(ip, guard);
  if (refusal !== undefined) return refusal;
  if (check.kind === 'HTTP') return httpRefusal(check);
  return check.kind === 'MYSQL' && !hasMysql ? MYSQL_IS_OFF : undefined;
}

/** Why an address may not be probed (S9), or undefined when it may: a registry must not scan networks for strangers. */
export function probeRefusal(ip: string, guard: ProbeGuard): string | undefined {
  if (!isIpLiteral(ip)) return 'not an IP address';
  const address = ip.toLowerCase().replace(/^::ffff:/, '');
  // On a laptop all is on one address, the members and what registers with them.
  const isLoopback = address === '::1' || address.startsWith('127.');
  if (isLoopback) return guard.isLoopbackAllowed ? undefined : 'a loopback address';
  if (guard.forbidden.has(address)) return 'an address of the cluster itself';
  const isLinkLocal = isVersion4(address) ? address.startsWith('169.254.') : /^fe[89ab]/.test(address);
  if (isLinkLocal || address === 'fd00:ec2::254') return 'a link-local or metadata address';
  const isNobody = address === '::' || address.startsWith('0.') || isMulticast(address);
  return isNobody ? 'not the address of a machine' : undefined;
}

function isMulticast(address: string): boolean {
  if (!isVersion4(address)) return address.startsWith('ff');
  return Number(address.split('.')[0]) >= 224;
}

function isVersion4(address: string): boolean {
  return !address.includes(':');
}
