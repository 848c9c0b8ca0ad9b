import { plainAddress } from '../model/ip-literal.ts';
import { httpRefusal } from './http-check.ts';
import type { ProbeTarget } from './target.ts';

export interface ProbeGuard {
  /** Hosts that are never probed: the members and the API server. */
  readonly forbidden: ReadonlySet<string>;
  /** True only where the node itself listens on loopback alone. */
  readonly isLoopbackAllowed: boolean;
}

/** Of a cloud that speaks IPv6; those of the others are link-local. */
const METADATA_ADDRESS = 'fd00:ec2:0:0:0:0:0:254';

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
  // One address has many texts in IPv6, and IPv4 ones among them.
  const address = plainAddress(ip);
  if (address === undefined) return 'not an IP address';
  // On a laptop all is on one address, the members and what registers with them.
  const isLoopback = address === '0:0:0:0:0:0:0:1' || address.startsWith('127.');
  if (isLoopback) return guard.isLoopbackAllowed ? undefined : 'a loopback address';
  if (isForbidden(address, guard)) return 'an address of the cluster itself';
  const isLinkLocal = isVersion4(address) ? address.startsWith('169.254.') : /^fe[89ab]/.test(address);
  if (isLinkLocal || address === METADATA_ADDRESS) return 'a link-local or metadata address';
  const isNobody = address === '0:0:0:0:0:0:0:0' || address.startsWith('0.') || isMulticast(address);
  return isNobody ? 'not the address of a machine' : undefined;
}

function isForbidden(address: string, { forbidden }: ProbeGuard): boolean {
  if (forbidden.has(address)) return true;
  return forbidden.values().some((host) => host.includes(':') && plainAddress(host) === address);
}

function isMulticast(address: string): boolean {
  if (!isVersion4(address)) return /^ff..:/.test(address);
  return Number(address.split('.')[0]) >= 224;
}

function isVersion4(address: string): boolean {
  return !address.includes(':');
}
