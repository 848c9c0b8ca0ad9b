import type { IncomingHttpHeaders } from 'node:http';
import type { HttpHeaders } from '../host.ts';

/** From name, value, name, value. Node's own `headers` joins repeated ones; ours keep the first. */
export function headersOf(raw: readonly string[]): HttpHeaders {
  const headers: Record<string, string | undefined> = Object.create(null);
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase();
    headers[name] ??= raw[i + 1];
  }
  return headers;
}

/** The same, from Node's own where no name stands twice, as they are made already. */
export function firstOfEach(joined: IncomingHttpHeaders, raw: readonly string[]): HttpHeaders {
  let names = 0;
  for (const _ in joined) names++;
  // A list of cookies is an array even when there is one.
  const isSame = names * 2 === raw.length && joined['set-cookie'] === undefined;
  return isSame ? (joined as HttpHeaders) : headersOf(raw);
}
