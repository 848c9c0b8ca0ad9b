import { ENDPOINTS, type Endpoint } from './endpoints.ts';
import type { Exchange } from './transcript.ts';

const CONTEXT_PATH = '/nacos';

export interface Covered {
  readonly endpoint: Endpoint;
  /** Names of the transcripts that show it. */
  readonly transcripts: readonly string[];
  /** Calls that no exchange shows as they should be answered, and parameters that none sends. */
  readonly missing: readonly string[];
}

/** Which transcript shows which endpoint of the reference with which of its parameters. */
export function coverage(transcripts: ReadonlyMap<string, readonly Exchange[]>): Covered[] {
  return ENDPOINTS.map((endpoint) => {
    const shown = endpoint.calls.map((call) => ({ call, exchanges: showing(call, endpoint, transcripts) }));
    const missing = shown.flatMap(({ call, exchanges }) => {
      if (endpoint.shownIn !== undefined) return [];
      return exchanges.length === 0 ? [call] : unsent(endpoint, exchanges).map((name) => `${call}: ${name}`);
    });
    const names = shown.flatMap(({ exchanges }) => exchanges.map(({ name }) => name));
    return { endpoint, transcripts: [...new Set(names)].sort(), missing };
  });
}

function unsent({ parameters, refused, elsewhere }: Endpoint, exchanges: readonly Found[]): string[] {
  if (refused !== undefined) return [];
  const sent = new Set(exchanges.flatMap(({ exchange }) => [...sentBy(exchange)]));
  const isSent = (name: string) => sent.has(name.startsWith('body:') ? 'body:' : name.toLowerCase());
  return parameters.filter((name) => elsewhere?.[name] === undefined && !isSent(name));
}

interface Found {
  /** Of the transcript. */
  readonly name: string;
  readonly exchange: Exchange;
}

/** Exchanges of a call, among them one that was answered as the endpoint is meant to be; else none. */
function showing(call: string, { refused }: Endpoint, transcripts: ReadonlyMap<string, readonly Exchange[]>) {
  const found: Found[] = [];
  for (const [name, exchanges] of transcripts)
    for (const exchange of exchanges) if (isCall(call, exchange)) found.push({ name, exchange });
  const isRight = (status: number) => (refused === undefined ? status === 200 : status === 403 || status === 404);
  return found.some(({ exchange }) => isRight(exchange.answer?.status ?? 0)) ? found : [];
}

/** `GET /v1/cs/configs?show=all`: with this in the query; without a query: with none that makes it another call. */
function isCall(call: string, { method, target }: Exchange): boolean {
  const [called = '', wanted = ''] = call.split('?', 2);
  const [path = '', query = ''] = target.split('?', 2);
  if (called !== `${method} ${path.replace(CONTEXT_PATH, '')}`) return false;
  const sent = new URLSearchParams(query);
  if (wanted === '') return OTHER_CALLS.every((name) => !sent.has(name));
  return [...new URLSearchParams(wanted)].every(([name, value]) => sent.get(name) === value);
}

const OTHER_CALLS = [
  ...['show', 'search', 'beta', 'export', 'exportV2', 'delType', 'import', 'clone', 'checkNamespaceIdExist'],
];

function* sentBy({ target, headers, body }: Exchange): Iterable<string> {
  if (body.length > 0) yield 'body:';
  for (const name of new URLSearchParams(target.split('?', 2)[1] ?? '').keys()) yield name.toLowerCase();
  for (const [name, value] of Object.entries(headers)) {
    yield `header:${name.toLowerCase()}`;
    const isForm = name.toLowerCase() === 'content-type' && value.startsWith('application/x-www-form-urlencoded');
    if (isForm) for (const field of new URLSearchParams(body.toString()).keys()) yield field.toLowerCase();
  }
}
