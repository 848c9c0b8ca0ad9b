/** Pods that stand in the registry because of their annotations. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { until } from '../cluster.ts';
import { EXAMPLES, isReady, type PodObject } from './installation.ts';
import type { Registry } from './registry.ts';
import type { Three } from './three.ts';

const SERVICE = 'greeter';
/** Answers on 8080 as the program of the example would. */
const PROGRAM = `require('node:http').createServer((_, answer) => answer.end('hello')).listen(8080)
  process.on('SIGTERM', () => process.exit())`;

export function registration(stage: () => Three): void {
  describe('an annotated Deployment', () => {
    test('of three appears in the registry as persistent instances', async (t) => {
      const three = stage();
      const { installation } = three;
      const [deployment] = await installation.objectsOf(join(EXAMPLES, 'registered.yaml'));
      const [container] = deployment.spec.template.spec.containers;
      container.image = installation.image;
      container.imagePullPolicy = installation.pullPolicy;
      container.command = ['node', '-e', PROGRAM];
      delete container.args;
      container.readinessProbe.periodSeconds = 1;
      const startedMs = performance.now();
      await installation.apply([deployment]);
      const ips = await until('three pods are ready', async () => {
        const pods = (await greeters(three)).filter(isReady);
        return pods.length === 3 && pods.map(({ status }) => status.podIP).sort();
      });
      const readyMs = performance.now();
      await three.everyNode('all three are listed', async (node) => isListed(node, ips));
      const listedMs = Math.round(performance.now() - readyMs);
      t.diagnostic(`ready ${Math.round(readyMs - startedMs)} ms after apply, on every node ${listedMs} ms later`);
      for (const instance of await three.vip.instances(SERVICE)) {
        const { ephemeral, healthy, port, metadata } = instance;
        const { version } = metadata;
        assert.deepEqual(
          { ephemeral, healthy, port, version },
          { ephemeral: false, healthy: true, port: 8080, version: 'v1' },
        );
      }
    });

    test('disappears when it is scaled to none, and stands again when it grows', async (t) => {
      const three = stage();
      const startedMs = performance.now();
      await three.installation.kubectl('scale', 'deployment', SERVICE, '--replicas=0');
      await three.everyNode('none is listed', async (node) => isListed(node, []));
      t.diagnostic(`gone from every node ${Math.round(performance.now() - startedMs)} ms after kubectl scale`);
      await three.installation.kubectl('scale', 'deployment', SERVICE, '--replicas=2');
      await three.everyNode('two are listed', async (node) => (await node.instances(SERVICE)).length === 2);
    });

    test('disappears when it is deleted', async () => {
      const three = stage();
      await three.installation.kubectl('delete', 'deployment', SERVICE);
      await three.everyNode('none is listed', async (node) => isListed(node, []));
    });
  });
}

async function greeters(three: Three): Promise<readonly PodObject[]> {
  return (await three.installation.get<{ items: PodObject[] }>('pods', '-l', `app=${SERVICE}`)).items;
}

async function isListed(node: Registry, ips: readonly string[]): Promise<boolean> {
  const instances = await node.instances(SERVICE);
  return (
    instances
      .map(({ ip }) => ip)
      .sort()
      .join() === ips.join()
  );
}
