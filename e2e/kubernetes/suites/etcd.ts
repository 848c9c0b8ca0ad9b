/** A NacosCluster that names no store: the etcd it gets, lost volumes and a killed leader. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { PublishStream, readKey } from '../../processes/publish-stream.ts';
import { ProgramError, requireOrFail, until } from '../cluster.ts';
import { importEtcdImage, missingForEtcdImage } from '../etcd-image.ts';
import { CLUSTER_CHART, isReady, type NacosClusterObject, type PodObject } from './installation.ts';
import { pidIn } from './pod-processes.ts';
import { Registry } from './registry.ts';
import type { Three } from './three.ts';

const NAME = 'store';
const SOLO = {
  apiVersion: 'nacos-kube.dev/v1alpha1',
  kind: 'NacosCluster',
  metadata: { name: 'solo', annotations: { 'nacos-kube.dev/paused': 'true' } },
  spec: { replicas: 1, auth: { enabled: false } },
};
/** In a command line. */
const ETCD = 'etcd --config-file';
const CONFIGS = 30;
const INSTANCES = 5;
const READY_MS_MAX = 240_000;
const BACK_MS_MAX = 180_000;
/** Before and after the leader is killed. */
const PUBLISHES = 100;
const PUBLISHES_MS_MAX = 120_000;

export function managedEtcd(stage: () => Three): void {
  describe('a NacosCluster that names no store', {
    skip: requireOrFail('the managed store', missingForEtcdImage()),
  }, () => {
    before(async () => {
      await importEtcdImage(stage().cluster);
    });

    test('one replica keeps its file, and is not scaled to what needs another store', async () => {
      const { installation } = stage();
      // The choice is written all the same, and no pod is made of it.
      await installation.apply([SOLO]);
      await until('it is chosen', async () => (await statusOf('solo'))?.storage?.kind === 'embedded');
      const scaled = installation.kubectl('scale', 'nc', 'solo', '--replicas=3');
      await assert.rejects(scaled, (error: ProgramError) => {
        assert.match(error.message, /more than one replica needs a store that all members share/);
        return error instanceof ProgramError;
      });
      await installation.kubectl('delete', 'nc', 'solo');
    });

    test('three replicas get an etcd of three members, and are Ready', async (t) => {
      const { installation, cluster } = stage();
      const startedMs = performance.now();
      const where = ['-n', installation.namespace];
      await cluster.helm([...where, 'install', NAME, CLUSTER_CHART, '--set=replicas=3,auth.enabled=false']);
      await installation.ready(NAME, 3, READY_MS_MAX);
      t.diagnostic(`Ready ${Math.round(performance.now() - startedMs)} ms after apply`);
      const status = await statusOf(NAME);
      assert.equal(status?.storage?.managed, true);
      assert.deepEqual(
        status?.storage?.members?.map(({ name, state }) => `${name} ${state}`),
        [0, 1, 2].map((ordinal) => `${NAME}-etcd-${ordinal} UP`),
      );
      const [, line = ''] = (await installation.kubectl('get', 'nc', NAME)).split('\n');
      assert.match(line, /^store\s+3\s+3\s+etcd\s+\S+\s+AllMembersReady\s/);
      const vip = await vipOf();
      for (let i = 0; i < CONFIGS; i++) await vip.publish(`kept-${i}`, `content ${i}`);
      for (let i = 1; i <= INSTANCES; i++) await vip.register('kept', `10.9.3.${i}`, 8080, { ephemeral: 'false' });
      await everyNode('all is there', isAllThere);
    });

    test("etcd's leader is killed under publishes: none that was acknowledged is lost", async (t) => {
      const { installation, cluster } = stage();
      const servers = await Promise.all(
        [0, 1, 2].map(async (ordinal) => {
          const { podIP } = (await installation.pod(`${NAME}-${ordinal}`)).status;
          return `http://127.0.0.1:${(await cluster.forward({ host: podIP, port: 8848 })).port}/nacos`;
        }),
      );
      const stream = new PublishStream({ servers });
      try {
        await stream.progress(PUBLISHES, PUBLISHES_MS_MAX);
        const pod = await installation.pod(await leaderPod());
        const first = pidIn(pod, ETCD);
        const killedMs = performance.now();
        process.kill(first, 'SIGKILL');
        // Its container starts again at once; after the second time the kubelet lets it wait, so another one leads.
        const second = await until('it runs again', async () => {
          const pid = pidIn(pod, ETCD);
          return pid !== first && pid;
        });
        process.kill(second, 'SIGKILL');
        await stream.progress(PUBLISHES, PUBLISHES_MS_MAX);
        const tookMs = Math.round(performance.now() - killedMs);
        t.diagnostic(`${PUBLISHES} more were acknowledged ${tookMs} ms after it was killed`);
      } finally {
        await stream.stop();
      }
      t.diagnostic(`${stream.acknowledged} acknowledged, ${stream.failed} refused meanwhile`);
      await everyNode('every key holds its last acknowledged write or a later try', async (_node, ordinal) => {
        const found = await Promise.all(stream.keys.map((key) => readKey(servers[ordinal] as string, key)));
        return stream.keys.every((key, i) => (found[i] as number) >= key.acknowledged);
      });
      await installation.ready(NAME, 3, BACK_MS_MAX);
    });

    test('a node and the leading member of etcd that lose their volumes come back with all there was', async (t) => {
      const { installation } = stage();
      const [node, leader] = [`${NAME}-1`, await leaderPod()];
      const idBefore = await memberId(leader);
      const lost = await Promise.all([node, leader].map(claimOf));
      const startedMs = performance.now();
      await installation.kubectl('delete', 'pvc', `data-${node}`, `data-${leader}`, '--wait=false');
      await installation.kubectl('delete', 'pod', node, leader, '--wait=false');
      for (const [index, name] of [node, leader].entries())
        await until(
          `${name} has another volume and is ready`,
          async () => {
            const pod = await installation.pod(name);
            return (await claimOf(name)) !== lost[index] && isReady(pod);
          },
          { timeoutMs: BACK_MS_MAX, everyMs: 300 },
        );
      await installation.ready(NAME, 3, BACK_MS_MAX);
      t.diagnostic(`Ready again ${Math.round(performance.now() - startedMs)} ms after both were deleted`);
      assert.notEqual(await memberId(leader), idBefore, 'it joined anew, not under the number that had forgotten');
      await everyNode('all is there', isAllThere);
    });

    test('scaled to one replica it stays on etcd', async () => {
      const { installation, cluster } = stage();
      await installation.kubectl('scale', 'nc', NAME, '--replicas=1');
      await installation.ready(NAME, 1, BACK_MS_MAX);
      assert.equal((await statusOf(NAME))?.storage?.kind, 'etcd');
      assert.ok(await isAllThere(await nodeOf(0)));
      await cluster.helm(['-n', installation.namespace, 'uninstall', NAME]);
    });

    async function statusOf(name: string): Promise<Status | undefined> {
      return (await stage().installation.get<{ status?: Status }>('nc', name)).status;
    }

    async function leaderPod(): Promise<string> {
      return await until(
        'one leads',
        async () => {
          const leaders = (await statusOf(NAME))?.storage?.members?.filter(
            ({ leader, state }) => leader && state === 'UP',
          );
          return leaders?.length === 1 && leaders[0]?.name;
        },
        { timeoutMs: BACK_MS_MAX },
      );
    }

    async function memberId(name: string): Promise<string | undefined> {
      return (await statusOf(NAME))?.storage?.members?.find((member) => member.name === name)?.id;
    }

    /** Uid of a pod's claim; undefined while there is none. */
    async function claimOf(pod: string): Promise<string | undefined> {
      const { items } = await stage().installation.get<{ items: PodObject[] }>('pvc');
      return items.find(({ metadata }) => metadata.name === `data-${pod}`)?.metadata.uid;
    }

    async function vipOf(): Promise<Registry> {
      const { cluster, installation } = stage();
      return await Registry.of(cluster, { service: NAME, namespace: installation.namespace, port: 8848 });
    }

    async function nodeOf(ordinal: number): Promise<Registry> {
      const { cluster, installation } = stage();
      const { podIP } = (await installation.pod(`${NAME}-${ordinal}`)).status;
      return await Registry.of(cluster, { host: podIP, port: 8848 });
    }

    async function everyNode(what: string, ask: (node: Registry, ordinal: number) => Promise<boolean>): Promise<void> {
      const nodes = await Promise.all([0, 1, 2].map(nodeOf));
      const answers = async () => (await Promise.all(nodes.map(ask))).every(Boolean);
      await until(`${what}, on every node`, answers, { timeoutMs: 30_000, everyMs: 300 });
    }
  });
}

async function isAllThere(node: Registry): Promise<boolean> {
  const numbers = Array.from({ length: CONFIGS }, (_, i) => i);
  const contents = await Promise.all(numbers.map((i) => node.read(`kept-${i}`)));
  const instances = await node.instances('kept');
  return contents.every((content, i) => content === `content ${i}`) && instances.length === INSTANCES;
}

type Status = NonNullable<NacosClusterObject['status']>;
