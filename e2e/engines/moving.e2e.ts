/**
 * A database of Nacos 1.4 is served as it is, and moved to each engine with every content equal; and a node that starts
 * without its database serves what it has on its own disk.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createNodeHost } from '@nacos-kube/core/host/node/node-host.ts';
import { parseStoreUrl } from '@nacos-kube/server/store/move/store-url.ts';
import { openStore } from '@nacos-kube/server/store/open.ts';
import type { Store } from '@nacos-kube/server/store/store.ts';
import { until } from '../kubernetes/processes.ts';
import { type LocalNode, startNode } from '../processes/node.ts';
import { NacosKubeProcess } from '../processes/program.ts';
import { etcdMissing, startEtcd } from './etcd.ts';
import { type Mariadb, mariadbMissing, startMariadb } from './mariadb.ts';
import { makeNacosDatabase, type NacosConfig, nacosRows, TENANT } from './nacos-database.ts';
import { redisMissing, startRedis } from './redis.ts';

/** More than fit on a few pages, so that a copy can be stopped between two. */
const MORE = Number(process.env.MOVED_CONFIGS ?? 800);
const UP_MS_MAX = 60_000;
const skip = (await mariadbMissing()) ?? false;
const withoutEtcd = (await etcdMissing()) ?? false;
const withoutRedis = (await redisMissing()) ?? false;
const host = createNodeHost({ name: 'moving', logLevel: 'error', logFormat: 'text' });

const COPIES_KILLED_MAX = 10;

describe('a database of Nacos 1.4', { skip }, () => {
  let server: Mariadb;
  let configs: readonly NacosConfig[];
  let folder: string;
  let from: string;
  before(async () => {
    server = await startMariadb();
    configs = await makeNacosDatabase(server, MORE);
    folder = await mkdtemp(join(tmpdir(), 'nacos-kube-moving-'));
    from = `mysql://${server.user}@${server.address}:${server.port}/${server.database}`;
  });
  after(async () => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test('is served as it is, and left as it is', async () => {
    const rows = await nacosRows(server);
    await using node = await startNode({ args: mysqlFlags(server) });
    await requireServed(node, configs.slice(0, 50));
    const asked = `${await get(node, '/v1/cs/configs?dataId=shop.yaml&group=DEFAULT_GROUP', { 'Client-IP': '10.9.9.9' })}`;
    assert.ok(['a: beta', configs[0]!.content].includes(asked));
    const past = JSON.parse(
      await get(node, '/v1/cs/history?search=accurate&dataId=gone&group=DEFAULT_GROUP&pageNo=1&pageSize=9'),
    );
    assert.equal(past.totalCount, 1);
    const { data } = JSON.parse(await get(node, '/v1/console/namespaces'));
    const named = (data as { namespace: string; namespaceShowName: string }[]).find((one) => one.namespace === TENANT);
    assert.equal(named?.namespaceShowName, 'Prüfung');
    await node.stop();
    assert.deepEqual(await nacosRows(server), rows);
  });

  test('is copied to sqlite, killed in between and gone on with, and served from there', async () => {
    const file = join(folder, 'copied.sqlite');
    const state = join(folder, 'state.json');
    const copying = ['copy', '--from', from, '--to', `sqlite:${file}`, '--state', state];
    // On a quick machine all of it takes a moment: one that had ended before it was killed is tried again.
    const stateText = () => readFile(state, 'utf8').catch(() => '');
    for (let left = COPIES_KILLED_MAX; left > 0 && (await stateText()) === ''; left -= 1) {
      for (const end of ['', '-wal', '-shm']) await rm(`${file}${end}`, { force: true });
      const killed = new NacosKubeProcess(['store', ...copying], { NACOS_KUBE_FROM_PASSWORD: server.password });
      const hasBegun = async () => (await stateText()).includes('"cursor":"') || killed.ended !== undefined;
      await until('its first page is there', hasBegun, { everyMs: 1 });
      await killed.kill9();
    }
    assert.match(await run(...copying), /going on where .*has all \d+ rows/s);
    await requireMoved(`sqlite:${file}`);
    await using node = await startNode({ args: ['--storage', 'sqlite', '--sqlite-file', file] });
    await requireServed(node, configs.slice(0, 50));
    await node.stop();
    const backup = join(folder, 'whole.backup');
    assert.match(await run('backup', '--from', from, backup), /whole\.backup: \d+ rows of mysql/);
    assert.match(await run('restore', backup, '--to', `sqlite:${join(folder, 'restored.sqlite')}`), /has all \d+ rows/);
    await requireMoved(`sqlite:${join(folder, 'restored.sqlite')}`);
    // A write that SIGKILL cut off leaves its temporary file.
    const isLeft = (name: string) => /state|part|snapshot/.test(name) && !name.endsWith('.tmp');
    assert.deepEqual((await readdir(folder)).filter(isLeft), []);
  });

  test('is copied to etcd', { skip: withoutEtcd }, async () => {
    const etcd = await startEtcd();
    try {
      const to = `etcd://${etcd.endpoints.map((endpoint) => endpoint.replace('http://', '')).join()}/moved/`;
      assert.match(await run('copy', '--from', from, '--to', to), /has all \d+ rows/);
      await requireMoved(to);
      assert.match(
        await run('copy', '--from', to, '--to', `sqlite:${join(folder, 'back.sqlite')}`),
        /has all \d+ rows/,
      );
      await requireMoved(`sqlite:${join(folder, 'back.sqlite')}`);
    } finally {
      await etcd.stop();
    }
  });

  test('is copied to Redis', { skip: withoutRedis }, async () => {
    const redis = await startRedis();
    try {
      assert.match(await run('copy', '--from', from, '--to', `redis://${redis.place}/0`), /has all \d+ rows/);
      await requireMoved(`redis://${redis.place}/0`);
    } finally {
      await redis.stop();
    }
  });

  test('may be gone when a node starts: configurations, persistent instances and the rest are served and said to be old', async () => {
    await using node = await startNode({ args: mysqlFlags(server) });
    await ask(node, 'POST', '/v1/ns/service?serviceName=stored&protectThreshold=0.5');
    await ask(node, 'POST', '/v1/ns/instance?serviceName=stored&ip=10.0.0.1&port=80&ephemeral=false');
    await until('it is on the disk', async () => (await onDisk(node, 'records/instance')).includes('10.0.0.1'));
    await until('so are services', async () => (await onDisk(node, 'records/service')).includes('0.5'));
    await until('so are the configurations', async () => (await onDisk(node, 'config/whole')) !== '');
    await server.kill();
    try {
      await node.kill9();
      await node.start();
      await requireServed(node, configs.slice(0, 4));
      assert.match(await get(node, '/v1/ns/instance/list?serviceName=stored'), /10\.0\.0\.1/);
      assert.match(await get(node, '/v1/ns/service?serviceName=stored'), /"protectThreshold":0\.5/);
      assert.match(await get(node, '/v1/console/namespaces'), new RegExp(TENANT));
      assert.match(await get(node, '/v1/console/server/state'), /"stale":"serving this node's last copy/);
    } finally {
      await server.start();
    }
    await until('it follows again', async () => !(await get(node, '/v1/console/server/state')).includes('stale'));
    await until('it writes again', async () => {
      return (await ask(node, 'DELETE', '/v1/ns/instance?serviceName=stored&ip=10.0.0.1&port=80&ephemeral=false')).ok;
    });
    assert.doesNotMatch(await get(node, '/v1/ns/instance/list?serviceName=stored'), /10\.0\.0\.1/);
  });

  /** With the password where no list of processes shows it. */
  async function run(...args: readonly string[]): Promise<string> {
    const program = new NacosKubeProcess(['store', ...args], { NACOS_KUBE_FROM_PASSWORD: server.password });
    await until(`${args[0]} has ended`, async () => program.ended !== undefined, { timeoutMs: 4 * UP_MS_MAX });
    assert.equal(program.ended, 'code 0', program.log);
    assert.ok(!program.log.includes(server.password));
    return program.log;
  }

  /** Every content by the md5 that the database computes of its own, and all that goes with it. */
  async function requireMoved(url: string): Promise<void> {
    const store = await openStore(host, parseStoreUrl(url).settings);
    await store.start();
    try {
      const rows = await server.query('SELECT data_id, group_id, tenant_id, MD5(content) AS md5 FROM config_info');
      assert.equal(rows.length, configs.length);
      for (const row of rows) {
        const { data_id: dataId, group_id: group, tenant_id: namespaceId, md5 } = row as unknown as MysqlKey;
        const found = await store.getConfig({ dataId, group, namespaceId });
        assert.equal(found && md5Of(found.content), md5, dataId);
      }
      await requireFacts(store);
    } finally {
      await store.stop();
    }
  }
});

interface MysqlKey {
  readonly data_id: string;
  readonly group_id: string;
  readonly tenant_id: string;
  readonly md5: string;
}

async function requireFacts(store: Store): Promise<void> {
  const key = { dataId: 'shop.yaml', group: 'DEFAULT_GROUP', namespaceId: '' };
  const { appName, tags, type, description, sourceIp, modifiedMs } = (await store.getConfig(key))!;
  assert.deepEqual([appName, tags, type, description, sourceIp], ['shop', ['blue'], 'yaml', 'what it is', '10.1.2.3']);
  assert.equal(modifiedMs, Date.parse('2023-05-06T07:08:09Z'));
  const variants = (await store.getVariants(key)).map(({ content, betaIps }) => `${content} ${betaIps}`).sort();
  assert.deepEqual(variants, ['a: beta 10.9.9.9,10.9.9.8', 'a: green ']);
  assert.equal((await store.searchHistory(key, 0, 10)).total, 2);
  assert.equal((await store.previousHistory('9999'))?.content, 'was here');
  const namespace = JSON.parse((await store.getRecord('namespace', TENANT))!.value) as { name: string };
  assert.equal(namespace.name, 'Prüfung');
  const limits = JSON.parse((await store.getRecord('capacity', `tenant:${TENANT}`))!.value) as { quota: number };
  assert.equal(limits.quota, 500);
}

async function requireServed(node: LocalNode, configs: readonly NacosConfig[]): Promise<void> {
  for (const { dataId, group, tenant, content } of configs) {
    const query = new URLSearchParams({ dataId, group, tenant });
    const answer = await fetch(node.url(`/v1/cs/configs?${query}`));
    assert.equal(await answer.text(), content, dataId);
    assert.equal(answer.headers.get('content-md5'), md5Of(content), dataId);
  }
}

function mysqlFlags({ address, port, database, user, password }: Mariadb): readonly string[] {
  return [
    ...['--storage', 'mysql', '--mysql-host', address, '--mysql-port', `${port}`, '--mysql-database', database],
    ...['--mysql-user', user, '--mysql-password', password],
  ];
}

async function get(node: LocalNode, path: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  return (await fetch(node.url(path), { headers })).text();
}

function ask(node: LocalNode, method: string, path: string): Promise<Response> {
  return fetch(node.url(path), { method });
}

function onDisk(node: LocalNode, file: string): Promise<string> {
  return readFile(join(node.data, file), 'utf8').catch(() => '');
}

function md5Of(text: string): string {
  return createHash('md5').update(text).digest('hex');
}
