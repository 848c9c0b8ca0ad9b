import type { MemberState } from '@nacos-kube/core/model/member.ts';
import type { CheckPeriod } from '@nacos-kube/core/model/switches.ts';
import { DEFAULT_PARAMETERS, type ProbeParameters } from '@nacos-kube/core/probe/parameters.ts';
import type { Check, ProbeTarget } from '@nacos-kube/core/probe/target.ts';
import type { TargetChanges } from '@nacos-kube/core/probe/target-changes.ts';
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
    targets: changesOf(objectOf(lease['targets'], 'targets')),
    parameters: parametersOf(objectOf(lease['parameters'] ?? {}, 'parameters')),
    guard: {
      forbidden: listOf(guard['forbidden'], 'forbidden').map((one) => text(one, 'a forbidden address')),
      isLoopbackAllowed: guard['isLoopbackAllowed'] === true,
    },
  };
}

function changesOf(changes: Readonly<Record<string, unknown>>): TargetChanges {
  return {
    epoch: text(changes['epoch'], 'epoch'),
    version: number(changes['version'], 'version'),
    base: number(changes['base'], 'base'),
    isFresh: changes['isFresh'] === true,
    put: listOf(changes['put'], 'put').map(targetOf),
    removed: listOf(changes['removed'], 'removed').map((one) => text(one, 'a removed target')),
    isMore: changes['isMore'] === true,
    count: number(changes['count'], 'count'),
  };
}

function targetOf(value: unknown): ProbeTarget {
  const { service, key, ip, port, check, healthy } = objectOf(value, 'a target');
  return {
    service: text(service, 'service'),
    key: text(key, 'key'),
    ip: text(ip, 'ip'),
    port: number(port, 'port'),
    check: checkOf(objectOf(check, 'a check')),
    healthy: healthy === true,
  };
}

function checkOf({ kind, path, headers, user, password, command }: Readonly<Record<string, unknown>>): Check {
  switch (kind) {
    case 'TCP':
      return { kind };
    case 'HTTP':
      return { kind, path: text(path, 'path'), headers: text(headers, 'headers') };
    case 'MYSQL':
      return {
        kind,
        user: text(user, 'user'),
        password: text(password, 'password'),
        command: text(command, 'command'),
      };
    default:
      throw new Error(`no kind of check: ${JSON.stringify(kind)}`);
  }
}

function parametersOf({ checkTimes, periods }: Readonly<Record<string, unknown>>): ProbeParameters {
  const told = objectOf(periods ?? {}, 'periods');
  const period = (kind: keyof ProbeParameters['periods']): CheckPeriod => {
    if (told[kind] === undefined) return DEFAULT_PARAMETERS.periods[kind];
    const { max, min, factor } = objectOf(told[kind], kind);
    return { max: number(max, 'max'), min: number(min, 'min'), factor: number(factor, 'factor') };
  };
  return {
    checkTimes: checkTimes === undefined ? DEFAULT_PARAMETERS.checkTimes : number(checkTimes, 'checkTimes'),
    periods: { TCP: period('TCP'), HTTP: period('HTTP'), MYSQL: period('MYSQL') },
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
