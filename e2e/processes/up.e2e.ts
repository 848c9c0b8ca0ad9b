/** `nacos-kube up` as people meet it: it starts, says what to try, survives a death, and ends without a trace. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { delay, findProgram, run, until } from '../kubernetes/processes.ts';
import { requireOrFail } from '../kubernetes/require.ts';
import { type LocalCluster, startLocalCluster } from './local-cluster.ts';

const INSTANCES = 5;
const BEAT_PERIOD_MS = 1_000;
const LOOK_PERIOD_MS = 20;

describe('a cluster on this machine', () => {
  let cluster: LocalCluster;
  before(async () => {
    cluster = await startLocalCluster(3, { args: ['--hints'] });
  });
  after(async () => {
    await cluster?.stop();
  });

  const withoutCurl = requireOrFail('the printed commands', findProgram('curl') ? [] : ['curl']);
  test('the commands that it prints work through the VIP', { skip: withoutCurl }, async () => {
    const commands = await until('it prints them', async () => {
      const lines = cluster.log.split('\n').filter((line) => line.startsWith('  curl '));
      return lines.length === 3 && lines;
    });
    assert.ok(commands.every((command) => command.includes(`http://${cluster.vip}/nacos/`)));
    const perform = (command: string) => run('bash', ['-c', command.replaceAll('curl ', 'curl -sS ')]);
    assert.equal(await perform(commands[0]!), 'ok');
    await until('the list has it', async () => JSON.parse(await perform(commands[1]!)).hosts.length === 1);
    assert.equal(await perform(commands[2]!), 'truehello');
  });

  test('a node that is killed empties no list, and comes back', async () => {
    await using watched = await watchList(cluster);
    const { back } = cluster.kill9Member(1);
    await back();
    await until('the lines of the cluster show it', async () => {
      const line = cluster.log.split('\n').findLast((one) => one.includes(` ${cluster.members[1]!.name} `));
      return /UP, ready, pid \d+, restarts 1$/.test(line ?? '');
    });
    // Whatever the one that came back still has to learn, or wrongly forgets, shows within a heart-beat time-out.
    await delay(16_000);
    assert.deepEqual(watched.short, []);
    assert.ok(watched.looks > 100, `only ${watched.looks} looks`);
  });

  test('Ctrl-C leaves no process', async () => {
    const pids = cluster.pids();
    assert.equal(pids.length, 7, 'itself, three nodes and three sidecars');
    await cluster.stop();
    assert.match(cluster.log, /stopped, no process is left\n$/);
    assert.deepEqual(pids.filter(isThere), []);
  });
});

/** Registers instances, beats for them, and looks at their list on every address, until it is disposed of. */
async function watchList(cluster: LocalCluster) {
  const servers = [...cluster.members.map(({ address }) => address), cluster.vip].map(
    (at) => `http://${at}/nacos/v1/ns`,
  );
  const ports = Array.from({ length: INSTANCES }, (_, i) => 8001 + i);
  const vip = servers.at(-1)!;
  for (const port of ports) await ask(`${vip}/instance?serviceName=watched&ip=10.9.0.1&port=${port}`, 'POST');
  const sizeAt = async (server: string) => {
    const { hosts } = JSON.parse(await ask(`${server}/instance/list?serviceName=watched`));
    return (hosts as { healthy: boolean }[]).filter(({ healthy }) => healthy).length;
  };
  for (const server of servers) await until(`${server} lists all`, async () => (await sizeAt(server)) === INSTANCES);

  const short: string[] = [];
  let looks = 0;
  let isOver = false;
  const looking = (async () => {
    while (!isOver) {
      for (const server of servers) {
        // A node that is dead or not ready answers nothing or refuses; what it must not do is answer with less.
        const size = await sizeAt(server).catch(() => undefined);
        if (size !== undefined) looks += 1;
        if (size !== undefined && size < INSTANCES) short.push(`${new Date().toISOString()} ${server}: ${size}`);
      }
      await delay(LOOK_PERIOD_MS);
    }
  })();
  const beating = (async () => {
    while (!isOver) {
      for (const port of ports) {
        const beat = JSON.stringify({
          ip: '10.9.0.1',
          port,
          serviceName: 'DEFAULT_GROUP@@watched',
          cluster: 'DEFAULT',
        });
        const parameters = new URLSearchParams({ serviceName: 'DEFAULT_GROUP@@watched', beat });
        // As clients do: the next one when the first does not answer.
        for (const server of [vip, ...servers]) {
          const isTaken = await ask(`${server}/instance/beat?${parameters}`, 'PUT').catch(() => undefined);
          if (isTaken !== undefined) break;
        }
      }
      await delay(BEAT_PERIOD_MS);
    }
  })();
  return {
    short,
    get looks() {
      return looks;
    },
    async [Symbol.asyncDispose]() {
      isOver = true;
      await Promise.all([looking, beating]);
    },
  };
}

async function ask(url: string, method = 'GET'): Promise<string> {
  const response = await fetch(url, { method, signal: AbortSignal.timeout(5_000) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`);
  return text;
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
