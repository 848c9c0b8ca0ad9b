/** `nacos-kube up` with the etcd that the manifest asks for: guarded, whole again when a member loses all, gone with `up`. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createNodeHost } from '@nacos-kube/core/host/node/node-host.ts';
import { EtcdGateway } from '@nacos-kube/operator/etcd/gateway.ts';
import { needs } from '../../scripts/needs.ts';
import { until } from '../kubernetes/processes.ts';
import { type LocalCluster, startLocalCluster } from './local-cluster.ts';
import { freePortRow } from './ports.ts';

const skip = await needs('etcd', 'etcd-server');
const CONFIGS = 20;
const NAME = 'e2e';
const SPEC = ['  storage:', '    etcd:', '      managed: { members: 3 }'];
const BACK_MS_MAX = 30_000;

describe('a cluster on this machine with an etcd of its own', { skip }, () => {
  const gateway = new EtcdGateway(createNodeHost({ name: 'test', logLevel: 'error', logFormat: 'text' }));
  let cluster: LocalCluster;
  let basePort: number;
  before(async () => {
    basePort = await freePortRow(3, 10);
    cluster = await startLocalCluster(2, { spec: SPEC, args: ['--etcd-base-port', `${basePort}`] });
  });
  after(async () => {
    await cluster?.stop();
  });

  const at = (ordinal: number) => ({ address: '127.0.0.1', port: basePort + ordinal * 10 });
  async function login() {
    const read = async (key: string) => (await readFile(join(cluster.folder, NAME, 'database', key), 'utf8')).trim();
    return { user: await read('user'), password: await read('password') };
  }

  test('what one member takes the other reads, and nobody reads etcd without its login', async () => {
    const [one, other] = cluster.members.map(({ address }) => `http://${address}/nacos/v1/cs/configs`);
    for (let i = 0; i < CONFIGS; i++) {
      const body = new URLSearchParams({ dataId: `c${i}`, group: 'G', content: `content ${i}` });
      assert.equal(await (await fetch(one!, { method: 'POST', body })).text(), 'true');
    }
    await until('the other one reads the last', async () => (await read(other!, CONFIGS - 1)) !== undefined);
    const refused = await fetch(`http://127.0.0.1:${basePort}/v3/kv/range`, {
      method: 'POST',
      body: JSON.stringify({ key: 'AA==', range_end: 'AA==' }),
    });
    assert.match(await refused.text(), /user name is empty/);
  });

  test('a member that lost all its data joins anew, and nothing is missing', async (t) => {
    const by = await login();
    const before = await gateway.members(at(0), by);
    const lost = 1;
    const startedMs = performance.now();
    await rm(join(cluster.folder, NAME, 'etcd', `${lost}`, 'data'), { recursive: true });
    process.kill(pidOfEtcd(cluster, lost), 'SIGKILL');
    const idOf = (members: typeof before) => members.find(({ name }) => name === `${NAME}-etcd-${lost}`)?.id;
    await until(
      'it is a member under another number, and reads',
      async () => {
        const members = await gateway.members(at(lost), by);
        return members.every(({ clientUrls }) => clientUrls.length > 0) && idOf(members) !== idOf(before);
      },
      { timeoutMs: BACK_MS_MAX },
    );
    t.diagnostic(`back ${Math.round(performance.now() - startedMs)} ms after it was killed`);
    assert.equal((await gateway.members(at(0), by)).length, 3);
    for (const { address } of cluster.members)
      for (let i = 0; i < CONFIGS; i++) {
        assert.equal(await read(`http://${address}/nacos/v1/cs/configs`, i), `content ${i}`);
      }
  });

  test('no etcd outlives an up that is killed', async () => {
    const pids = [0, 1, 2].map((ordinal) => pidOfEtcd(cluster, ordinal));
    await cluster.kill9();
    await until('they are gone', async () => pids.every((pid) => !isRunning(pid)), { timeoutMs: BACK_MS_MAX });
  });
});

async function read(url: string, i: number): Promise<string | undefined> {
  const answer = await fetch(`${url}?dataId=c${i}&group=G`);
  const text = await answer.text();
  return answer.ok ? text : undefined;
}

function pidOfEtcd(cluster: LocalCluster, ordinal: number): number {
  const file = join(cluster.folder, NAME, 'etcd', `${ordinal}`, 'etcd.json');
  const found = cluster.pids().find((pid) => commandOf(pid).endsWith(`--config-file\0${file}\0`));
  assert.ok(found, `no etcd ${ordinal} runs`);
  return found;
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return ''; // it has ended
  }
}

function isRunning(pid: number): boolean {
  return commandOf(pid).startsWith('etcd\0');
}
