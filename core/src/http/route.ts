import type { HttpRequest, HttpResponse } from '../host/host.ts';
import type { KeptForm } from './repeated-forms.ts';

/**
 * Who may call a route. Required on every route, so none can forget it.
 * - `open`: anyone (health, metrics, login).
 * - `read`/`write` with an area: users with that grant, once accounts exist; with `auth: off` anyone.
 * - `peer`: members holding the cluster key, on the peer port only.
 * - `sidecar`: loopback with the shared token, on the peer port only.
 * - `refused`: never, with a fixed text (routes of the reference that we do not serve).
 */
export type Policy =
  | { readonly kind: 'open' }
  | { readonly kind: 'read' | 'write'; readonly area: 'naming' | 'config' | 'namespaces' | 'operations' }
  | { readonly kind: 'peer' }
  | { readonly kind: 'sidecar' }
  | { readonly kind: 'refused'; readonly text: string };

export const OPEN: Policy = { kind: 'open' };

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'PATCH';
  /** Static, below the context path, e.g. `/v1/ns/instance`. */
  readonly path: string;
  readonly policy: Policy;
  /** Its callers send the same over and over, so that what it decodes to is kept for a while: see `decodedOnce`. */
  readonly isRepeated?: boolean;
  readonly handler: (call: Call) => HttpResponse | Promise<HttpResponse>;
}

/** A request that was matched and allowed. */
export interface Call {
  readonly request: HttpRequest;
  /** Query and form, strictly decoded, merged with the query first. */
  readonly form: Form;
  /** Who sent it: the TCP peer, or what a trusted proxy says. */
  readonly clientIp: string;
  /** What was made of a request like it before: see `decodedOnce`. */
  readonly kept?: KeptForm | undefined;
}

/** Decoded parameters; of a repeated name the first value counts. */
export type Form = ReadonlyMap<string, string>;
