import type { HttpResponse } from '../host/host.ts';

const TEXT = { 'content-type': 'text/plain;charset=UTF-8', 'x-content-type-options': 'nosniff' } as const;
const JSON_TYPE = { 'content-type': 'application/json;charset=UTF-8' } as const;

export function text(body: string, status = 200): HttpResponse {
  return { status, headers: TEXT, body };
}

export function json(value: unknown, status = 200): HttpResponse {
  return { status, headers: JSON_TYPE, body: JSON.stringify(value) };
}

/** JSON that was put together already, as text or UTF-8 bytes. */
export function jsonBytes(body: string | Uint8Array): HttpResponse {
  return { status: 200, headers: JSON_TYPE, body };
}

/** The whole body, for those who cannot send it in two pieces. */
export function bodyBytes({ body, tail = '' }: Pick<HttpResponse, 'body' | 'tail'>): Uint8Array {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  return tail === '' ? bytes : Buffer.concat([bytes, Buffer.from(tail)]);
}

/** The `{code, message, data}` form of the reference (spec/cluster.md 3): HTTP 200 even when code is a failure. */
export function restResult(data: unknown, message: string | null = null, code = 200): HttpResponse {
  return json({ code, message, data });
}
