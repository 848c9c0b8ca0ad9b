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
