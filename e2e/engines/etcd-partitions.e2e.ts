/**
 * Members of etcd that run and answer, and are cut off from each other (P8, F9): one is never missed, though nodes reach
 * it as before; without two writes are refused and all else goes on.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { delay, until } from '../kubernetes/processes.ts';
import { requireOrFail } from '../kubernetes/require.ts';
import { missingForNamespaces } from '../processes/namespaces.ts';
import { etcdMissing } from './etcd.ts';
import { EtcdNetwork, MEMBERS } from './etcd-network.ts';
import type { Answer } from './relay.ts';

const skip = (await etcdMissing()) ?? requireOrFail('etcd in network namespaces', missingForNamespaces());
const GROUP = 'PARTITION';
/** Promised are 3 s; the rest is what a busy machine adds. */
const REFUSED_MS_MAX = 3_500;
/** Longer than an election and than the silence after which members count others as gone. */
const CUT_MS = 4_000;
/** Two members may vote for themselves more than once, each time for a second or two. */
const ELECTED_MS_MAX = 12_000;
const FOLLOWED_MS_MAX = 5_000;
const HEALED_MS_MAX = 20_000;
const PAUSE_MS = 50;

describe('members of etcd cut off from each other', { skip }, () => {
  test('one of three is not missed, also when it led; without two writes are refused', async (context) => {
    await using all = await EtcdNetwork.start();
    const acknowledged = new Map<string, number>();
    const publish = async (node: number, dataId: string, n: number): Promise<Answer> => {
      const answer = await all.ask(node, 'POST', '/v1/cs/configs', { dataId, group: GROUP, content: `${n}` });
      if (answer.status === 200) acknowledged.set(dataId, n);
      return answer;
    };
    const read = async (node: number, dataId: string, show = '') =>
      all.ask(node, 'GET', `/v1/cs/configs?dataId=${dataId}&group=${GROUP}${show}`);
    const stored = async (node: number, dataId: string) => {
      const { status, text } = await read(node, dataId, '&show=all');
      return status === 200 ? Number((JSON.parse(text) as { readonly content: string }).content) : undefined;
    };
    const isFollowed = (dataId: string) =>
      until(
        'every node serves what was written',
        async () => {
          const answers = await Promise.all(all.nodes.map((node) => read(node, dataId)));
          return answers.every(({ text }) => Number(text) === acknowledged.get(dataId));
        },
        { timeoutMs: FOLLOWED_MS_MAX },
      );

    const leader = await all.leader();
    for (const host of [leader, ...MEMBERS.filter((member) => member !== leader)]) {
      const led = (await all.leader()) === host ? ', which led' : '';
      const others = MEMBERS.filter((member) => member !== host);
      await all.network.part([host], others);
      const cutMs = performance.now();
      let [written, refused] = [0, 0];
      for (let n = 1; performance.now() - cutMs < (written === 0 ? ELECTED_MS_MAX : CUT_MS); n += 1) {
        for (const node of all.nodes) {
          const dataId = `${host}-${node}`;
          const { status, text, tookMs } = await publish(node, dataId, n);
          if (status === 200) {
            written += 1;
            // Nothing older than what was acknowledged, whichever member answers.
            for (const other of all.nodes) {
              const found = await stored(other, dataId);
              assert.ok(found === undefined || found === n, `${found} was read after ${n} was written`);
            }
          } else {
            refused += 1;
            assert.equal(status, 503, text);
            assert.ok(tookMs < REFUSED_MS_MAX, `refused after ${tookMs} ms`);
          }
        }
        await delay(PAUSE_MS);
      }
      assert.ok(written > 0, `${refused} were refused`);
      const last = await Promise.all(all.nodes.map((node) => publish(node, `last-${host}-${node}`, 1)));
      assert.deepEqual(new Set(last.map(({ status }) => status)), new Set([200]));
      await Promise.all(all.nodes.map((node) => isFollowed(`last-${host}-${node}`)));
      await all.network.heal();
      context.diagnostic(`${host}${led}: ${written} written, ${refused} refused`);
    }

    const [one, two] = all.nodes as [number, number];
    assert.equal((await publish(one, 'minority', 1)).status, 200);
    await isFollowed('minority');
    await all.network.part(['e0'], ['e1', 'e2']);
    await all.network.part(['e1'], ['e2']);
    // Until the last leader knows, it tries.
    await delay(CUT_MS);
    for (const node of all.nodes) {
      const { status, text, tookMs } = await all.ask(node, 'POST', '/v1/cs/configs', {
        ...{ dataId: 'minority', group: GROUP, content: '2' },
      });
      assert.equal(status, 503, text);
      assert.match(text, /the store cannot be reached/);
      assert.ok(tookMs < REFUSED_MS_MAX, `refused after ${tookMs} ms`);
      assert.equal((await read(node, 'minority')).text, '1');
    }
    const instance = 'serviceName=s&ip=10.0.0.1&port=80&ephemeral=true';
    assert.equal((await all.ask(two, 'POST', `/v1/ns/instance?${instance}`)).text, 'ok');
    await all.network.heal();
    const healedMs = performance.now();
    await until('writes are taken again', async () => (await publish(two, 'minority', 3)).status === 200, {
      timeoutMs: HEALED_MS_MAX,
    });
    await isFollowed('minority');
    context.diagnostic(`without a majority: refused; healed in ${Math.round(performance.now() - healedMs)} ms`);
    for (const [dataId, n] of acknowledged) {
      for (const node of all.nodes) {
        const found = await stored(node, dataId);
        assert.ok(found !== undefined && found >= n, `${dataId}: ${n} was acknowledged, ${found} is stored`);
      }
    }
  });
});
