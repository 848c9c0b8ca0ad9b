import type { Instance, Line } from '../program.ts';

export interface Parameters {
  readonly id: number;
  readonly call: string;
  readonly servers: readonly string[];
  readonly contextPath: string;
  readonly namespace?: string;
  readonly cacheDir: string;
  readonly service: string;
  readonly group?: string;
  readonly clusters?: readonly string[];
  readonly subscribe?: boolean;
  readonly healthy?: boolean;
  readonly instance: Instance;
  readonly dataId: string;
  readonly content: string;
  readonly type?: string;
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export type Write = (line: Line) => void;

/** Lines of JSON to the one who started the program; what the package prints goes to stderr from here on. */
export function takeStdout(): Write {
  const stdout = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr);
  return (line) => {
    stdout(`${JSON.stringify(line)}\n`);
  };
}
