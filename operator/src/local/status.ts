import { durationText } from './table.ts';

/** How a member is, as `nacos-kube up status` tells it. */
export interface MemberStatus {
  readonly name: string;
  readonly address: string;
  /** As its peers see it; several with `/` between when they differ; without any, what its process does. */
  readonly state: string;
  readonly isReady: boolean;
  readonly pid: number | null;
  readonly restarts: number;
  readonly uptimeSeconds: number | null;
  /** Of the member list that it obeys. */
  readonly generation: number | null;
  /** How long its oldest change that a peer lacks has waited, and how many wait. */
  readonly lagSeconds: number | null;
  readonly lagEntries: number | null;
  readonly sidecar: string;
}

export interface ClusterStatus {
  readonly name: string;
  readonly manifest: string;
  readonly data: string;
  readonly logs: string;
  /** Of the process that runs it. */
  readonly pid: number;
  readonly vip: { readonly url: string; readonly members: number; readonly connections: number };
  /** What is under way, as `restart`. */
  readonly operation: string | null;
  readonly isReady: boolean;
  readonly members: readonly MemberStatus[];
}

const HEADS = ['MEMBER', 'ADDRESS', 'STATE', 'READY', 'PID', 'RESTARTS', 'UP FOR', 'LIST', 'SYNC LAG'];
const GAP = '  ';

export function statusLines(status: ClusterStatus): readonly string[] {
  const { name, vip, members, manifest, logs, pid, operation } = status;
  const ready = members.filter(({ isReady }) => isReady).length;
  const clients = `${vip.connections} connection${vip.connections === 1 ? '' : 's'}`;
  return [
    `${name}: ${ready} of ${members.length} members ready, run by process ${pid} from ${manifest}`,
    `VIP ${vip.url} to ${vip.members} members, ${clients}`,
    ...(operation === null ? [] : [`under way: ${operation}`]),
    '',
    ...columns([HEADS, ...members.map(cellsOf)]),
    '',
    `logs in ${logs}`,
  ];
}

function cellsOf(member: MemberStatus): readonly string[] {
  const { name, address, state, isReady, pid, restarts, uptimeSeconds, generation, lagSeconds, lagEntries } = member;
  return [
    name,
    address,
    state,
    isReady ? 'yes' : 'no',
    pid === null ? '-' : String(pid),
    String(restarts),
    uptimeSeconds === null ? '-' : durationText(uptimeSeconds * 1_000),
    generation === null ? '-' : String(generation),
    lagSeconds === null ? '-' : `${lagSeconds.toFixed(1)}s, ${lagEntries} changes`,
  ];
}

function columns(lines: readonly (readonly string[])[]): readonly string[] {
  const widths = HEADS.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join(GAP)
      .trimEnd(),
  );
}
