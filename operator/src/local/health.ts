import { type Host, NetworkError } from '@nacos-kube/core/host/host.ts';
import { decodeMembers } from '../member-reports.ts';
import type { ReportedMember } from '../snapshot.ts';
import { LOOPBACK } from './layout.ts';

const TIMEOUT_MS = 1_000;
const ANSWER_BYTES_MAX = 1024 * 1024;

/** What a node says of itself. */
export interface NodeFacts {
  /** Of the member list that it obeys. */
  readonly generation: number | undefined;
  /** Changes that wait to be sent to peers, and for how long the oldest has. */
  readonly lagEntries: number;
  readonly lagSeconds: number;
  /** Peers with which all that it owns was compared. */
  readonly peersCompared: number;
}

export interface NodeHealth {
  readonly isReady: boolean;
  /** How it sees the members; empty unless it is ready. */
  readonly members: readonly ReportedMember[];
  readonly facts: NodeFacts | undefined;
  /** It gave no answer, not even that it is not ready: it may only be slow. */
  readonly isSilent: boolean;
}

export const NO_HEALTH: NodeHealth = { isReady: false, members: [], facts: undefined, isSilent: false };

/** Whoever does not answer in time, or with something else, is not ready. */
export async function askNode(host: Host, address: string, port: number): Promise<NodeHealth> {
  const readiness = await get(host, port, '/nacos/v1/console/health/readiness');
  if (readiness === 'silent') return { ...NO_HEALTH, isSilent: true };
  if (readiness === 'refused' || readiness.status !== 200) return NO_HEALTH;
  const nodes = await get(host, port, '/nacos/v1/core/cluster/nodes');
  try {
    if (typeof nodes === 'string' || nodes.status !== 200) return { ...NO_HEALTH, isReady: true };
    const facts = decodeFacts(nodes.text, address);
    return { isReady: true, members: decodeMembers(nodes.text), facts, isSilent: false };
  } catch (error) {
    host.log.debug('the members that a node tells cannot be read', { port, error });
    return { ...NO_HEALTH, isReady: true };
  }
}

/** Of the node itself, among the members that it tells. */
function decodeFacts(text: string, address: string): NodeFacts | undefined {
  const { data } = JSON.parse(text) as { readonly data: readonly Record<string, unknown>[] };
  const facts = data.find((one) => one['address'] === address)?.['extendInfo'];
  if (typeof facts !== 'object' || facts === null) return undefined;
  const number = (name: string) => {
    const value = (facts as Record<string, unknown>)[name];
    return typeof value === 'number' ? value : undefined;
  };
  return {
    generation: number('listGeneration'),
    lagEntries: number('syncLagEntries') ?? 0,
    lagSeconds: number('syncLagSeconds') ?? 0,
    peersCompared: number('peersCompared') ?? 0,
  };
}

/** Whether the sidecar has written cluster.conf. */
export async function isSidecarReady(host: Host, metricsPort: number): Promise<boolean> {
  const answer = await get(host, metricsPort, '/readyz');
  return typeof answer !== 'string' && answer.status === 200;
}

type Answer = { readonly status: number; readonly text: string } | 'refused' | 'silent';

async function get(host: Host, port: number, path: string): Promise<Answer> {
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
    return error.kind === 'refused' ? 'refused' : 'silent';
  }
}
