import type { Log, LogFacts, LogLevel, LogLevels } from '../host.ts';
import { jsonLine, type LogRecord, textLine } from './log-line.ts';

export type LogFormat = 'text' | 'json';

/** Beyond it, lines of one second are counted instead of written: a fault in a loop must not fill the disk. */
export const LINES_PER_SECOND_MAX = 2_000;

/** A shorter secret would blank out ordinary words. */
const SECRET_LENGTH_MIN = 6;

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3, off: 4 };

export interface LogSettings {
  readonly process: string;
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Texts that are blanked out wherever they would appear. */
  readonly secrets?: readonly string[];
  readonly now: () => number;
  readonly write: (line: string) => void;
}

/** A log whose levels can be changed while it is used, each area's on its own. */
export interface LeveledLog extends Log {
  readonly levels: LogLevels;
}

export function createLog(settings: LogSettings): LeveledLog {
  // By area; an area that has no log yet may have its level already.
  const areas = new Map<string, { level: LogLevel }>();
  const format = settings.format === 'json' ? jsonLine : textLine;
  const secrets = (settings.secrets ?? []).filter((secret) => secret.length >= SECRET_LENGTH_MIN);
  let second = 0;
  let linesInSecond = 0;
  let dropped = 0;

  const write = (record: LogRecord): void => {
    let line = format(record);
    for (const secret of secrets) line = line.replaceAll(secret, '***');
    settings.write(`${line}\n`);
  };

  const admit = (timeMs: number): boolean => {
    const now = Math.floor(timeMs / 1000);
    if (now !== second) {
      const lost = dropped;
      second = now;
      linesInSecond = 0;
      dropped = 0;
      if (lost > 0) {
        const facts = { lines: lost };
        const message = 'log lines were dropped';
        write({ timeMs, level: 'warn', process: settings.process, area: 'log', message, facts });
      }
    }
    linesInSecond++;
    if (linesInSecond <= LINES_PER_SECOND_MAX) return true;
    dropped++;
    return false;
  };

  const stateOf = (area: string): { level: LogLevel } => {
    let state = areas.get(area);
    if (state === undefined) {
      state = { level: settings.level };
      areas.set(area, state);
    }
    return state;
  };

  const forArea = (area: string): Log => {
    const state = stateOf(area);
    const at = (level: Exclude<LogLevel, 'off'>) => {
      return (message: string, facts?: LogFacts) => {
        if (RANK[level] < RANK[state.level]) return;
        const timeMs = settings.now();
        if (admit(timeMs)) write({ timeMs, level, process: settings.process, area, message, facts });
      };
    };
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), area: forArea };
  };
  const levels: LogLevels = {
    set(area, level) {
      stateOf(area).level = level;
    },
    of: (area) => areas.get(area)?.level ?? settings.level,
  };
  return { ...forArea('main'), levels };
}
