import type { HttpHeaders, HttpResponse } from '../host/host.ts';
import type { ConfigKey } from '../model/config.ts';
import { NO_CACHE_HEADERS } from './config.ts';
import { isBlank } from './config-check.ts';
import { configError } from './config-errors.ts';
import { type GroupKey, groupKey } from './config-key.ts';
import { formEncode } from './java-url.ts';

const WORD = '\u0002';
const LINE = '\u0001';
export const LISTENED_KEYS_MAX = 10_000;
export const LISTENING_LENGTH_MAX = 3 * 1024 * 1024;

/** What a client listens to: the md5 it has of each configuration, empty for one it does not have. */
export type Listening = ReadonlyMap<GroupKey, string>;

/**
 * `Listening-Configs` after form decoding. It is decoded once more, so raw, singly and doubly encoded control
 * characters all work, as old clients need. Of a repeated key the last counts; what follows the last end of line is
 * ignored, so a text without one listens to nothing.
 */
export function parseListening(value: string | undefined): Listening {
  if (value === undefined || isBlank(value) || value.length > LISTENING_LENGTH_MAX) throw invalid();
  const text = decodeOnce(value);
  const listening = new Map<GroupKey, string>();
  for (let start = 0, end = text.indexOf(LINE); end >= 0; start = end + 1, end = text.indexOf(LINE, start)) {
    const [dataId, group, md5, namespaceId, ...more] = text.slice(start, end).split(WORD, 5);
    if (dataId === undefined || group === undefined || md5 === undefined || more.length > 0) throw invalid();
    listening.set(groupKey({ dataId, group, namespaceId: namespaceId ?? '' }), md5);
    if (listening.size > LISTENED_KEYS_MAX) throw invalid();
  }
  return listening;
}

/** The counterpart of `parseListening`, before form encoding; an empty namespace is left out. */
export function writeListening(entries: Iterable<readonly [ConfigKey, string]>): string {
  let text = '';
  for (const [{ dataId, group, namespaceId }, md5] of entries) {
    text += `${dataId}${WORD}${group}${WORD}${md5}${namespaceId === '' ? '' : WORD + namespaceId}${LINE}`;
  }
  return text;
}

/** Changed keys as text: separators stay literally `%02` and `%01`, for the Go SDK splits on those undecoded. */
export function encodeChanged(keys: Iterable<ConfigKey>): string {
  let text = '';
  for (const { dataId, group, namespaceId } of keys) {
    text += `${dataId}${WORD}${group}${namespaceId === '' ? '' : WORD + namespaceId}${LINE}`;
  }
  return formEncode(text);
}

/** The counterpart of `encodeChanged`: what a client was told. Undefined when it is not such a text. */
export function parseChanged(body: string): readonly ConfigKey[] | undefined {
  try {
    const lines = decodeOnce(body.trim()).split(LINE);
    if (lines.pop() !== '') return undefined;
    return lines.map((line) => {
      const [dataId, group, namespaceId, ...more] = line.split(WORD);
      if (dataId === undefined || group === undefined || more.length > 0) throw invalid();
      return { dataId, group, namespaceId: namespaceId ?? '' };
    });
  } catch {
    return undefined;
  }
}

const ANSWER_TYPE = { 'content-type': 'application/json;charset=UTF-8' } as const;

/** Zero bytes tell a client that nothing changed. */
export const NOTHING_CHANGED: HttpResponse = { status: 200, headers: ANSWER_TYPE, body: '' };

export function encodeListenerAnswer(changed: readonly ConfigKey[]): HttpResponse {
  if (changed.length === 0) return NOTHING_CHANGED;
  return { status: 200, headers: { ...ANSWER_TYPE, ...NO_CACHE_HEADERS }, body: `${encodeChanged(changed)}\n` };
}

/** How a caller wants to be answered, from the headers of its request. */
export type ListenerMode =
  | { readonly kind: 'long'; readonly holdMs: number; readonly hangUp: boolean }
  /** Held for its time whatever changes, and compared only then. */
  | { readonly kind: 'fixed'; readonly holdMs: number }
  | { readonly kind: 'short'; readonly inHeaders: boolean };

/** What the switch configuration may alter. */
export interface ListenerSwitches {
  readonly isFixedPolling: boolean;
  readonly fixedPollingMs: number;
  /** How much earlier a poll ends than its client gives up. */
  readonly holdEarlierMs: number;
}

export const HOLD_EARLIER_MS = 500;
const HOLD_MS_MIN = 10_000;
export const LISTENER_SWITCHES: ListenerSwitches = {
  isFixedPolling: false,
  fixedPollingMs: HOLD_MS_MIN,
  holdEarlierMs: HOLD_EARLIER_MS,
};
/** The reference has no bound; a shorter hold than asked for is harmless, clients just poll again. */
export const HOLD_MS_MAX = 600_000;

export function decodeListenerMode(headers: HttpHeaders, switches = LISTENER_SWITCHES): ListenerMode {
  const timeout = headers['long-pulling-timeout'];
  if (timeout === undefined || timeout === '') {
    return { kind: 'short', inHeaders: versionNumber(headers['client-version']) < 204 };
  }
  if (!/^[+-]?\d{1,18}$/.test(timeout)) throw configError(400, `For input string: "${timeout}"`);
  const { isFixedPolling, fixedPollingMs, holdEarlierMs } = switches;
  if (isFixedPolling) return { kind: 'fixed', holdMs: boundedHold(fixedPollingMs) };
  const holdMs = boundedHold(Number(timeout) - holdEarlierMs);
  return { kind: 'long', holdMs, hangUp: headers['long-pulling-timeout-no-hangup']?.toLowerCase() !== 'true' };
}

function boundedHold(ms: number): number {
  return Math.min(HOLD_MS_MAX, Math.max(HOLD_MS_MIN, ms));
}

/** Bounds what a short poll gets back in headers; what is left out is told at the next poll. */
export const PROBE_HEADER_LENGTH_MAX = 8_192;

/** The answer of a poll that never holds: very old clients read it from headers, newer ones get nothing at all. */
export function encodeShortAnswer(changed: readonly ConfigKey[], inHeaders: boolean): HttpResponse {
  const headers = { ...ANSWER_TYPE, ...NO_CACHE_HEADERS };
  if (!inHeaders) return { status: 200, headers, body: '' };
  let plain = '';
  let encoded = '';
  for (const key of changed) {
    const told = encodeChanged([key]);
    if (encoded.length + told.length > PROBE_HEADER_LENGTH_MAX) break;
    encoded += told;
    // Names of a listener are not checked, and a header must not carry what could end it.
    const pair = `${key.dataId}:${key.group};`;
    if (/^[\x21-\x7e]+$/.test(pair)) plain += pair;
  }
  const probe = { 'probe-modify-response': plain, 'probe-modify-response-new': encoded };
  return { status: 200, headers: { ...headers, ...probe }, body: '' };
}

/** The parts of `1.4.2` that are numbers, each shifted in as one decimal digit: 142. */
function versionNumber(version: string | undefined): number {
  const parts = (version || '2.0.0').split('.').filter((part) => /^\d{1,9}$/.test(part));
  return parts.reduce((sum, part) => sum * 10 + Number(part), 0);
}

function decodeOnce(value: string): string {
  try {
    return decodeURIComponent(value.replaceAll('+', ' '));
  } catch {
    throw invalid();
  }
}

function invalid() {
  return configError(400, 'invalid probeModify');
}
