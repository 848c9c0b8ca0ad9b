import type { MysqlSession } from './mysql-session.ts';
import { StoreError } from './store.ts';

/** Of our own tables; they are ours alone, so an upgrade is ours too. */
const OWN_SCHEMA_VERSION = 1;

const TIMES = `
  gmt_create datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
  gmt_modified datetime NOT NULL DEFAULT CURRENT_TIMESTAMP`;
/** The 1.4 script says utf8, of which MySQL leaves out what lies beyond the BMP; a table made by it is taken as it is. */
const TABLE = 'ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin';

function capacityTable(name: 'group_id' | 'tenant_id'): string {
  const number = 'int(10) unsigned NOT NULL DEFAULT 0';
  return `(
    id bigint(20) unsigned NOT NULL AUTO_INCREMENT,
    ${name} varchar(128) NOT NULL DEFAULT '',
    quota ${number},
    \`usage\` ${number},
    max_size ${number},
    max_aggr_count ${number},
    max_aggr_size ${number},
    max_history_count ${number},
    ${TIMES},
    PRIMARY KEY (id),
    UNIQUE KEY uk_${name} (${name})
  ) ${TABLE}`;
}

/** The tables of Nacos 1.4 that are used here, to be read and written by Java nodes as well. */
const SHARED_TABLES: Readonly<Record<string, string>> = {
  config_info: `(
    id bigint(20) NOT NULL AUTO_INCREMENT,
    data_id varchar(255) NOT NULL,
    group_id varchar(255) DEFAULT NULL,
    content longtext NOT NULL,
    md5 varchar(32) DEFAULT NULL,
    ${TIMES},
    src_user text,
    src_ip varchar(50) DEFAULT NULL,
    app_name varchar(128) DEFAULT NULL,
    tenant_id varchar(128) DEFAULT '',
    c_desc varchar(256) DEFAULT NULL,
    c_use varchar(64) DEFAULT NULL,
    effect varchar(64) DEFAULT NULL,
    type varchar(64) DEFAULT NULL,
    c_schema text,
    PRIMARY KEY (id),
    UNIQUE KEY uk_configinfo_datagrouptenant (data_id, group_id, tenant_id)
  ) ${TABLE}`,
  config_tags_relation: `(
    id bigint(20) NOT NULL,
    tag_name varchar(128) NOT NULL,
    tag_type varchar(64) DEFAULT NULL,
    data_id varchar(255) NOT NULL,
    group_id varchar(128) NOT NULL,
    tenant_id varchar(128) DEFAULT '',
    nid bigint(20) NOT NULL AUTO_INCREMENT,
    PRIMARY KEY (nid),
    UNIQUE KEY uk_configtagrelation_configidtag (id, tag_name, tag_type),
    KEY idx_tenant_id (tenant_id)
  ) ${TABLE}`,
  his_config_info: `(
    id bigint(64) unsigned NOT NULL,
    nid bigint(20) unsigned NOT NULL AUTO_INCREMENT,
    data_id varchar(255) NOT NULL,
    group_id varchar(128) NOT NULL,
    app_name varchar(128) DEFAULT NULL,
    content longtext NOT NULL,
    md5 varchar(32) DEFAULT NULL,
    ${TIMES},
    src_user text,
    src_ip varchar(50) DEFAULT NULL,
    op_type char(10) DEFAULT NULL,
    tenant_id varchar(128) DEFAULT '',
    PRIMARY KEY (nid),
    KEY idx_gmt_create (gmt_create),
    KEY idx_gmt_modified (gmt_modified),
    KEY idx_did (data_id)
  ) ${TABLE}`,
  config_info_beta: `(
    id bigint(20) NOT NULL AUTO_INCREMENT,
    data_id varchar(255) NOT NULL,
    group_id varchar(128) NOT NULL,
    app_name varchar(128) DEFAULT NULL,
    content longtext NOT NULL,
    beta_ips varchar(1024) DEFAULT NULL,
    md5 varchar(32) DEFAULT NULL,
    ${TIMES},
    src_user text,
    src_ip varchar(50) DEFAULT NULL,
    tenant_id varchar(128) DEFAULT '',
    PRIMARY KEY (id),
    UNIQUE KEY uk_configinfobeta_datagrouptenant (data_id, group_id, tenant_id)
  ) ${TABLE}`,
  config_info_tag: `(
    id bigint(20) NOT NULL AUTO_INCREMENT,
    data_id varchar(255) NOT NULL,
    group_id varchar(128) NOT NULL,
    tenant_id varchar(128) DEFAULT '',
    tag_id varchar(128) NOT NULL,
    app_name varchar(128) DEFAULT NULL,
    content longtext NOT NULL,
    md5 varchar(32) DEFAULT NULL,
    ${TIMES},
    src_user text,
    src_ip varchar(50) DEFAULT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY uk_configinfotag_datagrouptenanttag (data_id, group_id, tenant_id, tag_id)
  ) ${TABLE}`,
  group_capacity: capacityTable('group_id'),
  tenant_capacity: capacityTable('tenant_id'),
  tenant_info: `(
    id bigint(20) NOT NULL AUTO_INCREMENT,
    kp varchar(128) NOT NULL,
    tenant_id varchar(128) DEFAULT '',
    tenant_name varchar(128) DEFAULT '',
    tenant_desc varchar(256) DEFAULT NULL,
    create_source varchar(32) DEFAULT NULL,
    gmt_create bigint(20) NOT NULL,
    gmt_modified bigint(20) NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY uk_tenant_info_kptenantid (kp, tenant_id),
    KEY idx_tenant_id (tenant_id)
  ) ${TABLE}`,
};

const OWN_TABLES: Readonly<Record<string, string>> = {
  // The feed. `mark` is what stood after the change, so that what others wrote since is noticed; `history_nid` the
  // history row of the same transaction; `late_of` the change that became visible too late and is told again.
  nk_change: `(
    id bigint unsigned NOT NULL AUTO_INCREMENT,
    created timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    kind varchar(16) CHARACTER SET ascii NOT NULL,
    removed tinyint NOT NULL,
    data_id varchar(255) NOT NULL DEFAULT '',
    group_id varchar(255) NOT NULL DEFAULT '',
    tenant_id varchar(128) NOT NULL DEFAULT '',
    record_key varbinary(700) NOT NULL DEFAULT '',
    mark varchar(100) NOT NULL DEFAULT '',
    history_nid bigint unsigned DEFAULT NULL,
    late_of bigint unsigned DEFAULT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY nk_change_late_of (late_of),
    KEY nk_change_created (created),
    KEY nk_change_history_nid (history_nid),
    KEY nk_change_config (data_id, group_id, tenant_id),
    KEY nk_change_record (kind, record_key(128))
  ) ${TABLE}`,
  nk_record: `(
    kind varchar(16) CHARACTER SET ascii NOT NULL,
    record_key varbinary(700) NOT NULL,
    value mediumtext NOT NULL,
    PRIMARY KEY (kind, record_key)
  ) ${TABLE}`,
  nk_meta: `(
    name varchar(32) CHARACTER SET ascii NOT NULL,
    value bigint NOT NULL,
    PRIMARY KEY (name)
  ) ${TABLE}`,
};

/** What is read of the shared tables; a database that lacks any of it is no 1.4 one. */
const NEEDED_COLUMNS: Readonly<Record<string, string>> = {
  config_info:
    'id, data_id, group_id, content, md5, gmt_create, gmt_modified, src_user, src_ip, app_name, tenant_id, c_desc, c_use, effect, type, c_schema',
  config_tags_relation: 'id, tag_name, tag_type, data_id, group_id, tenant_id, nid',
  his_config_info:
    'id, nid, data_id, group_id, app_name, content, md5, gmt_create, gmt_modified, src_user, src_ip, op_type, tenant_id',
  config_info_beta:
    'id, data_id, group_id, app_name, content, beta_ips, md5, gmt_create, gmt_modified, src_user, src_ip, tenant_id',
  config_info_tag:
    'id, data_id, group_id, tenant_id, tag_id, app_name, content, md5, gmt_create, gmt_modified, src_user, src_ip',
  group_capacity: 'group_id, quota, `usage`, max_size, max_aggr_count, max_aggr_size, gmt_create, gmt_modified',
  tenant_capacity: 'tenant_id, quota, `usage`, max_size, max_aggr_count, max_aggr_size, gmt_create, gmt_modified',
  tenant_info: 'kp, tenant_id, tenant_name, tenant_desc, create_source, gmt_create, gmt_modified',
};

/** Makes the tables that are missing; those that are there are left as they are. */
export async function makeSchema(session: MysqlSession, place: string): Promise<void> {
  const rows = await session.rows(
    'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()',
  );
  const present = new Set(rows.map((row) => String(row['name']).toLowerCase()));
  const missing = Object.entries({ ...SHARED_TABLES, ...OWN_TABLES }).filter(([name]) => !present.has(name));
  // A database that is refused stays as it is.
  for (const [table, columns] of Object.entries(NEEDED_COLUMNS)) {
    if (present.has(table)) await session.rows(`SELECT ${columns} FROM ${table} LIMIT 0`);
  }
  if (present.has('nk_meta')) await checkVersion(session, place);
  await makeTables(session, place, new Map(missing));
  if (await checkVersion(session, place)) return;
  await session.change(`INSERT IGNORE INTO nk_meta (name, value) VALUES ('schema', ?), ('forgotten', 0)`, [
    OWN_SCHEMA_VERSION,
  ]);
}

/** False when none is noted yet. */
async function checkVersion(session: MysqlSession, place: string): Promise<boolean> {
  const row = await session.row(`SELECT value FROM nk_meta WHERE name = 'schema'`);
  if (row === undefined) return false;
  if (Number(row['value']) === OWN_SCHEMA_VERSION) return true;
  const message = `${place}: the nk_* tables have version ${row['value']}, this program knows ${OWN_SCHEMA_VERSION}`;
  throw new StoreError('misconfigured', message);
}

/** What is to be told of tables that were made without the script of 1.4; undefined: nothing. */
export async function schemaWarning(session: MysqlSession): Promise<string | undefined> {
  const rows = await session.rows(
    `SELECT collation_name AS name FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'config_info' AND column_name IN ('data_id', 'group_id', 'tenant_id')
       AND collation_name IS NOT NULL AND collation_name NOT LIKE '%\\_bin'`,
  );
  if (rows[0] === undefined) return undefined;
  const collation = String(rows[0]['name']);
  const charset = collation.slice(0, collation.indexOf('_'));
  const mended = `ALTER TABLE config_info CONVERT TO CHARACTER SET ${charset} COLLATE ${charset}_bin`;
  return `by ${collation} names that differ in upper and lower case are the same, and those that come second are refused: ${mended}, and the other tables of Nacos alike`;
}

const ACCESS_DENIED = 1142;

async function makeTables(session: MysqlSession, place: string, missing: ReadonlyMap<string, string>): Promise<void> {
  const statements = [...missing].map(([name, definition]) => `CREATE TABLE IF NOT EXISTS ${name} ${definition}`);
  try {
    for (const statement of statements) await session.command(statement);
  } catch (cause) {
    if ((cause as { errno?: number }).errno !== ACCESS_DENIED) throw cause;
    const why = `the user may not create what is missing (${[...missing.keys()].join(', ')})`;
    const run = statements.map((statement) => `${statement.replaceAll(/\s+/g, ' ')};`).join(' ');
    throw new StoreError('misconfigured', `${place}: ${why}; let one who may run: ${run}`, { cause });
  }
}
