import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

/** Pages whose examples are tried. */
export const PAGES: readonly string[] = ['README.md', ...globSync('docs/**/*.md', { cwd: ROOT }).sort()];

/** Why a block that is marked `not-run=…` is not tried here. */
export const NOT_RUN: Readonly<Record<string, string>> = {
  kubernetes: 'needs a Kubernetes: e2e/kubernetes applies the same manifests to a real one',
  install: 'starts or tests the whole checkout, which is what runs this',
};

/** A fenced block: after its language come its marks, e.g. `sh test=node`. */
export interface Block {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  readonly marks: ReadonlyMap<string, string>;
  readonly text: string;
}

export function readPage(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8');
}

export function blocksOf(page: string, text = readPage(page)): readonly Block[] {
  const blocks: Block[] = [];
  let open: { readonly line: number; readonly info: string; readonly lines: string[] } | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const [, info] = /^\s*```(.*)$/.exec(line) ?? [];
    if (info === undefined) open?.lines.push(line);
    else if (open === undefined) open = { line: index + 1, info, lines: [] };
    else {
      const [language = '', ...marks] = open.info.trim().split(/\s+/);
      const pairs = marks.map((mark) => mark.split('=') as [string, string]);
      blocks.push({ page, line: open.line, language, marks: new Map(pairs), text: `${open.lines.join('\n')}\n` });
      open = undefined;
    }
  }
  return blocks;
}

export interface Command {
  readonly text: string;
  /** What a line `# prints …` below it says that its output holds. */
  readonly prints: string | undefined;
}

/** The commands of a shell block, each on one line or continued by a backslash. */
export function commandsOf({ text }: Block): readonly Command[] {
  const commands: Command[] = [];
  for (const line of text.replaceAll('\\\n', ' ').split('\n')) {
    const [, prints] = /^# prints (.*)$/.exec(line) ?? [];
    const last = commands.at(-1);
    if (prints !== undefined && last !== undefined) commands[commands.length - 1] = { ...last, prints };
    else if (line.trim() !== '' && !line.startsWith('#')) commands.push({ text: line, prints: undefined });
  }
  return commands;
}
