/** A source text with its comments and literals taken apart, so that rules look at code and at nothing else. */
export interface Scanned {
  /** As long as the source, line by line; comments and the insides of strings, templates and regexes are blanks. */
  readonly code: string;
  readonly strings: readonly Piece[];
  readonly comments: readonly Piece[];
}

export interface Piece {
  /** Where it starts, its quote or slash included. */
  readonly offset: number;
  /** A string without its quotes and as written, a comment whole. */
  readonly text: string;
}

/** After these a slash begins a regular expression, although they look like names. */
const WORDS_BEFORE_REGEX: ReadonlySet<string> = new Set(
  'return typeof case in of do else void delete throw new await yield instanceof'.split(' '),
);

export function scan(source: string): Scanned {
  return new Scanner(source).run();
}

class Scanner {
  readonly #source: string;
  readonly #code: string[];
  readonly #strings: Piece[] = [];
  readonly #comments: Piece[] = [];
  /** Open braces; true for `${`, whose end leads back into its template. */
  readonly #braces: boolean[] = [];
  #at = 0;

  constructor(source: string) {
    this.#source = source;
    this.#code = source.split('');
  }

  run(): Scanned {
    while (this.#at < this.#source.length) this.#step();
    return { code: this.#code.join(''), strings: this.#strings, comments: this.#comments };
  }

  #step(): void {
    const source = this.#source;
    const start = this.#at;
    const character = source[start];
    if (source.startsWith('//', start) || (start === 0 && source.startsWith('#!'))) {
      this.#takeComment(source.indexOf('\n', start), 0);
    } else if (source.startsWith('/*', start)) {
      this.#takeComment(source.indexOf('*/', start + 2), 2);
    } else if (character === '"' || character === "'") {
      this.#takeString(character);
    } else if (character === '`') {
      this.#at++;
      this.#takeTemplate();
    } else if (character === '/' && this.#startsRegex()) {
      this.#takeRegex();
    } else {
      this.#at++;
      if (character === '{') this.#braces.push(false);
      else if (character === '}' && this.#braces.pop() === true) this.#takeTemplate();
    }
  }

  #takeComment(end: number, closing: number): void {
    const start = this.#at;
    this.#at = end < 0 ? this.#source.length : end + closing;
    this.#comments.push({ offset: start, text: this.#source.slice(start, this.#at) });
    this.#blank(start, this.#at);
  }

  #takeString(quote: string): void {
    const start = this.#at;
    this.#at = this.#endOf(start + 1, (character) => character === quote || character === '\n');
    this.#strings.push({ offset: start, text: this.#source.slice(start + 1, this.#at) });
    this.#blank(start + 1, this.#at);
    this.#at++;
  }

  /** From behind the backtick, or behind the brace that ended a `${`, up to the next of either. */
  #takeTemplate(): void {
    const start = this.#at;
    for (;;) {
      this.#at = this.#endOf(this.#at, (character) => character === '`' || character === '$');
      if (this.#source[this.#at] !== '$' || this.#source[this.#at + 1] === '{') break;
      this.#at++;
    }
    this.#blank(start, this.#at);
    if (this.#source[this.#at] === '$') {
      this.#braces.push(true);
      this.#at++;
    }
    this.#at++;
  }

  #takeRegex(): void {
    const start = this.#at;
    let isInClass = false;
    this.#at = this.#endOf(start + 1, (character) => {
      if (character === '[') isInClass = true;
      else if (character === ']') isInClass = false;
      return (character === '/' && !isInClass) || character === '\n';
    });
    this.#blank(start + 1, this.#at);
    this.#at++;
  }

  /** The first place from there on that ends it and is not escaped. */
  #endOf(from: number, isEnd: (character: string) => boolean): number {
    let at = from;
    while (at < this.#source.length && !isEnd(this.#source[at] as string)) at += this.#source[at] === '\\' ? 2 : 1;
    return Math.min(at, this.#source.length);
  }

  /** A slash divides behind a value and begins a regular expression anywhere else. */
  #startsRegex(): boolean {
    let at = this.#at - 1;
    while (at >= 0 && /\s/.test(this.#code[at] as string)) at--;
    const before = this.#code[at];
    if (before === undefined) return true;
    if (!/[\w$]/.test(before)) return !/[)\]"'`]/.test(before);
    const word = /[\w$]+$/.exec(this.#code.slice(Math.max(0, at - 20), at + 1).join(''))?.[0] ?? '';
    return WORDS_BEFORE_REGEX.has(word);
  }

  #blank(from: number, to: number): void {
    for (let i = from; i < to; i++) if (this.#code[i] !== '\n') this.#code[i] = ' ';
  }
}

export interface Import {
  readonly offset: number;
  readonly from: string;
  /** What stands between `import` or `export` and `from`; empty for a bare or dynamic import. */
  readonly clause: string;
  readonly isTypeOnly: boolean;
}

export function importsOf({ code, strings }: Scanned): readonly Import[] {
  return strings.flatMap(({ offset, text }) => {
    const before = code.slice(0, offset);
    if (/(?:^|[^\w$.])import\s*\(?\s*$/.test(before)) return [{ offset, from: text, clause: '', isTypeOnly: false }];
    const clause = /(?:^|[^\w$.])(?:import|export)\s([^;=]*?)\bfrom\s*$/.exec(before)?.[1]?.trim();
    if (clause === undefined) return [];
    return [{ offset, from: text, clause, isTypeOnly: clause.startsWith('type ') }];
  });
}

export function lineAt(source: string, offset: number): number {
  return source.slice(0, offset).split('\n').length;
}
