import { StoreError, type StoreErrorKind } from '../store.ts';

/** What Redis answers, by the word that its errors start with, and in our words what is to be done about it. */
const ANSWERS: Readonly<Record<string, readonly [StoreErrorKind, string]>> = {
  READONLY: ['read-only', 'it is a replica, which takes no writes'],
  NOREPLICAS: ['read-only', 'too few replicas are connected to it for a write (min-replicas-to-write)'],
  OOM: ['read-only', 'its memory is full (maxmemory): only removing is possible'],
  MISCONF: ['read-only', 'it cannot write to its disk'],
  NOAUTH: ['misconfigured', 'it wants a password'],
  WRONGPASS: ['misconfigured', 'it does not take this user and password'],
  NOPERM: ['misconfigured', 'the user may not do what the store needs'],
  WRONGTYPE: ['misconfigured', 'there is something else under the names of our keys'],
  LOADING: ['unavailable', 'it is still loading its data'],
  CLUSTERDOWN: ['unavailable', 'the Redis Cluster is not whole'],
  MASTERDOWN: ['unavailable', 'it is a replica that has lost its master'],
  TRYAGAIN: ['unavailable', 'the slot of our keys is being moved to another node'],
  MOVED: ['unavailable', 'the slot of our keys has moved to another node'],
  ASK: ['unavailable', 'the slot of our keys is being moved to another node'],
  BUSY: ['unavailable', 'it is busy with a script'],
  EXPIRED: ['unavailable', 'the write reached it too late, so it was not stored'],
  DATASET: ['misconfigured', ''],
};
const WORDS = new RegExp(`(?:^|[^\\w])-?(${Object.keys(ANSWERS).join('|')})\\b`);
/** Of errors that start with nothing but ERR. */
const FAULTS =
  /invalid password|called without any password|unknown command|ACL failure|DB index|SELECT is not allowed/i;
const TLS_FAULTS = /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH)/;

/** Nothing was done, and doing it again, perhaps on another connection, may help. */
const UNDONE: ReadonlySet<string> = new Set(['TRYAGAIN', 'MOVED', 'ASK', 'EXPIRED', 'CLUSTERDOWN', 'MASTERDOWN']);
/** After these another connection, perhaps to another server, is asked. */
const PARTING: ReadonlySet<string> = new Set([
  ...['READONLY', 'LOADING', 'CLUSTERDOWN', 'MASTERDOWN', 'MOVED', 'ASK', 'EXPIRED', 'NOAUTH', 'WRONGPASS', 'DATASET'],
]);

/** The word of an answer of Redis; undefined when it is none, as when the connection broke. */
export function wordOf(error: unknown): string | undefined {
  if (!isAnswer(error)) return undefined;
  return WORDS.exec(error.message)?.[1];
}

/** Redis has answered: what was asked has come to an end, and the connection is well. */
export function isAnswer(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError';
}

export function isUndone(error: unknown): boolean {
  return UNDONE.has(wordOf(error) ?? '');
}

export function isParting(error: unknown): boolean {
  if (error instanceof StoreError) return false;
  return !isAnswer(error) || PARTING.has(wordOf(error) ?? '');
}

export function storeErrorOf(error: unknown, place: string): StoreError {
  if (error instanceof StoreError) return error;
  const cause = withoutCommand(error);
  const word = wordOf(error);
  if (word === 'DATASET') return lostDataset(place, cause.message);
  const known = word === undefined ? undefined : ANSWERS[word];
  if (known !== undefined) {
    const because = known[0] === 'read-only' ? { because: known[1] } : {};
    return new StoreError(known[0], `${place}: ${known[1]} (${firstLine(cause.message)})`, { cause, ...because });
  }
  const code = String((error as NodeJS.ErrnoException | undefined)?.code ?? '');
  const isFault = isAnswer(error) ? FAULTS.test(cause.message) : TLS_FAULTS.test(code);
  return new StoreError(isFault ? 'misconfigured' : 'unavailable', `${place}: ${firstLine(cause.message)}`, { cause });
}

function lostDataset(place: string, answer: string): StoreError {
  const what = answer.includes('none')
    ? 'it holds nothing any more, though it held the data of this store: nothing is taken from it'
    : 'it holds the data of another store than this node has started with: nothing is taken from it';
  return new StoreError('misconfigured', `${place}: ${what}; restore the data, or restart the nodes if this is meant`);
}

/** What Redis says of a command that it does not know: it repeats what it was sent. */
const ARGUMENTS_SAID = /, with args beginning with:[^\n]*/;

/** An error of ioredis carries the whole command, with contents and passwords. */
function withoutCommand(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  if ('command' in error) delete error.command;
  if ('previousErrors' in error) delete error.previousErrors;
  if (ARGUMENTS_SAID.test(error.message)) {
    error.stack = error.stack?.replace(ARGUMENTS_SAID, '') ?? '';
    error.message = error.message.replace(ARGUMENTS_SAID, '');
  }
  return error;
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0]!.slice(0, 300);
}
