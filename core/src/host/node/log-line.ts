import type { LogFacts } from '../host.ts';
import { isoTime } from '../time.ts';

export interface LogRecord {
  readonly timeMs: number;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly process: string;
  readonly area: string;
  readonly message: string;
  readonly facts: LogFacts | undefined;
}

/** Longer values are cut: what callers send may end up in a fact. */
export const FACT_CHARS_MAX = 4_000;

const CAUSES_MAX = 5;

/** `2026-01-31T10:06:50.000Z WARN distro peer does not answer peer=node-2 afterMs=2000` */
export function textLine(record: LogRecord): string {
  const level = record.level.toUpperCase().padEnd(5);
  let line = `${isoTime(record.timeMs)} ${level} ${record.process} ${record.area}: ${escaped(record.message)}`;
  for (const [name, value] of factsOf(record)) line += ` ${name}=${quotedWhenNeeded(value)}`;
  return line;
}

export function jsonLine(record: LogRecord): string {
  const { timeMs, level, process, area, message } = record;
  // Facts stand in an object of their own, so that none can take the place of `level` or `message`.
  const facts = Object.fromEntries(factsOf(record));
  return escaped(JSON.stringify({ time: isoTime(timeMs), level, process, area, message: cut(message), facts }));
}

function factsOf(record: LogRecord): [string, string | number | boolean | null][] {
  const facts: [string, string | number | boolean | null][] = [];
  for (const [name, value] of Object.entries(record.facts ?? {})) {
    if (value === undefined) continue;
    facts.push([name, plain(value)]);
    if (value instanceof Error && record.level === 'error') facts.push([`${name}Stack`, cut(value.stack ?? '')]);
  }
  return facts;
}

function plain(value: unknown): string | number | boolean | null {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return value;
  if (typeof value === 'string') return cut(value);
  if (value instanceof Error) return cut(describeError(value));
  try {
    return cut(JSON.stringify(value) ?? String(value));
  } catch {
    return String(value); // a cycle or a bigint
  }
}

/** The error and what caused it, e.g. `StoreError: cannot be reached < NetworkError: refused`; nothing is said twice. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  let current = error;
  for (let depth = 0; current !== undefined && current !== null && depth < CAUSES_MAX; depth++) {
    const message = current instanceof Error ? current.message : String(current);
    const isNews = parts.every((part) => !part.includes(message));
    if (isNews) parts.push(current instanceof Error ? `${current.name}: ${message}` : message);
    current = current instanceof Error ? current.cause : undefined;
  }
  return parts.join(' < ');
}

function cut(text: string): string {
  return text.length <= FACT_CHARS_MAX ? text : `${text.slice(0, FACT_CHARS_MAX)}... (${text.length} characters)`;
}

function quotedWhenNeeded(value: string | number | boolean | null): string {
  if (typeof value !== 'string') return String(value);
  return /^[^\s"=\\]+$/.test(value) ? escaped(value) : escaped(JSON.stringify(value));
}

/** What ends a line, moves a terminal's cursor or turns the direction of text: none of it may forge a line. */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

function escaped(text: string): string {
  return text.replace(UNSAFE, (character) => {
    if (character === '\n') return '\\n';
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
