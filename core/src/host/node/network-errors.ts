import { NetworkError, type NetworkErrorKind } from '../host.ts';

const KIND_BY_CODE: ReadonlyMap<string, NetworkErrorKind> = new Map([
  ['ECONNREFUSED', 'refused'],
  ['EACCES', 'refused'],
  ['EPERM', 'refused'],
  ['ECONNRESET', 'reset'],
  ['ECONNABORTED', 'reset'],
  ['EPIPE', 'reset'],
  ['ETIMEDOUT', 'timeout'],
  ['EADDRINUSE', 'in-use'],
  ['ERR_SOCKET_DGRAM_NOT_RUNNING', 'closed'],
  ['ERR_SERVER_NOT_RUNNING', 'closed'],
  ['ERR_STREAM_DESTROYED', 'closed'],
]);

/** What Node reports, as the one error that the rest of the code knows. */
export function toNetworkError(error: unknown, doing: string): NetworkError {
  if (error instanceof NetworkError) return error;
  const { code, message } = errorFacts(error);
  return new NetworkError(kindOf(code), `${doing}: ${message}`, { cause: error });
}

/** All else (no route, no such name, no such local address) means that the place cannot be reached from here. */
function kindOf(code: string): NetworkErrorKind {
  const kind = KIND_BY_CODE.get(code);
  if (kind !== undefined) return kind;
  // The parser's own codes, and Node's refusals of paths and header values.
  return code.startsWith('HPE_') || code.startsWith('ERR_') ? 'protocol' : 'unreachable';
}

function errorFacts(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: '', message: String(error) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  // Connecting to a name tries all its addresses and then fails with an error per address and no text of its own.
  const message = error.message || (error instanceof AggregateError ? error.errors.map(String).join(', ') : code);
  return { code, message };
}
