import type { HttpHeaders } from '../host/host.ts';

/** What goes over a simulated connection for HTTP. */
export interface RequestMessage {
  readonly kind: 'request';
  readonly method: string;
  readonly url: string;
  readonly headers: HttpHeaders;
  readonly body: Uint8Array;
}

export interface ResponseMessage {
  readonly kind: 'response';
  readonly status: number;
  readonly headers: HttpHeaders;
  readonly body: Uint8Array;
  /** The server closes after it. */
  readonly isLast: boolean;
}

export function bytesOf(body: string | Uint8Array | undefined): Uint8Array {
  if (body === undefined) return new Uint8Array(0);
  return typeof body === 'string' ? new TextEncoder().encode(body) : new Uint8Array(body);
}

export function lowerCased(headers: Readonly<Record<string, string>> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
}

/** What would split a message on a real connection. */
export function hasBrokenHeader(headers: Readonly<Record<string, string>> | undefined): boolean {
  return Object.entries(headers ?? {}).some(([name, value]) => /[^\w-]/.test(name) || /[\r\n\0]/.test(value));
}
