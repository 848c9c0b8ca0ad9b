import type { Host } from '@nacos-kube/core/host/host.ts';
import { NODE_PORT } from './resources/names.ts';
import type { MemberReport, ReportedMember } from './snapshot.ts';

/** A member that takes longer is taken for silent: others wait for the same look. */
export const ASK_TIMEOUT_MS = 2_000;
const ANSWER_BYTES_MAX = 1024 * 1024;
const MEMBERS_MAX = 256;

/** What a member says about itself and the others; undefined when it says nothing that can be understood. */
export async function askMember(host: Host, podIP: string): Promise<MemberReport | undefined> {
  try {
    const [readiness, nodes] = await Promise.all([
      ask(host, podIP, '/nacos/v1/console/health/readiness'),
      ask(host, podIP, '/nacos/v1/core/cluster/nodes'),
    ]);
    if (nodes.status !== 200) return undefined;
    return { isReady: readiness.status === 200, members: decodeMembers(new TextDecoder().decode(nodes.body)) };
  } catch (error) {
    host.log.debug('a member could not be asked', { podIP, error });
    return undefined;
  }
}

function ask(host: Host, address: string, path: string) {
  return host.network.request({
    address,
    port: NODE_PORT,
    method: 'GET',
    path,
    timeoutMs: ASK_TIMEOUT_MS,
    bodyBytesMax: ANSWER_BYTES_MAX,
  });
}

/** `{"code":200,"data":[{"address","state","extendInfo":{"version"}}]}`; throws on anything else. */
export function decodeMembers(text: string): readonly ReportedMember[] {
  const result = JSON.parse(text) as { readonly data?: unknown };
  if (!Array.isArray(result.data)) throw new Error('the members are no list');
  return result.data.slice(0, MEMBERS_MAX).map((one: unknown) => {
    const { address, state, extendInfo } = (one ?? {}) as Record<string, unknown>;
    if (typeof address !== 'string' || typeof state !== 'string') throw new Error('a member has no address or state');
    const version = (extendInfo as { readonly version?: unknown } | null | undefined)?.version;
    return { address, state, version: typeof version === 'string' ? version.slice(0, 64) : undefined };
  });
}
