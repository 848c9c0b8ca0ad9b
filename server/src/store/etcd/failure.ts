import { type ServiceError, status } from '@grpc/grpc-js';
import { StoreError, type StoreErrorKind } from '../store.ts';

/** What etcd, or the way to it, answered instead of what was asked for. */
export class EtcdFailure extends Error {
  override readonly name = 'EtcdFailure';
  readonly kind: StoreErrorKind;
  /** The call may have been carried out all the same, perhaps only later. */
  readonly mayBeDone: boolean;
  /** Another member, or the same one a moment later, may do better. */
  readonly isPassing: boolean;
  /** `token`: log in anew; `compacted`: the revision asked for is gone; `future`: it is not there yet. */
  readonly reason: 'token' | 'compacted' | 'future' | 'late' | undefined;
  /** For whoever made the call. */
  readonly because: string | undefined;

  constructor(message: string, facts: FailureFacts, cause?: unknown) {
    super(message, { cause });
    this.kind = facts.kind;
    this.mayBeDone = facts.mayBeDone ?? false;
    this.isPassing = facts.isPassing ?? false;
    this.reason = facts.reason;
    this.because = facts.because;
  }
}

interface FailureFacts {
  readonly kind: StoreErrorKind;
  readonly mayBeDone?: boolean;
  readonly isPassing?: boolean;
  readonly reason?: EtcdFailure['reason'];
  readonly because?: string | undefined;
}

const UNDONE: FailureFacts = { kind: 'unavailable', isPassing: true };
const UNKNOWN: FailureFacts = { kind: 'unavailable', isPassing: true, mayBeDone: true };

/** By the texts that etcd gives, since it uses some codes for many things. */
const TEXTS: readonly (readonly [RegExp, FailureFacts])[] = [
  [/database space exceeded/, { kind: 'read-only', because: 'its database is full' }],
  [/corrupt cluster/, { kind: 'read-only', because: 'its members hold different data' }],
  [
    /request is too large|grpc: received message larger|too many operations/,
    { kind: 'invalid', because: 'it is over what etcd takes in one request' },
  ],
  [/required revision has been compacted/, { kind: 'unavailable', reason: 'compacted' }],
  [/required revision is a future revision/, { kind: 'unavailable', reason: 'future' }],
  [/invalid auth token|revision of auth store is old/, { kind: 'unavailable', reason: 'token' }],
  // Without a token, as when the login is switched on while this program runs.
  [/user name is empty/, { kind: 'misconfigured', reason: 'token' }],
  [/authentication failed|permission denied|role name/, { kind: 'misconfigured' }],
  [/no leader|not capable|too many requests|rate exceeded|server stopped|learner/, UNDONE],
  // Said by the client itself, before anything was sent.
  [/No connection established|Name resolution failed|Channel closed before call started/, UNDONE],
];

const CODES: Readonly<Partial<Record<number, FailureFacts>>> = {
  [status.UNAUTHENTICATED]: { kind: 'misconfigured', reason: 'token' },
  [status.PERMISSION_DENIED]: { kind: 'misconfigured' },
  [status.UNIMPLEMENTED]: { kind: 'misconfigured' },
  [status.INVALID_ARGUMENT]: { kind: 'invalid', because: 'etcd takes no such request' },
  [status.DEADLINE_EXCEEDED]: { ...UNKNOWN, reason: 'late' },
};

/** Of what a call rejects with; anything else is a fault of this program and thrown as it is. */
export function failureOf(error: unknown, place: string): EtcdFailure {
  if (error instanceof EtcdFailure) return error;
  const { code, details } = error as Partial<ServiceError>;
  if (typeof code !== 'number') throw error;
  return failureSaid(details ?? '', place, code, error);
}

/** Of what etcd said. */
export function failureSaid(text: string, place: string, code?: number, cause?: unknown): EtcdFailure {
  const facts = TEXTS.find(([pattern]) => pattern.test(text))?.[1] ?? CODES[code ?? -1] ?? UNKNOWN;
  const told = explain(text, facts);
  // What was said in fewer words would be logged once more as its own cause.
  const isShorter = told !== text && facts === UNDONE;
  return new EtcdFailure(`${place}: ${told}`, facts, isShorter ? undefined : cause);
}

function explain(text: string, { kind, reason }: FailureFacts): string {
  if (reason === 'late') return 'it did not answer in time';
  if (kind === 'read-only' && /space/.test(text)) {
    return `its database is full (${text}): compact and defragment it or raise its quota, then disarm the alarm`;
  }
  return connectionText(text);
}

/** The library wraps the reason in what says nothing to who runs etcd, and ends it with notes that may be empty. */
function connectionText(text: string): string {
  const [, reason, note = ''] =
    /^No connection established\. Last error: (.*?)(?: Resolution note: ?(.*))?$/s.exec(text) ?? [];
  if (reason === undefined) return text;
  const why = reason.replace(/^(?:Error: )+/, '').replace(/\.$/, '');
  return note === '' ? `no connection (${why})` : `no connection (${why}; ${note})`;
}

/** What callers of the port get; of a write whose answer is missing it says so. */
export function storeErrorOf(error: unknown, isWrite: boolean): unknown {
  if (!(error instanceof EtcdFailure)) return error;
  const isOpen = isWrite && error.mayBeDone;
  const message = isOpen ? `${error.message}; the write may have been stored` : error.message;
  const options = { cause: error, ...(error.because !== undefined && { because: error.because }) };
  return new StoreError(error.kind, message, options);
}
