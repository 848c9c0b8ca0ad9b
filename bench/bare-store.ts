/**
 * The ceiling of publishes on an engine: the statements, the transaction or the script of one, asked for by a client that
 * does nothing else, from one process. `node bench/bare-store.ts`: JSON on stdin and stdout. What a node has made there
 * is written over, so the data are of no use afterwards.
 */
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { createNodeHost } from '@nacos-kube/core/host/node/node-host.ts';
import { Redis } from 'ioredis';
import { createConnection } from 'mysql2/promise';
import { EtcdClient } from '../server/src/store/etcd/client.ts';
import { contentOf, TEXTS, upTo } from './rows.ts';

export interface BareStoreOrder {
  readonly kind: 'mysql' | 'etcd' | 'redis';
  /** As nodes are told how to reach it. */
  readonly flags: readonly string[];
  readonly dataIds: readonly string[];
  readonly concurrency: number;
  readonly durationMs: number;
}

export interface BareStoreResult {
  readonly perSecond: number;
}

/** One transaction on one configuration. */
type Publish = (dataId: string, content: string, md5: string) => Promise<unknown>;

interface Bare {
  /** Of one caller, who waits for the end of each before the next. */
  readonly caller: (n: number) => Publish;
  readonly close: () => void;
}

const MYSQL_CONNECTIONS_MAX = 32;
const GROUP = 'DEFAULT_GROUP';
const WARM_MS = 300;

async function run(order: BareStoreOrder): Promise<BareStoreResult> {
  const flags = valuesOf(order.flags);
  const bare = await { mysql: mysqlAlone, etcd: etcdAlone, redis: redisAlone }[order.kind](flags, order.concurrency);
  let done = 0;
  let turn = 0;
  const startedMs = performance.now() + WARM_MS;
  const endsMs = startedMs + order.durationMs;
  await Promise.all(
    upTo(order.concurrency).map(async (n) => {
      const publish = bare.caller(n);
      for (let nowMs = 0; nowMs < endsMs; nowMs = performance.now()) {
        // No two callers meet at one row, as with the publishes that are compared.
        const dataId = order.dataIds[turn % order.dataIds.length]!;
        const content = contentOf(`${turn++ % TEXTS}-${dataId}`);
        await publish(dataId, content, createHash('md5').update(content).digest('hex'));
        if (performance.now() >= startedMs) done += 1;
      }
    }),
  );
  const elapsedS = (performance.now() - startedMs) / 1_000;
  bare.close();
  return { perSecond: done / elapsedS };
}

async function mysqlAlone(flags: ReadonlyMap<string, string>, concurrency: number): Promise<Bare> {
  const flag = (name: string): string => flags.get(`mysql-${name}`)!;
  const reach = { host: flag('host'), port: Number(flag('port')), database: flag('database'), user: flag('user') };
  const connections = await Promise.all(
    upTo(Math.min(concurrency, MYSQL_CONNECTIONS_MAX)).map(() =>
      createConnection({ ...reach, password: flag('password'), disableEval: true }),
    ),
  );
  for (const one of connections) await one.query('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED');
  const queues = connections.map(() => Promise.resolve() as Promise<unknown>);
  return {
    caller: (n) => {
      const slot = n % connections.length;
      const connection = connections[slot]!;
      const publish: Publish = async (dataId, content, md5) => {
        const key = [dataId, GROUP, ''];
        await connection.query('START TRANSACTION');
        const [rows] = await connection.execute(
          'SELECT id FROM config_info WHERE data_id = ? AND group_id = ? AND tenant_id = ? FOR UPDATE',
          key,
        );
        const { id } = (rows as { readonly id: number }[])[0]!;
        await connection.execute(
          `INSERT INTO his_config_info (id, data_id, group_id, tenant_id, app_name, content, md5, src_ip, src_user, gmt_modified, op_type)
           SELECT id, data_id, group_id, tenant_id, app_name, content, md5, '127.0.0.1', NULL, NOW(), 'U' FROM config_info WHERE id = ?`,
          [id],
        );
        await connection.execute(
          `UPDATE config_info SET content = ?, md5 = ?, src_ip = '127.0.0.1', gmt_modified = NOW() WHERE id = ?`,
          [content, md5, id],
        );
        await connection.execute(
          `INSERT INTO nk_change (kind, removed, data_id, group_id, tenant_id, mark) VALUES ('config', 0, ?, ?, ?, ?)`,
          [...key, `${md5}:text`],
        );
        await connection.query('COMMIT');
      };
      // Callers that share a connection stand in line, as in any pool.
      return (...given) => {
        const done = queues[slot]!.then(() => publish(...given));
        queues[slot] = done;
        return done;
      };
    },
    close: () => {
      for (const one of connections) one.destroy();
    },
  };
}

async function etcdAlone(flags: ReadonlyMap<string, string>): Promise<Bare> {
  const host = createNodeHost({ name: 'bench', logLevel: 'warn', logFormat: 'text' });
  const endpoints = flags.get('etcd-endpoints')!.split(',');
  const client = new EtcdClient(host, {
    ...{ endpoints, prefix: '/bare/', user: undefined, password: undefined },
    ...{ caFile: undefined, certFile: undefined, keyFile: undefined },
  });
  client.open();
  const key = (...parts: readonly string[]) => Buffer.from(`/bare/${parts.join('/')}`);
  const put = (name: Buffer, value: string) => ({ request_put: { key: name, value: Buffer.from(value) } });
  return {
    caller: (n) => {
      let count = 0;
      return async (dataId, content, md5) => {
        const row = key('config', dataId);
        const read = [{ request_range: { key: row } }, { request_range: { key: key('floor') } }];
        await client.repeat('KV/Txn', { compare: [], success: read, failure: [] }, client.patience());
        const facts = JSON.stringify({
          dataId,
          group: GROUP,
          md5,
          id: `${n}`,
          type: 'text',
          createdMs: 1,
          modifiedMs: 2,
        });
        const past = `${n}-${count++}`;
        const success = [
          put(key('blob', md5), content),
          put(row, facts),
          put(key('past', past), facts),
          put(key('past-of', dataId, past), ''),
          put(key('head'), dataId),
        ];
        await client.once('KV/Txn', { compare: [], success, failure: [] }, client.patience());
      };
    },
    close: () => client.close(),
  };
}

const REDIS_SCRIPT = `
local call, P, name, content, md5 = redis.call, 'bare:', ARGV[1], ARGV[2], ARGV[3]
call('TIME')
local id = call('HGET', P .. 'k', name) or tostring(call('HINCRBY', P .. 'meta', 'ids', 1))
call('HSET', P .. 'k', name, id)
local old = call('HMGET', P .. 'c:' .. id, 'name', 'ns', 'md5', 'facts', 'app', 'tags', 'created', 'modified')
local nid = tostring(call('HINCRBY', P .. 'meta', 'ids', 1))
call('HSET', P .. 'p:' .. nid, 'key', name, 'op', 'U', 'config', id, 'md5', old[3] or '', 'app', '', 'by', '127.0.0.1', 'at', '1')
call('ZADD', P .. 'pasts', nid, nid)
call('ZADD', P .. 'po:' .. name, nid, nid)
call('ZADD', P .. 'past', 1, nid)
if call('EXISTS', P .. 't:' .. id) == 1 then call('RENAME', P .. 't:' .. id, P .. 'q:' .. nid) end
call('SET', P .. 't:' .. id, content)
call('HSET', P .. 'c:' .. id, 'name', name, 'ns', '', 'md5', md5, 'facts', '{}', 'app', '', 'tags', '[]', 'created', '1', 'modified', '2')
local revision = call('HINCRBY', P .. 'meta', 'revision', 1)
call('XADD', P .. 'changes', 'MAXLEN', '=', '100000', tostring(revision) .. '-0', 'c', 'config 0 ' .. name)
return revision`;

async function redisAlone(flags: ReadonlyMap<string, string>): Promise<Bare> {
  const [host, port] = flags.get('redis-addresses')!.split(':') as [string, string];
  const redis = new Redis({ host, port: Number(port) });
  const sha = (await redis.script('LOAD', REDIS_SCRIPT)) as string;
  return {
    caller: () => (dataId, content, md5) => redis.evalsha(sha, 0, dataId, content, md5),
    close: () => redis.disconnect(),
  };
}

function valuesOf(flags: readonly string[]): ReadonlyMap<string, string> {
  const { tokens } = parseArgs({ args: [...flags], strict: false, tokens: true });
  const values = new Map<string, string>();
  for (const [i, token] of tokens.entries()) {
    const next = tokens[i + 1];
    if (token.kind === 'option' && next?.kind === 'positional') values.set(token.name, next.value);
  }
  return values;
}

const chunks: Buffer[] = [];
for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
console.log(JSON.stringify(await run(JSON.parse(Buffer.concat(chunks).toString()) as BareStoreOrder)));
process.exit(0);
