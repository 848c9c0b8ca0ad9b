/** The command line. */
import { parseArgs } from 'node:util';

export const HELP = `npm run bench -- [flags]

Measures a node of this checkout, row by row, beside bare servers that answer the same bytes in the same run.
What each row means: docs/operating/performance.md

  --seconds S       of each round of a throughput row (default 0.8)
  --rounds N        of each row; medians are shown (default 3)
  --only TEXT       rows whose name contains it; may be repeated
  --from TEXT       the first row whose name contains it, and all after it: goes on with a run that was cut short
  --list            names of the rows
  --quick           everything small and short: whether it works, not how fast it is
  --json FILE       writes all figures
  --readme          writes the tables of README.md, row by row as they are measured; the others stay with their commit
  --target URL      another Nacos 1.x server, e.g. http://10.0.0.7:8848/nacos: the same rows but those that start nodes of
                    their own, no bare servers. What is made there has names of this run and is taken away again
  --target-pid PID  its process, if it runs on this machine: CPU and memory are read from it
  --help`;

export interface Options {
  readonly seconds: number;
  readonly rounds: number;
  readonly only: readonly string[];
  readonly from: string | undefined;
  readonly isList: boolean;
  readonly isQuick: boolean;
  readonly json: string | undefined;
  readonly isReadme: boolean;
  readonly target: Target | undefined;
  readonly isHelp: boolean;
}

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly contextPath: string;
  readonly pid: number | null;
}

export class OptionError extends Error {
  override readonly name = 'OptionError';
}

const QUICK_SECONDS = 0.2;
const SECONDS_MAX = 60;
const ROUNDS_MAX = 100;

export function parseOptions(args: readonly string[]): Options {
  const { values } = parse(args);
  const isQuick = values.quick === true;
  const seconds = number('--seconds', values.seconds, isQuick ? QUICK_SECONDS : 0.8, SECONDS_MAX);
  const rounds = number('--rounds', values.rounds, isQuick ? 1 : 3, ROUNDS_MAX);
  if (!Number.isInteger(rounds)) throw new OptionError('--rounds must be a whole number');
  if (values['target-pid'] !== undefined && values.target === undefined) {
    throw new OptionError('--target-pid says which process --target is, so it needs that');
  }
  const only = (values.only ?? []).filter((text) => text !== '');
  const from = values.from === '' ? undefined : values.from;
  if (from !== undefined && only.length > 0) throw new OptionError('--from and --only are not for one run');
  const isReadme = values.readme === true;
  if (isReadme && (isQuick || values.target !== undefined)) {
    throw new OptionError('--readme is for figures that mean something: without --quick and --target');
  }
  const target = values.target === undefined ? undefined : parseTarget(values.target, values['target-pid']);
  const isList = values.list === true;
  return {
    seconds,
    rounds,
    only,
    from,
    isList,
    isQuick,
    json: values.json,
    isReadme,
    target,
    isHelp: values.help === true,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        seconds: { type: 'string' },
        rounds: { type: 'string' },
        only: { type: 'string', multiple: true },
        from: { type: 'string' },
        list: { type: 'boolean' },
        quick: { type: 'boolean' },
        json: { type: 'string' },
        readme: { type: 'boolean' },
        target: { type: 'string' },
        'target-pid': { type: 'string' },
        help: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new OptionError((error as Error).message);
  }
}

function number(flag: string, text: string | undefined, byDefault: number, max: number): number {
  const value = text === undefined ? byDefault : Number(text);
  if (!(value > 0 && value <= max)) throw new OptionError(`${flag} must be a number above 0, at most ${max}`);
  return value;
}

export function parseTarget(text: string, pidText: string | undefined): Target {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.protocol !== 'http:' || url.search !== '' || url.username !== '') {
    throw new OptionError(`--target ${text}: must be like http://127.0.0.1:8848/nacos`);
  }
  const pid = pidText === undefined ? null : Number(pidText);
  if (pid !== null && !(Number.isInteger(pid) && pid > 0)) throw new OptionError(`--target-pid ${pidText} is no pid`);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return { host, port: Number(url.port || 80), contextPath: url.pathname.replace(/\/+$/, ''), pid };
}
