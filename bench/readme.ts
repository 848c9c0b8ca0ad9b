/**
 * The tables of README.md. What was measured takes the place of the same rows; the others stay, and it is said with which
 * commit they were measured.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Report, SATURATED_NOTE, SQLITE_NOTE, tablesOf } from './report.ts';

const MARKED = /<!-- bench -->([\s\S]*)<!-- \/bench -->/;
const BETWEEN = ' · ';
const LEGEND = [
  'r-nacos and Java (Nacos 1.4): for scale, per second of server CPU where a rate is meant, measured on a machine of this kind, not in this run.',
  'What each row means: [performance](docs/operating/performance.md).',
];

export function writeReadme(report: Report, isWhole: boolean): void {
  const path = join(import.meta.dirname, '..', 'README.md');
  const text = readFileSync(path, 'utf8');
  const before = MARKED.exec(text)?.[1];
  if (before === undefined) throw new Error('README.md has no place marked <!-- bench --> ... <!-- /bench -->');
  const block = `<!-- bench -->\n${mergedTables(before, report, isWhole)}\n<!-- /bench -->`;
  writeFileSync(
    path,
    text.replace(MARKED, () => block),
  );
}

/** `isWhole`: all rows were wanted, so those that are not in the report have gone, unless something failed. */
export function mergedTables(before: string, report: Report, isWhole: boolean): string {
  const { commit, commitDate, cpu, cores, node, rounds, seconds, failures } = report;
  const machine = `Commit ${commit} of ${commitDate}, ${cpu}, ${cores} cores, Node ${node}`;
  const source = `${machine}; medians of ${rounds} rounds of ${seconds} s`;
  const now = partsOf(tablesOf(report), source);
  const isMissing = report.scenes.some(({ figures }) => figures.length === 0);
  const keepsAll = isWhole && failures.length === 0 && !isMissing;
  return rendered(keepsAll ? now : merged(partsOf(before, undefined), now));
}

interface Parts {
  /** Of both tables, by the name in the first cell; a row of the second one may have several lines. */
  readonly rows: Table;
  readonly scenes: Table;
  /** What must be known of a scene. */
  readonly notes: ReadonlyMap<string, string>;
  readonly sqlite: string | undefined;
  readonly sources: ReadonlyMap<string, string>;
}

interface Table {
  readonly head: readonly string[];
  readonly lines: ReadonlyMap<string, readonly string[]>;
}

/** `source`: of all that is in it; else it is in the text itself. */
function partsOf(text: string, source: string | undefined): Parts {
  const paragraphs = text.trim().split(/\n{2,}/);
  const rows = tableOf(paragraphs.find((one) => one.startsWith('| what | per second')));
  const scenes = tableOf(paragraphs.find((one) => one.startsWith('| what |  |')));
  const notes = paragraphs.flatMap((one) => {
    const name = /^\*(.+?)\*: /.exec(one)?.[1];
    return name === undefined ? [] : [[name, one] as const];
  });
  const sources = new Map<string, string>();
  const told = text.split('\n').flatMap((line) => {
    const [, what, names] = /^(Commit .*?)(?:: (.*))?\.$/.exec(line) ?? [];
    return what === undefined ? [] : [{ what, names: names?.split(BETWEEN) }];
  });
  const general = source ?? told.find(({ names }) => names === undefined)?.what;
  for (const name of [...rows.lines.keys(), ...scenes.lines.keys()]) {
    const own = told.find(({ names }) => names?.includes(name))?.what ?? general;
    if (own !== undefined) sources.set(name, own);
  }
  return {
    rows,
    scenes,
    notes: new Map(notes),
    sqlite: paragraphs.find((one) => one.startsWith(SQLITE_NOTE)),
    sources,
  };
}

function tableOf(text: string | undefined): Table {
  const all = text === undefined ? [] : text.split('\n');
  const lines = new Map<string, string[]>();
  let last = '';
  for (const line of all.slice(2)) {
    last = line.split('|')[1]!.trim() || last;
    lines.set(last, [...(lines.get(last) ?? []), line]);
  }
  return { head: all.slice(0, 2), lines };
}

function merged(old: Parts, now: Parts): Parts {
  const names = new Set([...now.rows.lines.keys(), ...now.scenes.lines.keys()]);
  const kept = [...old.notes].filter(([name]) => !names.has(name) && !now.notes.has(name));
  return {
    rows: mergedTable(old.rows, now.rows),
    scenes: mergedTable(old.scenes, now.scenes),
    notes: new Map([...kept, ...now.notes]),
    sqlite: now.sqlite ?? old.sqlite,
    sources: new Map([...old.sources, ...now.sources]),
  };
}

/** Lines of other columns are of no use any more. */
function mergedTable(old: Table, now: Table): Table {
  if (now.lines.size === 0) return old;
  const isSame = old.head.join('\n') === now.head.join('\n');
  return { head: now.head, lines: new Map([...(isSame ? old.lines : []), ...now.lines]) };
}

function rendered({ rows, scenes, notes, sqlite, sources }: Parts): string {
  const textOf = ({ head, lines }: Table) => [...head, ...[...lines.values()].flat()].join('\n');
  const isSaturated = [...rows.lines.values()].flat().some((line) => line.includes('* |'));
  const names = new Set([...rows.lines.keys(), ...scenes.lines.keys()]);
  const byCommit = Map.groupBy(
    [...sources].filter(([name]) => names.has(name)),
    ([, source]) => source,
  );
  const commits = [...byCommit]
    .toSorted(([, a], [, b]) => b.length - a.length)
    .map(([source, of], index) => `${source}${index === 0 ? '' : `: ${of.map(([name]) => name).join(BETWEEN)}`}.`);
  return [
    ...(rows.lines.size > 0 ? [textOf(rows)] : []),
    ...(isSaturated ? [SATURATED_NOTE] : []),
    ...(sqlite === undefined ? [] : [sqlite]),
    ...(scenes.lines.size > 0 ? [textOf(scenes)] : []),
    ...notes.values(),
    [...commits, ...LEGEND].join('\n'),
  ].join('\n\n');
}
