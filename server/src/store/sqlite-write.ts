import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Config, ConfigKey } from '@nacos-kube/core/model/config.ts';
import { contentMd5 } from '@nacos-kube/core/wire/config.ts';
import { HISTORY_KEPT_DAYS, isTimeToForget } from './bounds.ts';
import { factsAfter, isExpected, variantAfter, variantText } from './history.ts';
import type { WriteCommand, WriteResult } from './sqlite-messages.ts';
import { SqliteMoved } from './sqlite-moved.ts';
import {
  configChangeKey,
  configChecksum,
  parseFacts,
  parseVariantFacts,
  recordChecksum,
  variantChecksum,
  variantFactsOf,
} from './sqlite-row.ts';
import type { ChangedThing, ConfigWrite, Operator, Revision, StoredRecord, VariantWrite } from './store.ts';

const HISTORY_KEPT_MS = HISTORY_KEPT_DAYS * 24 * 3600 * 1000;
const HISTORY_FORGOTTEN_AT_ONCE = 2000;

/** The statements of a writer. Everything here runs inside one transaction per group. */
export class SqliteWrites {
  readonly #database: DatabaseSync;
  readonly #changesKept: number;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #find: StatementSync;
  readonly #insert: StatementSync;
  readonly #update: StatementSync;
  readonly #delete: StatementSync;
  readonly #rememberNew: StatementSync;
  readonly #rememberOld: StatementSync;
  readonly #findKey: StatementSync;
  readonly #findVariant: StatementSync;
  readonly #putVariant: StatementSync;
  readonly #removeVariant: StatementSync;
  readonly #putRecord: StatementSync;
  readonly #removeRecord: StatementSync;
  readonly #note: StatementSync;
  readonly #moved: SqliteMoved;

  constructor(database: DatabaseSync, changesKept: number) {
    this.#database = database;
    this.#changesKept = changesKept;
    const prepare = (sql: string) => database.prepare(sql);
    // IMMEDIATE: it is here that other processes make us busy, before anything was done.
    this.#begin = prepare('BEGIN IMMEDIATE');
    this.#commit = prepare('COMMIT');
    this.#find = prepare('SELECT id, md5, facts FROM config WHERE namespace_id = ? AND group_id = ? AND data_id = ?');
    this.#insert = prepare(
      'INSERT INTO config (namespace_id, group_id, data_id, md5, facts, checksum, content) VALUES (?, ?, ?, ?, ?, ?, ?)',
    );
    this.#update = prepare('UPDATE config SET md5 = ?, facts = ?, checksum = ?, content = ? WHERE id = ?');
    this.#delete = prepare('DELETE FROM config WHERE id = ?');
    const historyColumns =
      'config_id, namespace_id, group_id, data_id, operation, md5, app_name, source_ip, source_user, at_ms, content';
    this.#rememberNew = prepare(
      `INSERT INTO config_history (${historyColumns}) VALUES (0, ?, ?, ?, 'I', ?, ?, ?, ?, ?, ?)`,
    );
    this.#rememberOld = prepare(
      `INSERT INTO config_history (${historyColumns})
       SELECT id, namespace_id, group_id, data_id, ?, md5, ?, ?, ?, ?, content FROM config WHERE id = ?`,
    );
    this.#findKey = prepare('SELECT namespace_id, group_id, data_id FROM config WHERE id = ?');
    const variantColumns = 'namespace_id, group_id, data_id, variant';
    const byVariant = 'namespace_id = ? AND group_id = ? AND data_id = ? AND variant = ?';
    this.#findVariant = prepare(`SELECT facts FROM variant WHERE ${byVariant}`);
    this.#putVariant = prepare(
      `INSERT INTO variant (${variantColumns}, md5, facts, checksum, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (${variantColumns}) DO UPDATE
       SET md5 = excluded.md5, facts = excluded.facts, checksum = excluded.checksum, content = excluded.content`,
    );
    this.#removeVariant = prepare(`DELETE FROM variant WHERE ${byVariant}`);
    this.#putRecord = prepare(
      `INSERT INTO record (kind, key, value, checksum) VALUES (?, ?, ?, ?)
       ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, checksum = excluded.checksum`,
    );
    this.#removeRecord = prepare('DELETE FROM record WHERE kind = ? AND key = ?');
    this.#note = prepare('INSERT INTO changes (kind, key, removed) VALUES (?, ?, ?)');
    this.#moved = new SqliteMoved(database, (kind, key) => this.#noteChange(kind, key, false));
  }

  /** One transaction, one fsync, whatever the number of commands. `CommandError` when it failed at one of them. */
  apply(group: readonly WriteCommand[]): readonly WriteResult[] {
    this.#begin.run();
    try {
      const results = group.map((command) => this.#applyOrName(command));
      this.#forget(group, results);
      this.#commit.run();
      return results;
    } catch (error) {
      // On a full disk sqlite has rolled back by itself.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  #applyOrName(command: WriteCommand): WriteResult {
    try {
      return this.#applyOne(command);
    } catch (cause) {
      throw new CommandError(command, cause);
    }
  }

  #applyOne(command: WriteCommand): WriteResult {
    switch (command.op) {
      case 'put-config':
        return this.#put(command.write, command.nowMs);
      case 'remove-config':
        return this.#remove(command.key, command.by, command.nowMs);
      case 'remove-configs':
        return this.#removeAll(command.ids, command.by, command.nowMs);
      case 'put-variant':
        return this.#putVariantOf(command.write, command.nowMs);
      case 'remove-variant': {
        const { namespaceId, group, dataId } = command.key;
        const { changes } = this.#removeVariant.run(namespaceId, group, dataId, variantText(command.variant));
        if (changes === 0) return { outcome: 'absent' };
        return this.#written('variant', configChangeKey(command.key), true);
      }
      case 'put-moved':
        return this.#moved.put(command.rows);
      case 'put-records':
        return this.#putRecords(command.records);
      case 'remove-record': {
        const { changes } = this.#removeRecord.run(command.kind, command.key);
        if (changes === 0) return { outcome: 'absent' };
        return this.#written(command.kind, command.key, true);
      }
    }
  }

  #put(write: Omit<ConfigWrite, 'md5'>, nowMs: number): WriteResult {
    const { namespaceId, group, dataId, content } = write;
    const found = this.#findConfig(write);
    if (!isExpected(write.expectedMd5, found?.md5)) return { outcome: 'conflict' };
    const md5 = contentMd5(content);
    const after = factsAfter(write, found?.old, nowMs);
    const facts = JSON.stringify(after);
    const key = configChangeKey(write);
    const checksum = configChecksum(key, md5, facts);
    const { ip, user } = write.by;
    if (found === undefined) {
      this.#insert.run(namespaceId, group, dataId, md5, facts, checksum, content);
      this.#rememberNew.run(namespaceId, group, dataId, md5, after.appName, ip, user, nowMs, content);
    } else {
      this.#rememberOld.run('U', found.old?.appName ?? '', ip, user, nowMs, found.id);
      this.#update.run(md5, facts, checksum, content, found.id);
    }
    return { outcome: 'written', revision: this.#noteChange('config', key, false), changes: 1, md5 };
  }

  #remove(key: ConfigKey, by: Operator, nowMs: number): WriteResult {
    const found = this.#findConfig(key);
    if (found === undefined) return { outcome: 'absent' };
    this.#rememberOld.run('D', found.old?.appName ?? '', by.ip, by.user, nowMs, found.id);
    this.#delete.run(found.id);
    return this.#written('config', configChangeKey(key), true);
  }

  #removeAll(ids: readonly number[], by: Operator, nowMs: number): WriteResult {
    let revision = 0;
    let changes = 0;
    for (const id of ids) {
      const row = this.#findKey.get(id) as { namespace_id: string; group_id: string; data_id: string } | undefined;
      if (row === undefined) continue;
      const key = { namespaceId: row.namespace_id, group: row.group_id, dataId: row.data_id };
      const result = this.#remove(key, by, nowMs);
      if (result.outcome !== 'written') continue;
      revision = result.revision;
      changes += result.changes;
    }
    return changes === 0 ? { outcome: 'absent' } : { outcome: 'written', revision, changes };
  }

  #putVariantOf(write: VariantWrite, nowMs: number): WriteResult {
    const { namespaceId, group, dataId, md5, content } = write;
    const text = variantText(write.variant);
    const old = this.#findVariant.get(namespaceId, group, dataId, text) as { facts: string } | undefined;
    const facts = variantFactsOf(variantAfter(write, old && parsedOrNone(() => parseVariantFacts(old.facts)), nowMs));
    const checksum = variantChecksum(write, write.variant, md5, facts);
    this.#putVariant.run(namespaceId, group, dataId, text, md5, facts, checksum, content);
    return this.#written('variant', configChangeKey(write), false);
  }

  #putRecords(records: readonly StoredRecord[]): WriteResult {
    let revision = 0;
    for (const record of records) {
      this.#putRecord.run(record.kind, record.key, record.value, recordChecksum(record));
      revision = this.#noteChange(record.kind, record.key, false);
    }
    return { outcome: 'written', revision, changes: records.length };
  }

  #findConfig(
    key: ConfigKey,
  ): { id: number; md5: string; old: Pick<Config, 'appName' | 'tags' | 'createdMs'> | undefined } | undefined {
    const row = this.#find.get(key.namespaceId, key.group, key.dataId) as
      | { id: number; md5: string; facts: string }
      | undefined;
    return row && { id: row.id, md5: row.md5, old: parsedOrNone(() => parseFacts(row.facts)) };
  }

  #written(kind: ChangedThing['kind'], key: string, removed: boolean): WriteResult {
    return { outcome: 'written', revision: this.#noteChange(kind, key, removed), changes: 1 };
  }

  #noteChange(kind: ChangedThing['kind'], key: string, removed: boolean): Revision {
    return Number(this.#note.run(kind, key, removed ? 1 : 0).lastInsertRowid);
  }

  /** Old changes and history, a bounded number of rows at a time. */
  #forget(group: readonly WriteCommand[], results: readonly WriteResult[]): void {
    const newest = results.reduce((max, result) => ('revision' in result ? Math.max(max, result.revision) : max), 0);
    const written = results.reduce((n, result) => n + ('changes' in result ? result.changes : 0), 0);
    if (newest === 0 || !isTimeToForget(newest, this.#changesKept, written)) return;
    this.#database.prepare('DELETE FROM changes WHERE revision <= ?').run(newest - this.#changesKept);
    const nowMs = group.reduce((max, command) => ('nowMs' in command ? Math.max(max, command.nowMs) : max), 0);
    this.#database
      .prepare(
        `DELETE FROM config_history WHERE at_ms < ?
         AND nid IN (SELECT nid FROM config_history ORDER BY nid LIMIT ${HISTORY_FORGOTTEN_AT_ONCE})`,
      )
      .run(nowMs - HISTORY_KEPT_MS);
  }
}

/** Nothing of the group was done. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly command: WriteCommand;

  constructor(command: WriteCommand, cause: unknown) {
    super((cause as Error).message, { cause });
    this.command = command;
  }
}

/** A write over a damaged row mends it, so it must not fail on what it finds there. */
function parsedOrNone<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
