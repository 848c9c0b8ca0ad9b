import { type Host, NetworkError } from '@nacos-kube/core/host/host.ts';
import { decodeMembers } from '../member-reports.ts';
import type { ReportedMember } from '../snapshot.ts';
import { LOOPBACK } from './layout.ts';

const TIMEOUT_MS = 1_000;
const ANSWER_BYTES_MAX = 1024 * 1024;

export interface NodeHealth {
  readonly isReady: boolean;
  /** How it sees the members; empty unless it is ready. */
  readonly members: readonly ReportedMember[];
}

export const NO_HEALTH: NodeHealth = { isReady: false, members: [] };

/** Whoever does not answer in time, or with something else, is not ready. */
export async function askNode(host: Host, port: number): Promise<NodeHealth> {
  const readiness = await get(host, port, '/nacos/v1/console/health/readiness');
  if (readiness?.status !== 200) return NO_HEALTH;
  const nodes = await get(host, port, '/nacos/v1/core/cluster/nodes');
  try {
    return { isReady: true, members: nodes?.status === 200 ? decodeMembers(nodes.text) : [] };
  } catch (error) {
    host.log.debug('the members that a node tells cannot be read', { port, error });
    return { isReady: true, members: [] };
  }
}

/** Whether the sidecar has written cluster.conf. */
export async function isSidecarReady(host: Host, metricsPort: number): Promise<boolean> {
  return (await get(host, metricsPort, '/readyz'))?.status === 200;
}

async function get(host: Host, port: number, path: string): Promise<{ status: number; text: string } | undefined> {
  try {
    const { status, body } = await host.network.request({
      address: LOOPBACK,
      port,
      method: 'GET',
      path,
      timeoutMs: TIMEOUT_MS,
      bodyBytesMax: ANSWER_BYTES_MAX,
    });
    return { status, text: new TextDecoder().decode(body) };
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error;
    return undefined;
  }
}
