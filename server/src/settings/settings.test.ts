import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProperties, SettingsError, type SettingsSources } from '@nacos-kube/core/settings.ts';
import { settingOptions } from '@nacos-kube/core/settings-help.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { CAPACITY_DEFAULTS } from '../config/capacity.ts';
import { loadNodeSettings, type NodeSettings } from './settings.ts';
import { SERVER_SETTINGS } from './table.ts';

const KEY = 'k9YpT2vXq8Lw5ZrB1nHs7Dd4Gf6Jm3Ac';
const FILES: Readonly<Record<string, string>> = {
  '/secrets/key': `${KEY}\n`,
  '/secrets/two': `${KEY}\r\n${KEY.toLowerCase()}\r\n`,
  '/secrets/short': 'short\n',
  '/secrets/known': 'nacos-changeme-0123456789abcdefghij\n',
  '/secrets/empty': '\n',
  '/secrets/user': 'nacos\n',
  '/secrets/password': 'p4ss word\n',
};
type Said = Partial<Record<'flags' | 'env', Record<string, string>>> & { readonly properties?: string };

function load({ flags = {}, env = {}, properties = '' }: Said, found?: readonly string[]): Promise<NodeSettings> {
  const host = new FakeHost();
  for (const [path, content] of Object.entries(FILES)) host.disk.files.set(path, content);
  const sources: SettingsSources = { flags, env, properties: parseProperties(properties) };
  return loadNodeSettings(host, sources, found);
}

async function problemsOf(said: Said, found?: readonly string[]): Promise<readonly string[]> {
  try {
    await load(said, found);
  } catch (error) {
    assert.ok(error instanceof SettingsError, String(error));
    return error.problems;
  }
  return [];
}

test('a node that is told nothing is one on its own, on its first address', async () => {
  assert.deepEqual(await load({}), {
    mode: 'standalone',
    port: 8848,
    listen: '0.0.0.0',
    data: 'data',
    contextPath: '/nacos',
    member: '127.0.0.1:8848',
    memberList: { kind: 'standalone' },
    clusterKeys: [],
    sidecarTokenFile: undefined,
    storage: { kind: 'sqlite', path: 'data/store.sqlite' },
    trustedProxies: [],
    capacity: CAPACITY_DEFAULTS,
  });
  assert.ok(Object.isFrozen(await load({})));
});

test('properties win over defaults, the environment over them, flags over all; what is blank says nothing', async () => {
  const port = async (said: Said) => (await load(said)).port;
  const properties = 'server.port = 8001\n# server.port=1\n';
  assert.equal(await port({ properties }), 8001);
  assert.equal(await port({ properties, env: { NACOS_APPLICATION_PORT: '8002' } }), 8002);
  assert.equal(await port({ properties, env: { NACOS_APPLICATION_PORT: '' } }), 8001);
  assert.equal(await port({ properties, env: { NACOS_APPLICATION_PORT: '8002' }, flags: { port: '8003' } }), 8003);
});

test('the names of the official image are understood', async () => {
  const env = {
    MODE: 'cluster',
    NACOS_SERVERS: 'nacos-0.nacos:8848 nacos-1.nacos,nacos-2.nacos:8848',
    NACOS_SERVER_IP: '10.0.0.7',
    SPRING_DATASOURCE_PLATFORM: 'mysql',
    MYSQL_SERVICE_HOST: 'db',
    MYSQL_SERVICE_DB_NAME: 'nacos',
    MYSQL_SERVICE_USER: 'nacos',
    MYSQL_SERVICE_PASSWORD: 'secret',
    SERVER_SERVLET_CONTEXTPATH: '/',
    NACOS_AUTH_ENABLE: 'false',
    NACOS_KUBE_CLUSTER_KEY_FILE: '/secrets/key',
  };
  const settings = await load({ env });
  assert.equal(settings.member, '10.0.0.7:8848');
  const members = ['nacos-0.nacos:8848', 'nacos-1.nacos:8848', 'nacos-2.nacos:8848'];
  assert.deepEqual(settings.memberList, { kind: 'given', members });
  assert.deepEqual([settings.contextPath, settings.clusterKeys], ['', [KEY]]);
  const storage = { kind: 'mysql', host: 'db', port: 3306, database: 'nacos', user: 'nacos', password: 'secret' };
  assert.deepEqual(settings.storage, storage);
});

test('a database is found by the URL of application.properties, and reached as its parameters say', async () => {
  const login = 'spring.datasource.platform=mysql\ndb.user.0=nacos\ndb.password.0=secret\n';
  const properties = `${login}db.url.0=jdbc:mysql://db:3307/nacos_1?characterEncoding=utf8&useSSL=true&serverTimezone=Asia/Shanghai\n`;
  const parameters = 'characterEncoding=utf8&useSSL=true&serverTimezone=Asia/Shanghai';
  const expected = { kind: 'mysql', host: 'db', port: 3307, database: 'nacos_1', user: 'nacos', password: 'secret' };
  assert.deepEqual((await load({ properties })).storage, { ...expected, parameters });
  const env = { MYSQL_SERVICE_HOST: 'other', MYSQL_SERVICE_PORT: '1', MYSQL_SERVICE_DB_PARAM: 'useSSL=false' };
  const other = { ...expected, host: 'other', port: 1, parameters: 'useSSL=false' };
  assert.deepEqual((await load({ properties, env })).storage, other);

  // As in the file of the official image, with its own names in the place of values.
  const template = `${login}db.url.0=jdbc:mysql://\${MYSQL_SERVICE_HOST}:\${MYSQL_SERVICE_PORT:3306}/x?\${MYSQL_SERVICE_DB_PARAM:}\n`;
  const { storage } = await load({ properties: template, env: { ...env, MYSQL_SERVICE_DB_NAME: 'nacos_1' } });
  assert.deepEqual(storage, other);

  for (const url of ['jdbc:postgresql://db/x?password=secret', 'jdbc:mysql://a,b/x', 'jdbc:mysql://db']) {
    const problems = await problemsOf({ properties: `${login}db.url.0=${url}\n` });
    assert.deepEqual(problems, [
      'db.url.0: must be jdbc:mysql://HOST:PORT/DATABASE?PARAMETERS, with one host and without user',
    ]);
  }
  const problems = await problemsOf({ properties, env: { MYSQL_SERVICE_DB_PARAM: 'serverTimezone=half past' } });
  assert.match(problems.join(), /^MYSQL_SERVICE_DB_PARAM .*serverTimezone "half past" is no time zone$/);
});

test('a database that is named and not used is asked about, unless the kind was said', async () => {
  const cases: Readonly<Record<string, Said>> = {
    '--etcd-endpoints names one, say --storage etcd': { flags: { etcdEndpoints: 'http://a:2379' } },
    '--redis-addresses names one, say --storage redis': { env: { NACOS_KUBE_REDIS_ADDRESSES: 'a:6379' } },
    '--mysql-host names one, say --storage mysql': {
      env: { MYSQL_SERVICE_HOST: 'db', MYSQL_SERVICE_DB_NAME: 'nacos' },
    },
    '--mysql-url names one, say --storage mysql': { properties: 'db.url.0=jdbc:mysql://db/nacos' },
  };
  for (const [why, said] of Object.entries(cases)) {
    assert.deepEqual(await problemsOf(said), [`--storage: ${why} to use it, or --storage sqlite`]);
    const flags = { ...said.flags, storage: 'sqlite' };
    assert.deepEqual((await load({ ...said, flags })).storage, { kind: 'sqlite', path: 'data/store.sqlite' });
  }
  const ofKubernetes = { MYSQL_SERVICE_HOST: '10.96.0.7', MYSQL_SERVICE_PORT: '3306' };
  assert.equal(
    (await load({ env: ofKubernetes })).storage.kind,
    'sqlite',
    'a Service of this name is nobody saying so',
  );
});

test('what configurations may take is said by the names of the reference too', async () => {
  const properties = 'isCapacityLimitCheck=true\ndefaultGroupQuota=7\ndefaultTenantQuota=8\ndefaultMaxSize=9\n';
  const { capacity } = await load({ properties, env: { NACOS_KUBE_CLUSTER_QUOTA: '6' } });
  const said = { isEnforced: true, clusterQuota: 6, groupQuota: 7, namespaceQuota: 8, maxSize: 9 };
  assert.deepEqual(capacity, { ...CAPACITY_DEFAULTS, ...said });
});

test('a member list file wins over given members, and lies below the data unless it is named', async () => {
  const flags = { mode: 'cluster', clusterKeyFile: '/secrets/key', data: '/d' };
  assert.deepEqual((await load({ flags })).memberList, { kind: 'file', path: '/d/conf/cluster.conf' });
  const both = { ...flags, memberList: '/list', servers: 'a:1848' };
  assert.deepEqual((await load({ flags: both })).memberList, { kind: 'file', path: '/list' });
});

test('an address of version 6 becomes a member with brackets', async () => {
  assert.equal((await load({ flags: { listen: '::1' } })).member, '[::1]:8848');
  assert.equal((await load({ flags: { serverIp: 'fd00::7', port: '8850' } })).member, '[fd00::7]:8850');
});

test('secrets come from files, without the line ends of editors', async () => {
  const flags = {
    ...{ storage: 'mysql', mysqlHost: 'db', mysqlDatabase: 'nacos' },
    ...{ mysqlUserFile: '/secrets/user', mysqlPasswordFile: '/secrets/password', clusterKeyFile: '/secrets/two' },
  };
  const { storage, clusterKeys } = await load({ flags });
  assert.deepEqual(storage.kind === 'mysql' && [storage.user, storage.password], ['nacos', 'p4ss word']);
  assert.deepEqual(clusterKeys, [KEY, KEY.toLowerCase()]);
});

test('every problem is reported at once, and none twice', async () => {
  const flags = {
    ...{ mode: 'cluster', port: '80', listen: 'localhost', data: '', member: 'a b', servers: 'ok:8848 no:port' },
    ...{ contextPath: 'nacos', storage: 'mysql', mysqlHost: '', mysqlPort: '0', mysqlPasswordFile: '/secrets/none' },
    ...{ trustedProxies: '10.0.0.1,proxy', auth: 'on', logLevel: 'loud' },
  };
  const problems = await problemsOf({ flags }, ['--properties "x": gone']);
  const about = problems.map((problem) => /^--[a-z-]+/.exec(problem)?.[0]);
  const expected = [
    ...['--properties', '--port', '--listen', '--data', '--context-path', '--member', '--servers', '--mysql-host'],
    ...['--mysql-port', '--trusted-proxies', '--auth', '--log-level', '--cluster-key-file'],
    ...['--mysql-password-file', '--mysql-database', '--mysql-user'],
  ];
  assert.deepEqual(about.toSorted(), expected.toSorted());
});

test('a secret is never shown, and a weak one refused', async () => {
  const keyProblem = async (clusterKeyFile: string) => {
    const [problem = '', ...more] = await problemsOf({ flags: { mode: 'cluster', clusterKeyFile } });
    assert.deepEqual(more, []);
    return problem;
  };
  assert.match(await keyProblem('/secrets/short'), /at least 32 characters/);
  assert.match(await keyProblem('/secrets/known'), /everybody knows/);
  assert.match(await keyProblem('/secrets/empty'), /it is empty/);
  assert.match(await keyProblem('/secrets/none'), /missing/);
  assert.match((await problemsOf({ flags: { mode: 'cluster' } })).join(), /make one with/);
  const mysql = { storage: 'mysql', mysqlHost: 'db', mysqlDatabase: 'd', mysqlUser: 'u' };
  assert.deepEqual(await problemsOf({ flags: { ...mysql, mysqlPassword: '' } }), [
    '--mysql-password: must not be empty',
  ]);
  const empty = { ...mysql, mysqlPasswordFile: '/secrets/empty' };
  assert.deepEqual(await problemsOf({ flags: empty }), ['--mysql-password-file: it is empty']);
});

test('the help documents every setting, with its default and its other names', () => {
  const options = settingOptions(SERVER_SETTINGS);
  assert.equal(options.length, Object.keys(SERVER_SETTINGS).length);
  const flags = new Set<string>();
  for (const [index, setting] of Object.values(SERVER_SETTINGS).entries()) {
    const { flags: flag, description } = options[index]!;
    assert.equal(flag, `--${setting.flag} <${setting.value}>`);
    assert.ok(!flags.has(flag), `${flag} twice`);
    flags.add(flag);
    assert.ok(setting.help.length > 10, flag);
    for (const name of [...setting.env, ...('properties' in setting ? setting.properties : [])]) {
      assert.ok(description.includes(name), `${flag} without ${name}`);
    }
    if ('default' in setting && setting.default !== '') assert.ok(description.includes(`default ${setting.default}`));
  }
});

test('every default is one that is allowed', () => {
  for (const setting of Object.values(SERVER_SETTINGS)) if ('default' in setting) setting.parse(setting.default);
});

test('the access log is off, on under the data directory, or wherever it is said to be', async () => {
  const logOf = async (env: Readonly<Record<string, string>>) => (await load({ env })).accessLog;
  assert.equal(await logOf({}), undefined);
  assert.equal(await logOf({ TOMCAT_ACCESSLOG_ENABLED: 'false' }), undefined);
  assert.equal(await logOf({ TOMCAT_ACCESSLOG_ENABLED: 'true', NACOS_KUBE_DATA: '/d' }), '/d/logs/access.log');
  assert.equal(await logOf({ TOMCAT_ACCESSLOG_ENABLED: 'true', NACOS_KUBE_ACCESS_LOG: '-' }), '-');
  assert.equal(await logOf({ NACOS_KUBE_ACCESS_LOG: '/var/log/a.log' }), '/var/log/a.log');
});
