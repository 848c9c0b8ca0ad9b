/** What is shown of a run: lines while it goes on, tables, and the JSON. */
import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import type { Measured, RowResult } from './throughput.ts';

export interface Report {
  readonly commit: string;
  readonly commitDate: string;
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  readonly seconds: number;
  readonly rounds: number;
  /** Small and short, so its figures mean nothing. */
  readonly isQuick: boolean;
  /** Null: a node of this checkout. */
  readonly target: string | null;
  readonly rows: readonly RowResult[];
  readonly scenes: readonly SceneResult[];
  readonly failures: readonly { readonly name: string; readonly message: string }[];
}

export interface Figure {
  readonly what: string;
  readonly value: number | null;
  readonly unit: 'ms' | 's' | 'KB' | 'MB' | '/s' | '';
  /** Which of `scale.ts` is shown beside it. */
  readonly scale?: string;
}

export interface SceneResult {
  readonly name: string;
  readonly figures: readonly Figure[];
  /** What a reader must know to take the figures right. */
  readonly notes: readonly string[];
}

/**
 * Of other servers, for scale, per second of server CPU: measured once on a machine of this kind with an earlier form of
 * these rows, not in this run.
 */
const SCALE: Readonly<Record<string, { readonly rnacos: string; readonly java: string }>> = {
  register: { rnacos: '18,000', java: '3,400' },
  'heartbeat, light': { rnacos: '25,000', java: '4,200' },
  'heartbeat, full': { rnacos: '21,000', java: '3,500' },
  'instance list, 10 hosts': { rnacos: '24,000-31,000', java: '2,400' },
  'instance list, 100 hosts': { rnacos: '13,000', java: '1,700' },
  'instance list, 1000 hosts': { rnacos: '2,000', java: '370' },
  'config get, 1 KB': { rnacos: '35,000', java: '2,000' },
  'config publish, 1 KB, durable': { rnacos: '7,700 (not synced)', java: '460' },
  'held poll': { rnacos: '24', java: '600-1,100' },
  'memory at 100k': { rnacos: '232', java: '609' },
  'beats at 100k': { rnacos: '0.09', java: '0.45' },
};

const SATURATED = 0.95;
export const SATURATED_NOTE =
  '`*` The load generator had no CPU left, so the server could do more per second; what it does per CPU second holds.';
export const SQLITE_NOTE = 'sqlite alone, ';

export function lineOf({ name, server, http, socket, ratio }: RowResult): string {
  const parts = [
    `${rate(server.perSecond)}/s`,
    `p50 ${server.p50Ms.toFixed(2)} p99 ${server.p99Ms.toFixed(2)} ms`,
    `${rate(server.perCpuSecond)}/CPU s`,
  ];
  if (http !== null) parts.push(`bare http ${rate(http.perCpuSecond)}/CPU s`, `ratio ${ratio?.toFixed(2)}`);
  if (socket !== null) parts.push(`bare socket ${rate(socket.perCpuSecond)}/CPU s`);
  parts.push(`generator ${(server.generatorCpu * 100).toFixed(0)} % of a core`);
  return `${name.padEnd(32)}${parts.join('  ')}`;
}

export function sceneLines({ name, figures, notes }: SceneResult): string {
  const told = figures.map(({ what, value, unit }) => `${what} ${figure(value)}${unit === '' ? '' : ` ${unit}`}`);
  return [`${name.padEnd(32)}  ${told.join('  ')}`, ...notes.map((note) => `  (${note})`)].join('\n');
}

export function tablesOf(report: Report): string {
  const parts: string[] = [];
  if (report.isQuick) parts.push('Quick: these figures only show that it works.');
  if (report.rows.length > 0) parts.push(rowTable(report.rows), ...rowNotes(report.rows));
  if (report.scenes.length > 0) parts.push(sceneTable(report.scenes));
  parts.push(
    ...report.scenes.flatMap(({ name, notes }) => (notes.length === 0 ? [] : [`*${name}*: ${notes.join(' ')}`])),
  );
  return parts.join('\n\n');
}

function rowTable(rows: readonly RowResult[]): string {
  const lines = rows.map(({ name, server, http, socket, ratio }) => {
    const { rnacos, java } = SCALE[name] ?? { rnacos: '', java: '' };
    return cells(
      name,
      `${rate(server.perSecond)}${isSaturated(server) ? '*' : ''}`,
      `${server.p50Ms.toFixed(2)} / ${server.p99Ms.toFixed(2)}`,
      rate(server.perCpuSecond),
      http === null ? '' : rate(http.perCpuSecond),
      ratio === null ? '' : ratio.toFixed(2),
      socket === null ? '' : rate(socket.perCpuSecond),
      rnacos,
      java,
    );
  });
  const head = cells(
    'what',
    'per second',
    'p50 / p99 ms',
    'per CPU second',
    'bare node:http',
    'ratio',
    'bare socket',
    'r-nacos',
    'Java',
  );
  return [head, '|---|---:|---:|---:|---:|---:|---:|---:|---:|', ...lines].join('\n');
}

function rowNotes(rows: readonly RowResult[]): string[] {
  const notes: string[] = [];
  if (rows.some(({ server }) => isSaturated(server))) {
    notes.push(SATURATED_NOTE);
  }
  const sqlite = rows.find((row) => row.sqlite !== null)?.sqlite;
  if (sqlite != null) {
    const { perSecond, perCpuSecond } = sqlite;
    const figures = `${rate(perSecond)} per second, ${rate(perCpuSecond)} per CPU second`;
    notes.push(`${SQLITE_NOTE}the transaction of the publishes in groups of 64 with an fsync each: ${figures}.`);
  }
  return notes;
}

function sceneTable(scenes: readonly SceneResult[]): string {
  const lines = scenes.flatMap(({ name, figures }) =>
    figures.map(({ what, value, unit, scale }, index) => {
      const { rnacos, java } = SCALE[scale ?? ''] ?? { rnacos: '', java: '' };
      return cells(
        index === 0 ? name : '',
        what,
        `${figure(value)} ${value === null ? '' : unit}`.trim(),
        rnacos,
        java,
      );
    }),
  );
  return [cells('what', '', 'measured', 'r-nacos', 'Java'), '|---|---|---:|---:|---:|', ...lines].join('\n');
}

function cells(...texts: readonly string[]): string {
  return `| ${texts.join(' | ')} |`;
}

function isSaturated({ generatorCpu }: Measured): boolean {
  return generatorCpu > SATURATED;
}

function rate(value: number | null): string {
  if (value === null) return '';
  return (value >= 1_000 ? Math.round(value / 100) * 100 : Math.round(value)).toLocaleString('en');
}

function figure(value: number | null): string {
  if (value === null) return '';
  if (value === 0) return '0';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return value.toFixed(Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 0.1 ? 2 : 3);
}

export function machineOf(): Pick<Report, 'commit' | 'commitDate' | 'cpu' | 'cores' | 'node'> {
  return {
    commit: git('rev-parse', '--short', 'HEAD'),
    commitDate: git('show', '-s', '--format=%cs', 'HEAD'),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    node: process.version,
  };
}

function git(...args: readonly string[]): string {
  try {
    return execFileSync('git', args, { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim();
  } catch {
    return 'unknown';
  }
}
