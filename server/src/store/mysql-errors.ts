import { StoreError, type StoreErrorKind } from './store.ts';

/** What the database or the way to it answers, by the number of the error. */
const KINDS: Readonly<Record<number, StoreErrorKind>> = {
  // Access, database, tables, columns: somebody has to set something right.
  ...{ 1044: 'misconfigured', 1045: 'misconfigured', 1049: 'misconfigured', 1054: 'misconfigured' },
  ...{ 1142: 'misconfigured', 1143: 'misconfigured', 1146: 'misconfigured', 1298: 'misconfigured' },
  ...{ 1227: 'misconfigured', 1370: 'misconfigured', 1698: 'misconfigured', 1130: 'misconfigured' },
  // Read-only server or transaction, full disk, full table.
  ...{ 1290: 'read-only', 1792: 'read-only', 1836: 'read-only', 1021: 'read-only', 1114: 'read-only' },
  // "Index for table is corrupt": most often of one row, while others can be read; the others are of whole tables.
  ...{ 1034: 'damaged', 1194: 'misconfigured', 1712: 'misconfigured', 1877: 'misconfigured' },
  // Too long, not in the character set, over the packet size.
  ...{ 1406: 'invalid', 1366: 'invalid', 1267: 'invalid', 1153: 'invalid', 1301: 'invalid' },
};

/** Of what is read-only or invalid, for whoever made the call. */
const REASONS: Readonly<Record<number, string>> = {
  ...{ 1290: 'the database is read-only', 1792: 'the database is read-only', 1836: 'the database is read-only' },
  ...{ 1021: 'the disk of the database is full', 1114: 'the disk of the database is full' },
  1034: 'a row of the database is damaged',
  ...{ 1194: 'a table of the database is damaged', 1877: 'a table of the database is damaged' },
  1712: 'an index of the database is damaged',
  1406: 'a text is longer than the tables of the database take',
  ...{ 1366: 'a text has characters that the tables of the database cannot keep' },
  ...{ 1267: 'a text has characters that the tables of the database cannot keep' },
  ...{ 1153: "it is over the database's max_allowed_packet", 1301: "it is over the database's max_allowed_packet" },
};

/** Deadlock, lock wait, changed record, duplicate of a concurrent insert: the whole transaction can be tried again. */
const RETRIED: ReadonlySet<number> = new Set([1213, 1205, 1020, 1062]);

interface MysqlError extends Error {
  readonly code?: string;
  readonly errno?: number;
  readonly fatal?: boolean;
}

export function isRetried(error: unknown): boolean {
  const errno = (error as MysqlError | undefined)?.errno;
  return errno !== undefined && RETRIED.has(errno);
}

/** Somebody else holds a row for long. */
export function isLockWait(error: unknown): boolean {
  return (error as MysqlError | undefined)?.errno === 1205;
}

/** The database calls what it was to read damaged. */
export function isOfDamage(error: unknown): boolean {
  if (error instanceof StoreError) return error.kind === 'damaged';
  const errno = (error as MysqlError | undefined)?.errno;
  return errno !== undefined && KINDS[errno] === 'damaged';
}

const CODES_FOR_GOOD: ReadonlySet<string> = new Set([
  'ER_PARSE_ERROR',
  'ER_NO_SUCH_FIELD',
  'ER_SP_DOES_NOT_EXIST',
  'HANDSHAKE_NO_SSL_SUPPORT',
]);

/** The connection is gone, or nobody knows what state it is in. */
export function isFatal(error: unknown): boolean {
  const { fatal, errno, code } = error as MysqlError;
  // A server that has turned read-only was failed over: connect anew, perhaps to another one (F13).
  if (error instanceof StoreError) return error.kind === 'unavailable' || error.kind === 'read-only';
  if (fatal === true) return true;
  return errno === undefined ? code !== undefined : KINDS[errno] === 'read-only';
}

export function storeErrorOf(error: unknown, place: string): StoreError {
  if (error instanceof StoreError) return error;
  const { errno, code, message } = error as MysqlError;
  const kind = (errno === undefined ? undefined : KINDS[errno]) ?? (isForGood(code) ? 'misconfigured' : 'unavailable');
  const because = errno === undefined ? undefined : REASONS[errno];
  const options = { cause: error, ...(because !== undefined && { because }) };
  return new StoreError(kind, `${place}: ${code === undefined ? '' : `${code} `}${message}`, options);
}

/** The same again at each try: not the schema or the engine that this program knows, or TLS is asked of one without. */
function isForGood(code: string | undefined): boolean {
  return code !== undefined && CODES_FOR_GOOD.has(code);
}
