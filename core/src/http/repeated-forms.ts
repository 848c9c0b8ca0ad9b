import type { HttpRequest } from '../host/host.ts';
import { Repeats } from '../repeats.ts';
import { asBuffer, decodeForm } from './form.ts';
import type { Call, Form } from './route.ts';

/** Requests of a route of which is kept what they decode to, at most twice, without a body and with one. */
export const REPEATED_QUERIES_MAX = 2_048;
export const REPEATED_BODIES_MAX = 2_048;
/** What is longer is not kept. */
export const REPEATED_QUERY_CHARS_MAX = 512;
export const REPEATED_BODY_BYTES_MAX = 1_024;

/** A request that may come again, and what its route made of it. */
export interface KeptForm {
  readonly query: string;
  readonly contentType: string;
  /** Several times as large as what is made of it, so it is kept for routes only that ask for it each time. */
  form: Form | undefined;
  decoded: unknown;
}

/**
 * Requests of one route, which its callers repeat byte for byte. A form is made of the query, the body and its content
 * type alone, so nothing outdates what was made of one that had the same three.
 */
export class RepeatedForms {
  readonly #ofQueries = new Repeats<KeptForm>(REPEATED_QUERIES_MAX);
  readonly #ofBodies = new Repeats<KeptForm>(REPEATED_BODIES_MAX);

  /** Undefined: it is too long to be kept. */
  of(request: Pick<HttpRequest, 'method' | 'query' | 'headers' | 'body'>): KeptForm | undefined {
    const { method, query, body } = request;
    if (query.length > REPEATED_QUERY_CHARS_MAX || body.length > REPEATED_BODY_BYTES_MAX) return undefined;
    if (body.length === 0) {
      return this.#ofQueries.get(query) ?? keep(this.#ofQueries, query, query, '');
    }
    if (method === 'GET') return undefined;
    const contentType = request.headers['content-type'] ?? '';
    const text = asBuffer(body).toString('latin1');
    const kept = this.#ofBodies.get(text);
    if (kept?.query === query && kept.contentType === contentType) return kept;
    return keep(this.#ofBodies, text, query, contentType);
  }
}

function keep(where: Repeats<KeptForm>, key: string, query: string, contentType: string): KeptForm {
  const kept = { query, contentType, form: undefined, decoded: undefined };
  where.set(key, kept);
  return kept;
}

/**
 * What a route makes of the form and of nothing else: of a request that comes again it is made once. A route has one such
 * `decode`, as what it made before is not asked which one that was.
 */
export function decodedOnce<T extends object>(call: Call, decode: (form: Form) => T): T {
  const { kept } = call;
  if (kept === undefined) return decode(call.form);
  kept.decoded ??= decode(kept.form ?? decodeForm(call.request));
  return kept.decoded as T;
}

/** Its form is decoded only when somebody asks for it. */
export class RepeatedCall implements Call {
  readonly request: HttpRequest;
  readonly clientIp: string;
  readonly kept: KeptForm;

  constructor(request: HttpRequest, clientIp: string, kept: KeptForm) {
    this.request = request;
    this.clientIp = clientIp;
    this.kept = kept;
  }

  get form(): Form {
    this.kept.form ??= decodeForm(this.request);
    return this.kept.form;
  }
}
