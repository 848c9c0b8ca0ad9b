import type { HttpRequest, HttpResponse } from '@nacos-kube/core/host/host.ts';
import { isoTime } from '@nacos-kube/core/host/time.ts';

/** Longer ones are cut: what callers send must not fill the disk. */
export const TARGET_CHARS_MAX = 2_000;
export const HEADER_CHARS_MAX = 300;
/** The last two are documents of users, with passwords of theirs in them. */
const SECRET_NAME = /token|secret|password|passwd|pwd|^content$|^healthChecker$/i;
const UNSAFE = /[^\x20-\x7e]|["\\]/g;

/** What is known of a request before its answer, so that nothing of it is kept while a poll is held (F20). */
export interface LineStart {
  readonly head: string;
  readonly tail: string;
}

export function startLine({ method, path, query, headers }: HttpRequest, clientIp: string, nowMs: number): LineStart {
  const target = query === '' ? path : `${path}?${redactQuery(query)}`;
  const request = `${safe(method, 20)} ${safe(target, TARGET_CHARS_MAX)} HTTP/1.1`;
  return {
    head: `${safe(clientIp, HEADER_CHARS_MAX) || '-'} - - [${isoTime(nowMs)}] "${request}"`,
    tail: `"${safe(headers.referer ?? '-', HEADER_CHARS_MAX)}" "${safe(headers['user-agent'] ?? '-', HEADER_CHARS_MAX)}"`,
  };
}

/** As the combined format has it, and the time it took in ms at the end; the time of day is ISO 8601. */
export function endLine(
  { head, tail }: LineStart,
  { status, body, tail: end = '' }: HttpResponse,
  durationMs: number,
): string {
  const bytes = (typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength) + Buffer.byteLength(end);
  return `${head} ${status} ${bytes} ${tail} ${durationMs.toFixed(1)}\n`;
}

/** The values of parameters whose names speak of secrets are blanked out, however the name is escaped (S13). */
export function redactQuery(query: string): string {
  return query
    .split('&')
    .map((pair) => {
      const at = pair.indexOf('=');
      return at >= 0 && isSecret(pair.slice(0, at)) ? `${pair.slice(0, at)}=***` : pair;
    })
    .join('&');
}

function isSecret(name: string): boolean {
  if (!name.includes('%')) return SECRET_NAME.test(name);
  try {
    return SECRET_NAME.test(decodeURIComponent(name));
  } catch {
    return true; // not a name that anybody reads, so its value is no loss
  }
}

function safe(text: string, charsMax: number): string {
  const cut = text.length > charsMax ? `${text.slice(0, charsMax)}...` : text;
  return cut.replace(UNSAFE, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
