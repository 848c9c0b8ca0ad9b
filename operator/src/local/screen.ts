import { isoTime } from '@nacos-kube/core/host/time.ts';

/** Where people look. */
export interface Terminal {
  readonly isInteractive: boolean;
  columns(): number;
  write(text: string): void;
}

const UP = (lines: number) => `\u001b[${lines}A`;
const CLEAR_BELOW = '\r\u001b[J';

/** A table that stays at the bottom of a terminal, with notes scrolling above it; elsewhere lines with their time. */
export class Screen {
  readonly #terminal: Terminal;
  readonly #now: () => number;
  #table: readonly string[] = [];
  readonly #told = new Map<string, string>();

  constructor(terminal: Terminal, now: () => number) {
    this.#terminal = terminal;
    this.#now = now;
  }

  note(text: string): void {
    if (!this.#terminal.isInteractive) this.#terminal.write(`${isoTime(this.#now())} ${text}\n`);
    else this.#paint(text.split('\n'), this.#table);
  }

  /** `plain` by subject: without a terminal each is written when it changed. */
  show(table: readonly string[], plain: ReadonlyMap<string, string>): void {
    if (this.#terminal.isInteractive) {
      if (table.join('\n') !== this.#table.join('\n')) this.#paint([], table);
      return;
    }
    for (const [subject, text] of plain) {
      if (this.#told.get(subject) === text) continue;
      this.#told.set(subject, text);
      this.note(text);
    }
    for (const subject of this.#told.keys()) if (!plain.has(subject)) this.#told.delete(subject);
  }

  /** Takes the table away: what it shows is over. */
  finish(text: string): void {
    if (this.#terminal.isInteractive) this.#paint([text], []);
    else this.note(text);
  }

  /** In one write, so that nothing flickers. */
  #paint(notes: readonly string[], table: readonly string[]): void {
    const width = Math.max(20, this.#terminal.columns());
    // A line that wraps would take two, and the next redraw would miss by one.
    const clipped = table.map((line) => line.slice(0, width - 1));
    const back = this.#table.length === 0 ? '' : `${UP(this.#table.length)}${CLEAR_BELOW}`;
    this.#terminal.write(`${back}${[...notes, ...clipped].map((line) => `${line}\n`).join('')}`);
    this.#table = table;
  }
}
