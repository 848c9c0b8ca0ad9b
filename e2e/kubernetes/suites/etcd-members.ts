/** The etcd that a NacosCluster names: more members, fewer, another image, a full database. Its etcd is 3.6. */
import assert from 'node:assert/strict';
import { before, describe, type TestContext, test } from 'node:test';
import type { EtcdMember } from '@nacos-kube/operator/etcd/gateway.ts';
import { PublishStream, readKey } from '../../processes/publish-stream.ts';
import { delay, requireOrFail, until } from '../cluster.ts';
import { ETCD_36_IMAGE, importEtcd36Image, missingForEtcdImage } from '../etcd-image.ts';
import { EtcdCalls } from './etcd-calls.ts';
import { isReady, type NacosClusterObject, type PodObject } from './installation.ts';
import { Registry } from './registry.ts';
import type { Three } from './three.ts';

const NAME = 'grown';
const OTHER_IMAGE = `${ETCD_36_IMAGE.slice(0, -1)}2`;
/** The database may take half of it. */
const SMALL = { size: '128Mi' };
const FULL_MIB_MAX = 80;
const DONE_MS_MAX = 180_000;
const PUBLISHES = 30;
/** Etcd removes none while the connections of its members are younger than 5 s. */
async function isRemoved(calls: EtcdCalls, id: string): Promise<boolean> {
  try {
    await calls.remove(id);
    return true;
  } catch (error) {
    if (/unhealthy cluster/.test((error as Error).message)) return false;
    throw error;
  }
}

/** Another image, what is changed back at once, a volume that grows: four minutes more, with `ETCD_CHANGES=all` alone. */
function rarely(...given: [name: string, run: (t: TestContext) => Promise<void>]): void {
  if (process.env['ETCD_CHANGES'] === 'all') test(...given);
}

export function etcdMembers(stage: () => Pick<Three, 'cluster' | 'installation'>): void {
  describe('the etcd that a NacosCluster names', {
    skip: requireOrFail('the managed store', missingForEtcdImage()),
  }, () => {
    let server: string;
    before(async () => {
      const { cluster, installation } = stage();
      await importEtcd36Image(cluster);
      await cluster.tagImage(ETCD_36_IMAGE, OTHER_IMAGE);
      const spec = { replicas: 1, auth: { enabled: false } };
      const managed = { members: 1, image: ETCD_36_IMAGE, volume: SMALL };
      const metadata = { name: NAME };
      const kind = { apiVersion: 'nacos-kube.dev/v1alpha1', kind: 'NacosCluster' };
      await installation.apply([{ ...kind, metadata, spec: { ...spec, storage: { etcd: { managed } } } }]);
      await installation.ready(NAME, 1, DONE_MS_MAX);
      const vip = await cluster.forward({ service: NAME, namespace: installation.namespace, port: 8848 });
      server = `http://127.0.0.1:${vip.port}/nacos`;
    });

    test('from one member to three under publishes: each joins as a learner, none but the first ever decides alone', async (t) => {
      const watch = watchMembers(await first());
      await underPublishes(t, () => scaled(3));
      const seen = await watch.stop();
      t.diagnostic(
        `members, learners in brackets: ${seen.forms.join(' -> ')}; without a quorum ${seen.silentMs} ms at most`,
      );
      assert.equal(seen.forms[0], '0');
      assert.ok(
        seen.forms.some((form) => form.includes('(')),
        'a learner was seen',
      );
      assert.ok(
        seen.forms.every((form) => (form.match(/\(/g) ?? []).length <= 1),
        'one at a time',
      );
      assert.match((await (await first()).status()).version, /^3\.6\./);
    });

    rarely('another image replaces the members one at a time under publishes, and none is lost', async (t) => {
      const uids = await podUids();
      const watch = watchPods();
      await underPublishes(t, async () => {
        await patch({ image: OTHER_IMAGE });
        await until('all run the other image', async () => (await podsOf()).every(runs(OTHER_IMAGE)), {
          timeoutMs: DONE_MS_MAX,
          everyMs: 500,
        });
        await stage().installation.ready(NAME, 1, DONE_MS_MAX);
      });
      assert.ok((await watch.stop()) <= 1, 'one was away at a time');
      assert.ok([...(await podUids())].every((uid) => !uids.has(uid)));
    });

    rarely('a member that somebody removed joins anew, with its volume', async (t) => {
      const calls = await first();
      const [removed] = (await calls.members()).filter((member) => nameOf(member) === '1');
      assert.ok(removed);
      await underPublishes(t, async () => {
        await until('etcd lets it go', () => isRemoved(calls, removed.id), { timeoutMs: DONE_MS_MAX });
        await until(
          'it has another number',
          async () => {
            const all = await calls.members();
            return all.length === 3 && all.every(({ id, isLearner }) => id !== removed.id && !isLearner);
          },
          { timeoutMs: DONE_MS_MAX },
        );
        await stage().installation.ready(NAME, 1, DONE_MS_MAX);
      });
    });

    rarely('members that are taken away and wanted again at once join anew', async (t) => {
      await underPublishes(t, async () => {
        const calls = await first();
        const before = await calls.members();
        await patch({ members: 1 });
        await until('one was removed', async () => (await calls.members()).length < 3);
        await scaled(3);
        const after = await calls.members();
        assert.notDeepEqual(idsOf(after), idsOf(before), 'one has another number');
      });
    });

    test('from three members to one under publishes, and none is lost', async (t) => {
      await underPublishes(t, () => scaled(1));
    });

    rarely('more members that are given up within a second leave the first alone deciding', async (t) => {
      const calls = await first();
      const moments = {
        'at once': async () => {},
        'when a learner was added': () =>
          until('a learner was added', async () => (await calls.members()).length > 1, { everyMs: 20 }),
      };
      for (const [moment, reached] of Object.entries(moments)) {
        const watch = watchMembers(calls);
        await patch({ members: 3 });
        await reached();
        await scaled(1);
        const { forms, silentMs } = await watch.stop();
        t.diagnostic(`given up ${moment}: ${forms.join(' -> ')}; without a quorum ${silentMs} ms at most`);
        await (await vip()).publish('alone', moment);
      }
    });

    test('a full database is told, and is defragmented and takes writes again when there is garbage', async (t) => {
      await (await vip()).publish('before', 'it was full');
      const calls = await first();
      const mib = await calls.fill(FULL_MIB_MAX);
      const fullMs = performance.now();
      const full = await until(
        'it is told',
        async () => {
          const { status } = await objectOf();
          const ready = status?.conditions.find(({ type }) => type === 'DatabaseReady');
          return ready?.reason === 'DatabaseFull' && status;
        },
        { timeoutMs: 60_000 },
      );
      t.diagnostic(`full after ${mib} MiB, told ${Math.round(performance.now() - fullMs)} ms after that`);
      assert.deepEqual(
        full.storage?.members?.map(({ alarms }) => alarms),
        [['NOSPACE']],
      );
      assert.equal(full.conditions.find(({ type }) => type === 'Ready')?.status, 'False');
      await assert.rejects((await vip()).publish('refused', 'no space'), /answered 50[03]: .*(full|space)/);
      assert.equal(await (await vip()).read('before'), 'it was full');
      const { dbBytes } = await calls.status();
      await calls.compact();
      const compactedMs = performance.now();
      await stage().installation.ready(NAME, 1, DONE_MS_MAX);
      const after = (await calls.status()).dbBytes;
      t.diagnostic(
        `Ready ${Math.round(performance.now() - compactedMs)} ms after the garbage could go: ${dbBytes} -> ${after} bytes`,
      );
      assert.ok(after < dbBytes / 4);
      await (await vip()).publish('after', 'there is space');
    });

    rarely('a full database without garbage takes writes again when its volume grows', async () => {
      await (await first()).fill(FULL_MIB_MAX);
      await patch({ volume: { size: '1Gi' } });
      await stage().installation.ready(NAME, 1, DONE_MS_MAX);
      await until(
        'it takes writes',
        async () => {
          await (await vip()).publish('after', 'it has grown');
          return true;
        },
        { timeoutMs: DONE_MS_MAX, everyMs: 500 },
      );
      await stage().installation.ready(NAME, 1, DONE_MS_MAX);
    });

    test('it goes with its NacosCluster', async () => {
      await stage().installation.kubectl('delete', 'nc', NAME);
    });

    /** Publishes go on meanwhile; every key holds its last acknowledged one afterwards, or a later try. */
    async function underPublishes(t: { diagnostic(text: string): void }, change: () => Promise<void>): Promise<void> {
      const stream = new PublishStream({ servers: [server], writers: 3 });
      const startedMs = performance.now();
      try {
        await stream.progress(PUBLISHES, DONE_MS_MAX);
        await change();
        t.diagnostic(`done ${Math.round(performance.now() - startedMs)} ms after it began`);
        await stream.progress(PUBLISHES, DONE_MS_MAX);
      } finally {
        await stream.stop();
      }
      t.diagnostic(`${stream.acknowledged} acknowledged, ${stream.failed} refused meanwhile`);
      for (const key of stream.keys) assert.ok((await readKey(server, key)) >= key.acknowledged, key.dataId);
    }

    async function scaled(members: number): Promise<void> {
      await patch({ members });
      await until(
        `${members} are members`,
        async () => {
          const all = (await objectOf()).status?.storage?.members ?? [];
          return all.length === members && all.every(({ state }) => state === 'UP');
        },
        { timeoutMs: DONE_MS_MAX, everyMs: 300 },
      );
      await stage().installation.ready(NAME, 1, DONE_MS_MAX);
      const voters = (await (await first()).members()).filter(({ isLearner }) => !isLearner);
      assert.equal(voters.length, members);
    }

    async function patch(managed: object): Promise<void> {
      const text = JSON.stringify({ spec: { storage: { etcd: { managed } } } });
      await stage().installation.kubectl('patch', 'nc', NAME, '--type=merge', '-p', text);
    }

    async function objectOf(): Promise<NacosClusterObject> {
      return await stage().installation.get<NacosClusterObject>('nc', NAME);
    }

    async function podsOf(): Promise<readonly PodObject[]> {
      const label = `app.kubernetes.io/component=etcd,app.kubernetes.io/instance=${NAME}`;
      return (await stage().installation.get<{ items: PodObject[] }>('pods', '-l', label)).items;
    }

    async function podUids(): Promise<ReadonlySet<string>> {
      return new Set((await podsOf()).map(({ metadata }) => metadata.uid));
    }

    async function vip(): Promise<Registry> {
      return new Registry(Number(new URL(server).port));
    }

    /** Of the member that always stays, where it is now. */
    async function first(): Promise<EtcdCalls> {
      const { cluster, installation } = stage();
      const { data } = await installation.get<{ data: Record<string, string> }>('secret', `${NAME}-etcd-login`);
      const text = (key: string) => Buffer.from(data[key] ?? '', 'base64').toString('utf8');
      const { podIP } = (await installation.pod(`${NAME}-etcd-0`)).status;
      const { port } = await cluster.forward({ host: podIP, port: 2379 });
      return new EtcdCalls(port, { user: text('user'), password: text('password') });
    }

    /** The most pods of members that were away at a time. */
    function watchPods() {
      let awayMax = 0;
      return looking(
        200,
        async () => {
          const pods = await podsOf();
          awayMax = Math.max(awayMax, 3 - pods.filter(isReady).length);
        },
        () => awayMax,
      );
    }
  });
}

/** How the members were, one form after the other, and how long at most nobody answered with a quorum. */
function watchMembers(calls: EtcdCalls) {
  const forms: string[] = [];
  let silentMs = 0;
  let heardMs = performance.now();
  return looking(
    50,
    async () => {
      const members = await calls.members();
      silentMs = Math.max(silentMs, Math.round(performance.now() - heardMs));
      heardMs = performance.now();
      const form = members.map(nameOf).sort().join(' ');
      if (forms.at(-1) !== form) forms.push(form);
    },
    () => ({ forms, silentMs }),
  );
}

/** The number of a member, in brackets as long as it has no vote. */
function nameOf({ peerUrls, isLearner }: EtcdMember): string {
  const ordinal = /-(\d+)\./.exec(peerUrls[0] ?? '')?.[1] ?? '?';
  return isLearner ? `(${ordinal})` : ordinal;
}

function idsOf(members: readonly EtcdMember[]): readonly string[] {
  return members.map(({ id }) => id).sort();
}

/** Looks again and again until it is stopped; a look that fails is one that saw nothing. */
function looking<T>(everyMs: number, look: () => Promise<void>, result: () => T) {
  let isStopped = false;
  const done = (async () => {
    while (!isStopped) {
      await look().catch(() => {});
      await delay(everyMs);
    }
  })();
  return {
    async stop(): Promise<T> {
      isStopped = true;
      await done;
      return result();
    },
  };
}

function runs(image: string): (pod: PodObject) => boolean {
  return (pod) => isReady(pod) && (pod.spec?.containers.some((container) => container.image === image) ?? false);
}
