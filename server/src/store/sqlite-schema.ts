import { DatabaseSync } from 'node:sqlite';
import { MovedFileError } from './sqlite-identity.ts';
import type { SqliteFailure, SqliteWorkerData } from './sqlite-messages.ts';

/** What turns version n - 1 into n stands at n - 1; a step that was released never changes. */
export const SCHEMA_STEPS: readonly string[] = [
  `
  CREATE TABLE config (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace_id TEXT NOT NULL,
    group_id TEXT NOT NULL,
    data_id TEXT NOT NULL,
    md5 TEXT NOT NULL,
    -- the JSON of all that is neither key, md5 nor content
    facts TEXT NOT NULL,
    -- of key, md5 and facts; the md5 proves the content
    checksum TEXT NOT NULL,
    content TEXT NOT NULL,
    UNIQUE (namespace_id, group_id, data_id)
  ) STRICT;
  CREATE TABLE config_history (
    nid INTEGER PRIMARY KEY AUTOINCREMENT,
    config_id INTEGER NOT NULL,
    namespace_id TEXT NOT NULL,
    group_id TEXT NOT NULL,
    data_id TEXT NOT NULL,
    operation TEXT NOT NULL,
    md5 TEXT NOT NULL,
    app_name TEXT NOT NULL,
    source_ip TEXT NOT NULL,
    source_user TEXT,
    at_ms INTEGER NOT NULL,
    content TEXT NOT NULL
  ) STRICT;
  CREATE INDEX config_history_key ON config_history (namespace_id, group_id, data_id);
  CREATE TABLE record (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    checksum TEXT NOT NULL,
    PRIMARY KEY (kind, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE changes (
    revision INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    -- of a config the JSON of namespace, group and data id
    key TEXT NOT NULL,
    removed INTEGER NOT NULL
  ) STRICT;
  `,
  `
  CREATE TABLE variant (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace_id TEXT NOT NULL,
    group_id TEXT NOT NULL,
    data_id TEXT NOT NULL,
    -- 'beta', or 'tag:' and the name
    variant TEXT NOT NULL,
    md5 TEXT NOT NULL,
    facts TEXT NOT NULL,
    checksum TEXT NOT NULL,
    content TEXT NOT NULL,
    UNIQUE (namespace_id, group_id, data_id, variant)
  ) STRICT;
  -- For searches that name no group; a write over a config leaves it alone.
  CREATE INDEX config_data_id ON config (namespace_id, data_id);
  -- The history of a config that stands is found by its key, of one that is gone by the row of its end. So no publish
  -- pays for an index over all ids.
  CREATE INDEX config_history_end ON config_history (config_id) WHERE operation = 'D';
  `,
];
const SCHEMA_VERSION = SCHEMA_STEPS.length;
const KNOWN_VERSIONS = Array.from({ length: SCHEMA_VERSION + 1 }, (_, older) => older);

/**
 * Opens the file for a role. Throws errors of sqlite, which `failureOf` reads, and `ForeignSchemaError`.
 * A wait for locks is never left to sqlite: it would block the thread, and callers retry with jitter instead.
 */
export function openDatabase({ path, role }: SqliteWorkerData): DatabaseSync {
  const database = new DatabaseSync(path, { readOnly: role === 'reader', timeout: 0, allowExtension: false });
  try {
    database.exec('PRAGMA trusted_schema = OFF; PRAGMA cache_size = -16000;');
    if (role === 'writer') {
      // Before anything is set: a file of another program stays as it is, and the kind of its journal with it.
      requireVersion(database, KNOWN_VERSIONS);
      // FULL: a commit is answered only after its fsync; WAL: that is one fsync, and readers go on meanwhile.
      database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
      database.exec('PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;');
      migrate(database);
    } else {
      // Opening reads nothing yet; this does, and so tells a file that is no database.
      requireVersion(database, [SCHEMA_VERSION]);
    }
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

export class ForeignSchemaError extends Error {
  override readonly name = 'ForeignSchemaError';
}

function migrate(database: DatabaseSync): void {
  if (versionOf(database) === SCHEMA_VERSION) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    // Asked again under the lock: another process may have made the schema meanwhile.
    const version = requireVersion(database, KNOWN_VERSIONS);
    for (const step of SCHEMA_STEPS.slice(version)) database.exec(step);
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

function requireVersion(database: DatabaseSync, known: readonly number[]): number {
  const version = versionOf(database);
  if (!known.includes(version)) {
    throw new ForeignSchemaError(`its schema has version ${version}, this program knows ${SCHEMA_VERSION}`);
  }
  const tables = database.prepare('SELECT count(*) AS n FROM sqlite_schema').get() as { n: number };
  if (version === 0 && tables.n > 0) throw new ForeignSchemaError('it holds tables of another program');
  return version;
}

/** Of this program's own version, so that its statements fit. */
export function hasOwnSchema(database: DatabaseSync): boolean {
  return versionOf(database) === SCHEMA_VERSION;
}

function versionOf(database: DatabaseSync): number {
  return (database.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
}

/** The primary result codes of sqlite that mean something to callers. */
export const CODES = {
  busy: 5,
  locked: 6,
  readOnly: 8,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  protocol: 15,
  noDatabase: 26,
};

/** The primary code, when it is an error of sqlite. */
export function codeOf(error: unknown): number | undefined {
  const errcode = (error as { errcode?: number }).errcode;
  return errcode === undefined ? undefined : errcode & 0xff;
}

/** Told to people: nothing is done to such a file unless they say so. */
export function damagedText(found: string): string {
  return (
    `it is damaged (${found}). It is left as it is: restore a backup (nacos-kube store restore), or have it rebuilt from ` +
    "this node's own copies by nacos-kube store rebuild or --sqlite-rebuild on"
  );
}

const RESTART = 'put it back, or restart all nodes that use it; nothing is written until then';

export function failureOf(error: unknown, path: string): SqliteFailure {
  const { message } = error as Error;
  if (error instanceof ForeignSchemaError) return { kind: 'misconfigured', message: `sqlite file ${path}: ${message}` };
  if (error instanceof MovedFileError) {
    const because = 'the file of the database was removed or replaced';
    return { kind: 'read-only', message: `sqlite file ${path}: ${message} while it was in use; ${RESTART}`, because };
  }
  const told = (kind: SqliteFailure['kind'], why: string): SqliteFailure => ({
    kind,
    message: `sqlite file ${path}: ${why} (${message})`,
  });
  switch (codeOf(error)) {
    case CODES.busy:
    case CODES.locked:
    case CODES.protocol:
      return told('busy', 'other processes hold it');
    case CODES.readOnly:
      return told('read-only', 'it cannot be written, check its owner and mode and those of its directory');
    case CODES.full:
      return { ...told('read-only', 'the disk is full'), because: 'the disk is full' };
    case CODES.corrupt:
      return { kind: 'misconfigured', message: `sqlite file ${path}: ${damagedText(message)}` };
    case CODES.noDatabase:
      return told('misconfigured', 'it is no sqlite database, or its first page is destroyed');
    case CODES.cannotOpen:
      return told('misconfigured', 'it cannot be opened, check that its directory exists and may be written');
    default:
      return told('unavailable', 'it failed');
  }
}
