import type { MemberState } from '@nacos-kube/core/model/member.ts';
import type { ProbeTarget } from '@nacos-kube/core/probe/machine.ts';
import type { SidecarLease } from '@nacos-kube/core/wire/sidecar.ts';

export const MEMBER_STATES: readonly MemberState[] = ['STARTING', 'UP', 'SUSPICIOUS', 'DOWN'];

/**
 * A lease from the answer of a node, which in a rolling upgrade is of another version than this sidecar: what is missing
 * is taken as none, what has the wrong type is refused.
 */
export function decodeLease(value: unknown): SidecarLease {
  const lease = objectOf(value, 'the answer');
  const list = objectOf(lease['memberList'] ?? {}, 'memberList');
  const guard = objectOf(lease['guard'] ?? {}, 'guard');
  const { generation = null, hash = '', refusal = null } = list;
  return {
    member: text(lease['member'], 'member'),
    isReady: lease['isReady'] === true,
    notReadyReasons: listOf(lease['notReadyReasons'], 'notReadyReasons').map((one) => text(one, 'a reason')),
    memberList: {
      generation: generation === null ? null : number(generation, 'generation'),
      hash: text(hash, 'hash'),
      refusal: refusal === null ? null : text(refusal, 'refusal'),
    },
    members: listOf(lease['members'], 'members').map((one) => {
      const { address, state } = objectOf(one, 'a member');
      return { address: text(address, 'address'), state: stateOf(state) };
    }),
    lag: listOf(lease['lag'], 'lag').map((one) => {
      const { peer, seconds, entries } = objectOf(one, 'a lag');
      return { peer: text(peer, 'peer'), seconds: number(seconds, 'seconds'), entries: number(entries, 'entries') };
    }),
    targets: listOf(lease['targets'], 'targets').map(targetOf),
    guard: {
      forbidden: listOf(guard['forbidden'], 'forbidden').map((one) => text(one, 'a forbidden address')),
      isLoopbackAllowed: guard['isLoopbackAllowed'] === true,
    },
  };
}

function targetOf(value: unknown): ProbeTarget {
  const { service, key, ip, port, healthy } = objectOf(value, 'a target');
  return {
    service: text(service, 'service'),
    key: text(key, 'key'),
    ip: text(ip, 'ip'),
    port: number(port, 'port'),
    healthy: healthy === true,
  };
}

function stateOf(value: unknown): MemberState {
  const state = MEMBER_STATES.find((one) => one === value);
  if (state === undefined) throw new Error(`no state of a member: ${JSON.stringify(value)}`);
  return state;
}

function objectOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${what} is no object`);
  return value as Readonly<Record<string, unknown>>;
}

function listOf(value: unknown, what: string): readonly unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new Error(`${what} is no list`);
  return value;
}

function text(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new Error(`${what} is no text`);
  return value;
}

function number(value: unknown, what: string): number {
  if (typeof value !== 'number') throw new Error(`${what} is no number`);
  return value;
}
