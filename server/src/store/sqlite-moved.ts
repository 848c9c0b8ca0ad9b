import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Config, ConfigVariant } from '@nacos-kube/core/model/config.ts';
import { isId } from './bounds.ts';
import { type ConfigFacts, type ConfigHistory, variantText } from './history.ts';
import type { WriteResult } from './sqlite-messages.ts';
import { configChangeKey, configChecksum, variantChecksum, variantFactsOf } from './sqlite-row.ts';
import type { MovedRow, Revision } from './store.ts';

const SAME_PAST = `namespace_id = ? AND group_id = ? AND data_id = ? AND operation = ? AND md5 = ? AND at_ms = ?`;

/** Rows that come from another store; made when the first of them comes, as hardly a file ever sees one. */
export class SqliteMoved {
  readonly #database: DatabaseSync;
  readonly #note: (kind: 'config' | 'variant', key: string) => Revision;
  #statements: ReturnType<typeof statementsOf> | undefined;

  constructor(database: DatabaseSync, note: (kind: 'config' | 'variant', key: string) => Revision) {
    this.#database = database;
    this.#note = note;
  }

  put(rows: readonly MovedRow[]): WriteResult {
    let revision = 0;
    let changes = 0;
    for (const moved of rows) {
      if (moved.what === 'history') {
        this.#putHistory(moved.row);
        continue;
      }
      revision = moved.what === 'config' ? this.#putConfig(moved.row) : this.#putVariant(moved.row);
      changes += 1;
    }
    return changes === 0 ? { outcome: 'absent' } : { outcome: 'written', revision, changes };
  }

  #putConfig(config: Config): Revision {
    const { id, dataId, group, namespaceId, content, md5 } = config;
    const { findConfig, isTaken, updateConfig, insertConfig } = this.#prepared();
    const facts = JSON.stringify(factsOf(config));
    const key = configChangeKey(config);
    const checksum = configChecksum(key, md5, facts);
    const found = findConfig.get(namespaceId, group, dataId) as { id: number } | undefined;
    if (found !== undefined) {
      updateConfig.run(md5, facts, checksum, content, found.id);
    } else {
      const number = numberOf(id);
      const isFree = number !== null && isTaken.get(number) === undefined;
      insertConfig.run(isFree ? number : null, namespaceId, group, dataId, md5, facts, checksum, content);
    }
    return this.#note('config', key);
  }

  #putVariant(variant: ConfigVariant): Revision {
    const { dataId, group, namespaceId, content, md5 } = variant;
    const facts = variantFactsOf(variant);
    const checksum = variantChecksum(variant, variant.variant, md5, facts);
    const text = variantText(variant.variant);
    this.#prepared().putVariant.run(namespaceId, group, dataId, text, md5, facts, checksum, content);
    return this.#note('variant', configChangeKey(variant));
  }

  #putHistory(past: ConfigHistory): void {
    const { findPast, samePast, insertPast } = this.#prepared();
    const same = [past.namespaceId, past.group, past.dataId, past.operation, past.md5, past.atMs] as const;
    let nid = numberOf(past.nid);
    if (nid !== null && findPast.get(nid) !== undefined) nid = null;
    // Under its own number it is new; under another's it may have come before.
    if (nid === null && samePast.get(...same) !== undefined) return;
    const { configId, appName, sourceIp, sourceUser, content } = past;
    const id = numberOf(configId) ?? 0;
    insertPast.run(
      ...[nid, id, past.namespaceId, past.group, past.dataId, past.operation, past.md5],
      ...[appName, sourceIp, sourceUser, past.atMs, content],
    );
    if (id > 0) this.#keepFree(id);
  }

  /** The id of a configuration that is gone must not be given to a new one, whose past this would seem to be. */
  #keepFree(id: number): void {
    const { raise, start } = this.#prepared();
    if (raise.run(id).changes === 0) start.run(id);
  }

  #prepared() {
    this.#statements ??= statementsOf(this.#database);
    return this.#statements;
  }
}

function statementsOf(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql);
  const columns = 'namespace_id, group_id, data_id, variant';
  return {
    findConfig: prepare('SELECT id FROM config WHERE namespace_id = ? AND group_id = ? AND data_id = ?'),
    isTaken: prepare('SELECT 1 FROM config WHERE id = ?'),
    insertConfig: prepare(
      `INSERT INTO config (id, namespace_id, group_id, data_id, md5, facts, checksum, content)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    updateConfig: prepare('UPDATE config SET md5 = ?, facts = ?, checksum = ?, content = ? WHERE id = ?'),
    putVariant: prepare(
      `INSERT INTO variant (${columns}, md5, facts, checksum, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (${columns}) DO UPDATE
       SET md5 = excluded.md5, facts = excluded.facts, checksum = excluded.checksum, content = excluded.content`,
    ),
    findPast: prepare('SELECT 1 FROM config_history WHERE nid = ?'),
    samePast: prepare(`SELECT 1 FROM config_history WHERE ${SAME_PAST} LIMIT 1`),
    insertPast: prepare(
      `INSERT INTO config_history (nid, config_id, namespace_id, group_id, data_id, operation, md5, app_name,
         source_ip, source_user, at_ms, content)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    raise: prepare(`UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'config'`),
    start: prepare(`INSERT INTO sqlite_sequence (name, seq) VALUES ('config', ?)`),
  };
}

function factsOf(config: Config): ConfigFacts {
  const { type, appName, description, use, effect, schema, tags, createdMs, modifiedMs, sourceIp, sourceUser } = config;
  return { type, appName, description, use, effect, schema, tags, createdMs, modifiedMs, sourceIp, sourceUser };
}

/** Null for what sqlite, read as numbers, cannot keep: it gets an id of its own. */
function numberOf(id: string): number | null {
  return isId(id) && Number.isSafeInteger(Number(id)) ? Number(id) : null;
}
