/** cluster.conf of a running pod, spoilt by hand: refused by the node, put right by the sidecar. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeMemberList } from '@nacos-kube/core/model/member-list.ts';
import { until } from '../cluster.ts';
import { NAME, type Three } from './three.ts';

const ORDINAL = 0;
const FILE = '/run/nacos-kube/cluster.conf';
const REPAIRED_MS_MAX = 15_000;
/** Written beside and renamed, as one would who means well. */
const REPLACE = `const { renameSync, writeFileSync } = require('node:fs');
  writeFileSync('${FILE}.by-hand', process.argv[1]);
  renameSync('${FILE}.by-hand', '${FILE}');`;

export function memberLists(stage: () => Three): void {
  describe('a cluster.conf that is spoilt', () => {
    // One that cannot be read and one that can; the other reasons to refuse are those of server/src/members/list-judge.test.ts.
    const spoilt: readonly [what: string, make: (good: string) => string, reason: RegExp][] = [
      ['torn', (good) => good.slice(0, -25), /does not end in a newline/],
      [
        'of another cluster',
        () =>
          encodeMemberList({ generation: 1_000_000, members: ['other-0.other.svc:8848', 'other-1.other.svc:8848'] }),
        /does not name this member/,
      ],
    ];

    for (const [what, make, reason] of spoilt)
      test(`${what}: refused with the old list kept, then put right`, async (t) => {
        const three = stage();
        const pod = await three.pod(ORDINAL);
        const node = await three.node(ORDINAL);
        const good = await three.memberList(pod);
        const refusals = await node.metric('nacos_kube_member_list_refusals_total');
        const repairs = await repairsOf(three);
        let looks = 0;
        let isOver = false;
        const looking = (async () => {
          while (!isOver) {
            const { length } = await node.members();
            assert.equal(length, 3, 'members in force');
            looks++;
          }
        })();
        try {
          const name = three.podName(ORDINAL);
          await three.installation.kubectl('exec', name, '-c', 'node', '--', 'node', '-e', REPLACE, make(good));
          const spoiltMs = performance.now();
          const options = { timeoutMs: REPAIRED_MS_MAX, everyMs: 20 };
          await until('it is put right', async () => (await three.memberList(pod)) === good, options);
          t.diagnostic(`right again ${Math.round(performance.now() - spoiltMs)} ms after kubectl exec`);
          const isCounted = async () => (await node.metric('nacos_kube_member_list_refusals_total')) > refusals;
          await until('the node counts a refusal', isCounted, options);
          await until('the sidecar counts a repair', async () => (await repairsOf(three)) > repairs, options);
          const log = await three.installation.kubectl('logs', name, '-c', 'node', '--tail=20');
          assert.match(log, reason);
          assert.match(log, /the member list is not obeyed/);
        } finally {
          isOver = true;
        }
        await looking;
        assert.ok(looks > 0);
        await until('nothing is refused any more', async () =>
          /^nacos_kube_member_list_refused\{[^}]*\} 0$/m.test(await three.metricsOf(ORDINAL)),
        );
        assert.equal((await three.pod(ORDINAL)).metadata.uid, pod.metadata.uid);
        await three.installation.ready(NAME, 3);
      });
  });
}

async function repairsOf(three: Three): Promise<number> {
  return Number(/^nacos_kube_member_list_repairs_total (\d+)$/m.exec(await three.metricsOf(ORDINAL))?.[1]);
}
