import type { HttpRequest } from '../host/host.ts';
import { Repeats } from '../repeats.ts';
import { asBuffer, decodeForm } from './form.ts';
import type { Call, Form } from './route.ts';

/** Requests of a route whose decoded form is kept, at most twice, without a body and with one. */
export const REPEATED_QUERIES_MAX = 4_096;
export const REPEATED_BODIES_MAX = 2_048;
/** What is longer is not kept. */
export const REPEATED_QUERY_CHARS_MAX = 512;
export const REPEATED_BODY_BYTES_MAX = 1_024;

/** A form that is kept, and what the route of it made of it. */
export interface KeptForm {
  readonly form: Form;
  readonly query: string;
  readonly contentType: string;
  decoded: unknown;
}

/**
 * `decodeForm` for the requests of one route, which its callers repeat byte for byte. A form is made of the query, the
 * body and its content type alone, so nothing outdates one that was kept for the same of all three.
 */
export class RepeatedForms {
  readonly #ofQueries = new Repeats<KeptForm>(REPEATED_QUERIES_MAX);
  readonly #ofBodies = new Repeats<KeptForm>(REPEATED_BODIES_MAX);

  /** Undefined: it is too long to be kept. Throws what `decodeForm` throws, each time. */
  of(request: Pick<HttpRequest, 'method' | 'query' | 'headers' | 'body'>): KeptForm | undefined {
    const { method, query, body } = request;
    if (query.length > REPEATED_QUERY_CHARS_MAX || body.length > REPEATED_BODY_BYTES_MAX) return undefined;
    if (body.length === 0) {
      return this.#ofQueries.get(query) ?? this.#keep(this.#ofQueries, query, request, '');
    }
    if (method === 'GET') return undefined;
    const contentType = request.headers['content-type'] ?? '';
    const text = asBuffer(body).toString('latin1');
    const kept = this.#ofBodies.get(text);
    if (kept?.query === query && kept.contentType === contentType) return kept;
    return this.#keep(this.#ofBodies, text, request, contentType);
  }

  #keep(
    where: Repeats<KeptForm>,
    key: string,
    request: Pick<HttpRequest, 'method' | 'query' | 'headers' | 'body'>,
    contentType: string,
  ): KeptForm {
    const kept = { form: decodeForm(request), query: request.query, contentType, decoded: undefined };
    where.set(key, kept);
    return kept;
  }
}

/**
 * What a route makes of the form and of nothing else: where the form was kept it is made once. A route has one such
 * `decode`, as what it made before is not asked which one that was.
 */
export function decodedOnce<T extends object>({ form, kept }: Call, decode: (form: Form) => T): T {
  if (kept === undefined) return decode(form);
  kept.decoded ??= decode(form);
  return kept.decoded as T;
}
