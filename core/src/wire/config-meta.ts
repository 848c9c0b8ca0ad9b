import { HOLD_EARLIER_MS, LISTENER_SWITCHES, type ListenerSwitches } from './listener.ts';

/**
 * Configurations that are read by the server itself. The reference obeys them in any group and namespace; here only
 * those of the public namespace in DEFAULT_GROUP count, else whoever may write to one namespace could stop all others.
 */
export const SWITCH_DATA_ID = 'com.alibaba.nacos.meta.switch';
export const AGGREGATES_DATA_ID = 'com.alibaba.nacos.metadata.aggrIDs';

/** Lines `key=value`, `#` starts a comment; what makes no sense counts as not said. */
export function parseSwitches(content: string): ListenerSwitches {
  const said = new Map<string, string>();
  for (const line of content.split(/\r?\n/, LINES_MAX)) {
    const equals = line.indexOf('=');
    if (line.startsWith('#') || equals <= 0) continue;
    said.set(line.slice(0, equals).trim(), line.slice(equals + 1).trim());
  }
  return {
    isFixedPolling: said.get('isFixedPolling')?.toLowerCase() === 'true',
    // Misspelt in the reference, so misspelt in the files of its users.
    fixedPollingMs: milliseconds(said.get('fixedPollingInertval')) ?? LISTENER_SWITCHES.fixedPollingMs,
    holdEarlierMs: milliseconds(said.get('fixedDelayTime')) ?? HOLD_EARLIER_MS,
  };
}

const LINES_MAX = 1_000;
export const AGGREGATE_PATTERNS_MAX = 1_000;
/** No data id is longer, and a pattern need not be. */
const PATTERN_LENGTH_MAX = 255;

/** Patterns of data ids, one a line: `*` stands for any text, `?` for one character, all else for itself. */
export function parseAggregates(content: string): readonly string[] {
  const lines = content.split(/\r?\n/).map((line) => line.trim());
  const patterns = new Set(lines.filter((line) => line !== '' && line.length <= PATTERN_LENGTH_MAX));
  return [...patterns].slice(0, AGGREGATE_PATTERNS_MAX);
}

/** Without a regular expression: one made of a user's text may take for ever (S14). */
export function fitsPattern(text: string, pattern: string): boolean {
  let at = 0;
  let star = -1;
  let resumeAt = 0;
  let i = 0;
  while (at < text.length) {
    if (pattern[i] === '*') {
      star = i++;
      resumeAt = at;
    } else if (i < pattern.length && (pattern[i] === '?' || pattern[i] === text[at])) {
      i++;
      at++;
    } else if (star >= 0) {
      i = star + 1;
      at = ++resumeAt;
    } else return false;
  }
  while (pattern[i] === '*') i++;
  return i === pattern.length;
}

function milliseconds(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
