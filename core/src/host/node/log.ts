import type { Log, LogFacts } from '../host.ts';
import { jsonLine, type LogRecord, textLine } from './log-line.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'off';
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

export function createLog(settings: LogSettings): Log {
  const rankMin = RANK[settings.level];
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

  const forArea = (area: string): Log => {
    const at = (level: Exclude<LogLevel, 'off'>) => {
      if (RANK[level] < rankMin) return () => {};
      return (message: string, facts?: LogFacts) => {
        const timeMs = settings.now();
        if (admit(timeMs)) write({ timeMs, level, process: settings.process, area, message, facts });
      };
    };
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), area: forArea };
  };
  return forArea('main');
}
