import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createNodeHost } from '@nacos-kube/core/host/node/node-host.ts';
import { nodeProcesses } from '@nacos-kube/core/host/node/processes.ts';
import type { Processes, RunningProcess } from '@nacos-kube/core/host/processes.ts';
import { freePortRow } from '../../../e2e/processes/ports.ts';
import { needs } from '../../../scripts/needs.ts';
import { EtcdGateway } from '../etcd/gateway.ts';
import { anEtcdCluster } from '../testing/etcd-fixtures.ts';
import { LocalEtcd } from './etcd.ts';
import { LOOPBACK, layoutOf } from './layout.ts';

const MEMBERS_MAX = 3;
const PORT_STEP = 10;
const JOINED_WITHIN_MS = 30_000;
const LOGIN = { user: 'root', password: 'p' };

describe('another number of members of a local etcd', { skip: await needs('etcd', 'etcd-server') }, () => {
  const host = createNodeHost({ name: 'test', logLevel: 'off', logFormat: 'text' });
  let gateway = new EtcdGateway(host);
  const notes: string[] = [];
  let data: string;
  let etcdBasePort: number;
  let running: LocalEtcd | undefined;

  before(async () => {
    data = await mkdtemp(join(tmpdir(), 'nacos-kube-etcd-'));
    etcdBasePort = await freePortRow(MEMBERS_MAX, PORT_STEP);
    await mkdir(join(data, 'demo', 'database'), { recursive: true });
    for (const [key, value] of Object.entries(LOGIN)) await writeFile(join(data, 'demo', 'database', key), value);
  });
  after(async () => {
    await running?.stop();
    await rm(data, { recursive: true, force: true });
  });

  let ending = 0;
  let endingTogether = 0;
  const processes: Processes = {
    spawn: async (command, args, options) => {
      const process = await nodeProcesses.spawn(command, args, options);
      const kill: RunningProcess['kill'] = (signal) => {
        if (signal === 'SIGTERM') {
          ending += 1;
          endingTogether = Math.max(endingTogether, ending);
          void process.exited.then(() => (ending -= 1));
        }
        process.kill(signal);
      };
      return { pid: process.pid, exited: process.exited, kill };
    },
  };

  const stop = async () => {
    await running?.stop();
    running = undefined;
    assert.ok(endingTogether <= 1, 'nobody hands over to one that ends too, and waits for it');
  };
  const start = async (members: number) => {
    await stop();
    gateway = new EtcdGateway(host);
    const ports = { basePort: 1, metricsBasePort: 1, etcdBasePort, vipPort: 1 };
    const layout = layoutOf(anEtcdCluster(members), { data, ...ports, logLevel: 'info' });
    running = new LocalEtcd(host, layout, processes, (note) => notes.push(note));
    return await running.start();
  };
  const at = {
    address: LOOPBACK,
    get port() {
      return etcdBasePort;
    },
  };
  const voters = async () =>
    (await gateway.members(at, LOGIN)).filter(({ isLearner }) => !isLearner).map(({ name }) => name);
  const folders = async () => (await readdir(join(data, 'demo', 'etcd'))).filter((name) => name !== 'formed');
  const call = async (path: string, body: object) => {
    const ask = async (way: string, what: object, headers = {}) => {
      const answer = await fetch(`http://${LOOPBACK}:${etcdBasePort}${way}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(what),
      });
      return (await answer.json()) as { readonly token?: string; readonly kvs?: readonly { readonly value: string }[] };
    };
    const { token = '' } = await ask('/v3/auth/authenticate', { name: LOGIN.user, password: LOGIN.password });
    return await ask(path, body, { authorization: token });
  };
  const KEY = Buffer.from('key').toString('base64');
  const VALUE = Buffer.from('value').toString('base64');
  const stored = async () => (await call('/v3/kv/range', { key: KEY })).kvs?.map(({ value }) => value);
  const joined = async (count: number) => {
    const untilMs = performance.now() + JOINED_WITHIN_MS;
    while ((await voters()).length < count) {
      assert.ok(performance.now() < untilMs, `${await voters()} after ${JOINED_WITHIN_MS} ms`);
      await host.clock.sleep(200);
    }
  };

  it('fewer: those that are too many leave, and take nothing along', async () => {
    assert.equal(await start(3), undefined);
    await call('/v3/kv/put', { key: KEY, value: VALUE });
    assert.equal(await start(1), undefined);
    assert.deepEqual(await voters(), ['demo-etcd-0']);
    assert.deepEqual([await stored(), await folders()], [[VALUE], ['0']]);
    assert.deepEqual(notes, [
      'etcd shall have 1 member, not 3: the others leave it, one at a time',
      'demo-etcd-2 has left etcd, its data are deleted',
      'demo-etcd-1 has left etcd, its data are deleted',
    ]);
  });

  it('more: they join one after the other', async () => {
    assert.equal(await start(3), undefined);
    await joined(3);
    assert.deepEqual(await stored(), [VALUE]);
  });

  it('what never found together is no hindrance for another number', async () => {
    await stop();
    await rm(join(data, 'demo', 'etcd', 'formed'));
    assert.equal(await start(1), undefined);
    assert.deepEqual([await voters(), await stored(), await folders()], [['demo-etcd-0'], undefined, ['0']]);
  });
});
