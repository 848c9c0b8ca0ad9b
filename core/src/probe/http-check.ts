import { type Host, NetworkError } from '../host/host.ts';
import type { Check, ProbeOutcome, ProbeTarget } from './target.ts';

export const READ_TIMEOUT_MS = 500;
/** Nobody reads what a checked page says; a server that sends more is cut off. */
const BODY_BYTES_MAX = 64 * 1024;
const PATH_CHARS_MAX = 2_048;
const HEADERS_CHARS_MAX = 4_096;

type HttpCheck = Check & { readonly kind: 'HTTP' };

/** How a request is framed, and who sends it on, is not for users to say. */
const OUR_HEADERS: ReadonlySet<string> = new Set([
  ...['connection', 'content-length', 'expect', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
  ...['proxy-authorization', 'proxy-connection'],
]);

/** Redirects are not followed, for they lead wherever the answering one likes (S9). */
const REDIRECTS: ReadonlySet<number> = new Set([301, 303, 307, 308]);

/** Why no request can be made of a check (S9), or undefined when one can. */
export function httpRefusal({ path, headers }: HttpCheck): string | undefined {
  if (path.length > PATH_CHARS_MAX || !/^[\x21-\x7e]*$/.test(path)) return 'an HTTP path that is none';
  // A line break in a value would begin a header, or a request, of its own.
  return headers.length > HEADERS_CHARS_MAX || !/^[\x20-\x7e\t]*$/.test(headers)
    ? 'HTTP headers that are none'
    : undefined;
}

/** What the answer to a GET says (spec/naming.md 6). Rejects with what is no fault of the network. */
export async function httpCheck(
  host: Host,
  { ip, port }: ProbeTarget,
  { path, headers }: HttpCheck,
  connectTimeoutMs: number,
): Promise<ProbeOutcome> {
  try {
    const { status } = await host.network.request({
      address: ip,
      port,
      method: 'GET',
      // Always a path on this very machine, never an address of its own.
      path: path.startsWith('/') ? path : `/${path}`,
      // Not kept: idle connections to everything that is probed would leave no room for others.
      headers: { 'user-agent': 'VIPServer', ...headersOf(headers), connection: 'close' },
      connectTimeoutMs,
      timeoutMs: READ_TIMEOUT_MS,
      bodyBytesMax: BODY_BYTES_MAX,
      isHeadEnough: true,
    });
    return outcomeOf(status);
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error;
    if (error.kind === 'timeout') return 'timeout';
    return error.kind === 'refused' ? 'down' : 'failed';
  }
}

function outcomeOf(status: number): ProbeOutcome {
  if (status === 200) return 'ok';
  if (status === 503 || status === 302) return 'busy';
  return REDIRECTS.has(status) ? 'failed' : 'down';
}

/** `K:V|K2:V2`; what is not of this form, or not for users to say, is left out. */
function headersOf(text: string): Record<string, string> {
  const headers = new Map<string, string>();
  for (const entry of text.split('|')) {
    const [name = '', value, more] = entry.split(':').map((part) => part.trim());
    if (value === undefined || value === '' || more !== undefined) continue;
    const lower = name.toLowerCase();
    if (/^[!#$%&'*+.^_`|~\w-]+$/.test(lower) && !OUR_HEADERS.has(lower)) headers.set(lower, value);
  }
  return Object.fromEntries(headers);
}
