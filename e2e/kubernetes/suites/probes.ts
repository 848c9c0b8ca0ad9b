/** A persistent instance whose port closes and opens again. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { until } from '../cluster.ts';
import { ListenerPod } from './listener-pod.ts';
import type { Three } from './three.ts';

const SERVICE = 'checked';

export function probes(stage: () => Three): void {
  describe('a persistent instance', () => {
    let listener: ListenerPod;
    before(async () => {
      listener = await ListenerPod.start(stage(), 'listener');
    });
    after(async () => {
      await listener?.remove();
    });

    test('whose port is open is healthy on every node', async () => {
      await stage().vip.register(SERVICE, listener.ip, listener.port, { ephemeral: 'false' });
      // Where nobody is healthy all are shown as healthy (protectThreshold 0), so there is one that stays.
      await stage().vip.register(SERVICE, listener.ip, listener.otherPort, { ephemeral: 'false' });
      await isEverywhere(true);
    });

    test('whose port closes turns unhealthy on every node, found by a sidecar', async (t) => {
      const before = await probesOf(stage(), 'down');
      const startedMs = performance.now();
      await listener.close();
      await isEverywhere(false);
      t.diagnostic(`unhealthy on every node ${Math.round(performance.now() - startedMs)} ms after the port was closed`);
      assert.ok((await probesOf(stage(), 'down')) > before, 'the sidecars count probes that nobody answers');
    });

    test('whose port opens again turns healthy on every node', async (t) => {
      const startedMs = performance.now();
      await listener.open();
      await isEverywhere(true);
      t.diagnostic(`healthy on every node ${Math.round(performance.now() - startedMs)} ms after the port was opened`);
      for (const port of [listener.port, listener.otherPort])
        await stage().vip.deregister(SERVICE, listener.ip, port, { ephemeral: 'false' });
    });

    test('at the address of the API server is not probed', async () => {
      const { host, port } = await stage().cluster.addressOf({ service: 'kubernetes', port: 443 });
      const refused = async () => sumOf(await pagesOf(stage()), /^nacos_kube_probe_targets_refused\{[^}]*\} (\d+)$/gm);
      assert.equal(await refused(), 0);
      await stage().vip.register(SERVICE, host, port, { ephemeral: 'false' });
      await until('a sidecar refuses to', async () => (await refused()) === 1);
      await stage().vip.deregister(SERVICE, host, port, { ephemeral: 'false' });
      await until('it is forgotten', async () => (await refused()) === 0);
    });

    async function isEverywhere(healthy: boolean): Promise<void> {
      await stage().everyNode(`it is ${healthy ? '' : 'un'}healthy`, async (node) => {
        const instances = await node.instances(SERVICE);
        return instances.length === 2 && instances.find(({ port }) => port === listener.port)?.healthy === healthy;
      });
    }
  });
}

/** Probes with a result that the three sidecars have counted. */
async function probesOf(three: Three, result: string): Promise<number> {
  return sumOf(
    await pagesOf(three),
    new RegExp(`^nacos_kube_probe_results_total\\{kind="TCP",result="${result}"\\} (\\d+)$`, 'gm'),
  );
}

async function pagesOf(three: Three): Promise<readonly string[]> {
  return await Promise.all([0, 1, 2].map((ordinal) => three.metricsOf(ordinal)));
}

function sumOf(pages: readonly string[], line: RegExp): number {
  const counts = pages.flatMap((page) => [...page.matchAll(line)].map(([, count]) => Number(count)));
  return counts.reduce((sum, count) => sum + count, 0);
}
