import type { NodeFacts } from './health.ts';
import type { ProcessView } from './machine.ts';

/** What is known of a member at a moment. */
export interface MemberRow {
  readonly name: string;
  readonly address: string;
  readonly node: ProcessView | undefined;
  readonly sidecar: ProcessView | undefined;
  readonly isReady: boolean;
  /** Its state as each member that is ready sees it. */
  readonly states: readonly string[];
  /** What its node says of itself, while it is ready. */
  readonly facts: NodeFacts | undefined;
}

export interface ClusterView {
  readonly name: string;
  readonly vip: string;
  readonly logs: string;
  readonly rows: readonly MemberRow[];
  readonly nowMs: number;
}

const HEADS = ['MEMBER', 'ADDRESS', 'STATE', 'READY', 'PID', 'RESTARTS', 'SIDECAR', 'UP FOR'] as const;
const GAP = '  ';

/** The lines of the live table. */
export function tableLines(view: ClusterView): readonly string[] {
  const cells = view.rows.map((row) => cellsOf(row, view.nowMs));
  const widths = HEADS.map((head, column) =>
    Math.max(head.length, ...cells.map((line) => (line[column] ?? '').length)),
  );
  const lineOf = (line: readonly string[]) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join(GAP)
      .trimEnd();
  return ['', summary(view), '', lineOf(HEADS), ...cells.map(lineOf), '', `logs in ${view.logs}; Ctrl-C stops`];
}

export function summary({ name, vip, rows }: ClusterView): string {
  return `${name}: ${rows.filter(({ isReady }) => isReady).length} of ${rows.length} members ready, VIP ${vip}`;
}

/** What a log without a terminal is told of a member; equal texts mean that nothing changed that matters. */
export function plainLine(row: MemberRow): string {
  const { name, address, node, isReady } = row;
  const pid = node?.pid === undefined ? '' : `, pid ${node.pid}`;
  return `${name} ${address} ${stateOf(row)}, ${isReady ? 'ready' : 'not ready'}${pid}, restarts ${node?.restarts ?? 0}`;
}

/** As the members see it; while none is there to look, what its process does. */
export function stateOf({ states, node }: MemberRow): string {
  const agreed = [...new Set(states)].sort();
  return agreed.length > 0 ? agreed.join('/') : phaseText(node);
}

export function isAllUp({ rows }: Pick<ClusterView, 'rows'>): boolean {
  return rows.length > 0 && rows.every((row) => row.isReady && stateOf(row) === 'UP');
}

function cellsOf(row: MemberRow, nowMs: number): readonly string[] {
  const { name, address, node, sidecar, isReady } = row;
  return [
    name,
    address,
    stateOf(row),
    isReady ? 'yes' : 'no',
    node?.pid === undefined ? '-' : String(node.pid),
    String(node?.restarts ?? 0),
    phaseText(sidecar),
    node?.phase === 'running' ? durationText(nowMs - node.sinceMs) : '-',
  ];
}

function phaseText(process: ProcessView | undefined): string {
  return process?.phase ?? 'gone';
}

export function durationText(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m${seconds % 60}s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h${minutes % 60}m` : `${Math.floor(hours / 24)}d${hours % 24}h`;
}
