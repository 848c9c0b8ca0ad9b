import type { Mariadb } from './mariadb.ts';

const TIMES = `gmt_create datetime NOT NULL DEFAULT CURRENT_TIMESTAMP, gmt_modified datetime NOT NULL DEFAULT CURRENT_TIMESTAMP`;
const TABLE = 'ENGINE=InnoDB DEFAULT CHARSET=utf8 COLLATE=utf8_bin';
const CAPACITY = ['quota', '`usage`', 'max_size', 'max_aggr_count', 'max_aggr_size', 'max_history_count']
  .map((name) => `${name} int(10) unsigned NOT NULL DEFAULT 0`)
  .join(', ');

/** As the script of Nacos 1.4 makes them, in its old utf8. */
export const NACOS_TABLES: Readonly<Record<string, string>> = {
  config_info: `id bigint(20) NOT NULL AUTO_INCREMENT, data_id varchar(255) NOT NULL, group_id varchar(255), content longtext NOT NULL,
    md5 varchar(32), ${TIMES}, src_user text, src_ip varchar(50), app_name varchar(128), tenant_id varchar(128) DEFAULT '',
    c_desc varchar(256), c_use varchar(64), effect varchar(64), type varchar(64), c_schema text, PRIMARY KEY (id),
    UNIQUE KEY uk_configinfo_datagrouptenant (data_id, group_id, tenant_id)`,
  config_info_aggr: `id bigint(20) NOT NULL AUTO_INCREMENT, data_id varchar(255) NOT NULL, group_id varchar(255) NOT NULL,
    datum_id varchar(255) NOT NULL, content longtext NOT NULL, gmt_modified datetime NOT NULL, app_name varchar(128),
    tenant_id varchar(128) DEFAULT '', PRIMARY KEY (id),
    UNIQUE KEY uk_configinfoaggr_datagrouptenantdatum (data_id(100), group_id(50), tenant_id(50), datum_id(50))`,
  config_info_beta: `id bigint(20) NOT NULL AUTO_INCREMENT, data_id varchar(255) NOT NULL, group_id varchar(128) NOT NULL,
    app_name varchar(128), content longtext NOT NULL, beta_ips varchar(1024), md5 varchar(32), ${TIMES}, src_user text,
    src_ip varchar(50), tenant_id varchar(128) DEFAULT '', PRIMARY KEY (id),
    UNIQUE KEY uk_configinfobeta_datagrouptenant (data_id, group_id, tenant_id)`,
  config_info_tag: `id bigint(20) NOT NULL AUTO_INCREMENT, data_id varchar(255) NOT NULL, group_id varchar(128) NOT NULL,
    tenant_id varchar(128) DEFAULT '', tag_id varchar(128) NOT NULL, app_name varchar(128), content longtext NOT NULL,
    md5 varchar(32), ${TIMES}, src_user text, src_ip varchar(50), PRIMARY KEY (id),
    UNIQUE KEY uk_configinfotag_datagrouptenanttag (data_id, group_id, tenant_id, tag_id)`,
  config_tags_relation: `id bigint(20) NOT NULL, tag_name varchar(128) NOT NULL, tag_type varchar(64), data_id varchar(255) NOT NULL,
    group_id varchar(128) NOT NULL, tenant_id varchar(128) DEFAULT '', nid bigint(20) NOT NULL AUTO_INCREMENT,
    PRIMARY KEY (nid), UNIQUE KEY uk_configtagrelation_configidtag (id, tag_name, tag_type), KEY idx_tenant_id (tenant_id)`,
  his_config_info: `id bigint(64) unsigned NOT NULL, nid bigint(20) unsigned NOT NULL AUTO_INCREMENT, data_id varchar(255) NOT NULL,
    group_id varchar(128) NOT NULL, app_name varchar(128), content longtext NOT NULL, md5 varchar(32), ${TIMES}, src_user text,
    src_ip varchar(50), op_type char(10), tenant_id varchar(128) DEFAULT '', PRIMARY KEY (nid),
    KEY idx_gmt_create (gmt_create), KEY idx_gmt_modified (gmt_modified), KEY idx_did (data_id)`,
  group_capacity: `id bigint(20) unsigned NOT NULL AUTO_INCREMENT, group_id varchar(128) NOT NULL DEFAULT '', ${CAPACITY}, ${TIMES},
    PRIMARY KEY (id), UNIQUE KEY uk_group_id (group_id)`,
  tenant_capacity: `id bigint(20) unsigned NOT NULL AUTO_INCREMENT, tenant_id varchar(128) NOT NULL DEFAULT '', ${CAPACITY}, ${TIMES},
    PRIMARY KEY (id), UNIQUE KEY uk_tenant_id (tenant_id)`,
  tenant_info: `id bigint(20) NOT NULL AUTO_INCREMENT, kp varchar(128) NOT NULL, tenant_id varchar(128) DEFAULT '',
    tenant_name varchar(128) DEFAULT '', tenant_desc varchar(256), create_source varchar(32), gmt_create bigint(20) NOT NULL,
    gmt_modified bigint(20) NOT NULL, PRIMARY KEY (id), UNIQUE KEY uk_tenant_info_kptenantid (kp, tenant_id),
    KEY idx_tenant_id (tenant_id)`,
  users: 'username varchar(50) NOT NULL PRIMARY KEY, password varchar(500) NOT NULL, enabled boolean NOT NULL',
  roles: 'username varchar(50) NOT NULL, role varchar(50) NOT NULL, UNIQUE INDEX idx_user_role (username, role)',
  permissions: `role varchar(50) NOT NULL, resource varchar(255) NOT NULL, action varchar(8) NOT NULL,
    UNIQUE INDEX uk_role_permission (role, resource, action)`,
};

export interface NacosConfig {
  readonly dataId: string;
  readonly group: string;
  readonly tenant: string;
  readonly content: string;
}

const THEN = '2023-05-06 07:08:09';
/** Of past writes, which are forgotten after 30 days. */
const LATELY = 'NOW() - INTERVAL 1 DAY';
export const TENANT = '4c2a1f5e-0000-4000-8000-00000000beef';
const CONFIGS: readonly (NacosConfig & { readonly type: string | null; readonly appName: string | null })[] = [
  {
    dataId: 'shop.yaml',
    group: 'DEFAULT_GROUP',
    tenant: '',
    content: 'a: 1\nb: ä漢字\n',
    type: 'yaml',
    appName: 'shop',
  },
  { dataId: 'shop.yaml', group: 'OTHER', tenant: TENANT, content: 'a: 2', type: 'yaml', appName: '' },
  { dataId: 'old.properties', group: 'DEFAULT_GROUP', tenant: '', content: 'k=v\r\n', type: null, appName: null },
  {
    dataId: 'large.json',
    group: 'DEFAULT_GROUP',
    tenant: TENANT,
    content: `{"x":"${'y'.repeat(300_000)}"}`,
    type: 'json',
    appName: null,
  },
];

/** Tables and rows as years of Nacos 1.4 leave them, `more` plain ones among them. Resolves with what clients read. */
export async function makeNacosDatabase(server: Mariadb, more = 0): Promise<readonly NacosConfig[]> {
  for (const [name, columns] of Object.entries(NACOS_TABLES))
    await server.query(`CREATE TABLE ${name} (${columns}) ${TABLE}`);
  for (const { dataId, group, tenant, content, type, appName } of CONFIGS) {
    const key = [dataId, group, tenant].map(quoted).join(', ');
    await server.query(
      `INSERT INTO config_info (data_id, group_id, tenant_id, content, md5, gmt_create, gmt_modified, src_user, src_ip,
         app_name, c_desc, c_use, effect, type, c_schema)
       VALUES (${key}, ${quoted(content)}, MD5(${quoted(content)}), '${THEN}', '${THEN}', NULL, '10.1.2.3',
         ${quoted(appName)}, ${type === null ? 'NULL' : "'what it is'"}, NULL, NULL, ${quoted(type)}, NULL);
       INSERT INTO his_config_info (id, data_id, group_id, tenant_id, app_name, content, md5, gmt_create, gmt_modified,
         src_user, src_ip, op_type)
       VALUES (0, ${key}, ${quoted(appName)}, 'first', MD5('first'), '2010-05-05 00:00:00', ${LATELY}, NULL, '10.1.2.3', 'I'),
         (LAST_INSERT_ID(), ${key}, ${quoted(appName)}, 'first', MD5('first'), '2010-05-05 00:00:00', ${LATELY}, NULL,
          '10.1.2.3', 'U')`,
    );
  }
  await server.query(
    `INSERT INTO config_tags_relation (id, tag_name, tag_type, data_id, group_id, tenant_id)
       SELECT id, 'blue', NULL, data_id, group_id, tenant_id FROM config_info WHERE data_id = 'shop.yaml';
     INSERT INTO config_info_beta (data_id, group_id, app_name, content, beta_ips, md5, src_ip, gmt_create, gmt_modified)
       VALUES ('shop.yaml', 'DEFAULT_GROUP', 'shop', 'a: beta', '10.9.9.9,10.9.9.8', MD5('a: beta'), '10.1.2.3', '${THEN}', '${THEN}');
     INSERT INTO config_info_tag (data_id, group_id, tag_id, app_name, content, md5, src_ip, gmt_create, gmt_modified)
       VALUES ('shop.yaml', 'DEFAULT_GROUP', 'green', '', 'a: green', MD5('a: green'), '10.1.2.3', '${THEN}', '${THEN}');
     INSERT INTO his_config_info (id, data_id, group_id, app_name, content, md5, src_ip, op_type, gmt_create, gmt_modified)
       VALUES (9999, 'gone', 'DEFAULT_GROUP', '', 'was here', MD5('was here'), '10.1.2.3', 'D', '2010-05-05 00:00:00', ${LATELY});
     INSERT INTO tenant_info (kp, tenant_id, tenant_name, tenant_desc, create_source, gmt_create, gmt_modified)
       VALUES ('1', '${TENANT}', 'Prüfung', 'of tests', 'nacos', 1600000000000, 1600000000000);
     INSERT INTO tenant_capacity (tenant_id, quota, \`usage\`, max_size) VALUES ('${TENANT}', 500, 2, 400000);
     INSERT INTO group_capacity (group_id, quota, \`usage\`) VALUES ('', 0, 4), ('OTHER', 100, 1);
     INSERT INTO users VALUES ('nacos', 'x', TRUE); INSERT INTO roles VALUES ('nacos', 'ROLE_ADMIN')`,
  );
  const plain = Array.from({ length: more }, (_, i) => {
    return { dataId: `plain.${i}`, group: 'MANY', tenant: '', content: `content ${i}` };
  });
  for (let i = 0; i < plain.length; i += 500) {
    const rows = plain.slice(i, i + 500).map(({ dataId, group, content }) => {
      return `('${dataId}', '${group}', '${content}', MD5('${content}'), 'text', '10.1.2.3')`;
    });
    await server.query(`INSERT INTO config_info (data_id, group_id, content, md5, type, src_ip) VALUES ${rows.join()}`);
  }
  return [...CONFIGS, ...plain];
}

/** All rows of its tables, to see whether anything touched them. */
export async function nacosRows(server: Mariadb): Promise<Readonly<Record<string, readonly unknown[]>>> {
  const tables: Record<string, readonly unknown[]> = {};
  for (const name of Object.keys(NACOS_TABLES))
    tables[name] = await server.query(`SELECT * FROM ${name} ORDER BY 1, 2`);
  return tables;
}

function quoted(text: string | null): string {
  if (text === null) return 'NULL';
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
