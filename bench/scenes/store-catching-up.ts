/** A node that comes to a store with much in it: the first full read and dump, and what it missed while it was away. */
import { join } from 'node:path';
import type { FillOrder } from '../fill.ts';
import type { SceneResult } from '../report.ts';
import { ANY, type Requests, requestsFor, TRUE } from '../requests.ts';
import { contentOf, upTo } from '../rows.ts';
import type { Scene, SceneContext } from '../scenes.ts';
import { exchange, loadOnce, type OwnNode, scrape, startNode } from '../server.ts';
import { prepareCluster } from './replication-cluster.ts';

const SIZE = { configs: 100_000, missed: 20_000 };
const QUICK_SIZE = { configs: 300, missed: 100 };
const FILL_MS_MAX = 240_000;
const READY_MS_MAX = 120_000;
const DUMPED_MS_MAX = 300_000;
const LOOK_EACH_MS = 20;
const SAMPLED_EACH = 100;

export const fullDump: Scene = { name: 'store dump', needsOwnNode: true, deadlineMs: 600_000, run: measureDump };
export const catchingUp: Scene = {
  name: 'store catching up',
  needsOwnNode: true,
  deadlineMs: 300_000,
  run: measureCatchingUp,
};

async function measureDump({ stage, isQuick }: SceneContext): Promise<SceneResult> {
  const { configs } = isQuick ? QUICK_SIZE : SIZE;
  const data = stage.folder();
  try {
    const order: FillOrder = { sqliteFile: join(data, 'store.sqlite'), services: 0, perService: 0, configs };
    await stage.ask('fill.ts', order, FILL_MS_MAX);
    const node = await startNode(stage, data, READY_MS_MAX);
    const startedMs = performance.now() - node.readyAfterMs;
    await reached(node, 'nacos_kube_config_dump_writes_total', configs, DUMPED_MS_MAX);
    const dumpedS = (performance.now() - startedMs) / 1_000;
    await stage.end(node.child);
    const again = await startNode(stage, data, READY_MS_MAX);
    await stage.end(again.child);
    return {
      name: `${configs.toLocaleString('en')} configs, 1 KB, sqlite`,
      figures: [
        { what: 'served after, with an empty disk', value: node.readyAfterMs / 1_000, unit: 's' },
        { what: 'all dumped after', value: dumpedS, unit: 's' },
        { what: 'served after kill -9, with its dump', value: again.readyAfterMs / 1_000, unit: 's' },
      ],
      notes: [],
    };
  } finally {
    stage.removeFolder(data);
  }
}

/** One of two members is away while the other one takes publishes. */
async function measureCatchingUp({ stage, isQuick }: SceneContext): Promise<SceneResult> {
  const { missed } = isQuick ? QUICK_SIZE : SIZE;
  const cluster = await prepareCluster(stage, { members: 2 });
  try {
    const [stays, leaves] = await Promise.all(cluster.members.map((member) => member.start(true)));
    const to = requestsFor(stays!.contextPath, stays!.host, '');
    const dataIds = upTo(missed).map((n) => `missed-${n}`);
    const publishes = (version: string) => dataIds.map((dataId) => to.publish(dataId, contentOf(version + dataId)));
    await loadOnce(stage, stays!, publishes('old '), TRUE);
    await reached(leaves!, 'nacos_kube_config_configs', missed, READY_MS_MAX);
    await stage.end(leaves!.child);
    await loadOnce(stage, stays!, publishes('new '), TRUE);
    const startedMs = performance.now();
    const back = await cluster.members[1]!.start(false);
    await serves(back, to, dataIds, 'new ');
    const startS = (performance.now() - startedMs) / 1_000;
    back.child.kill('SIGSTOP');
    await loadOnce(stage, stays!, publishes('newer '), TRUE);
    const wokenMs = performance.now();
    back.child.kill('SIGCONT');
    await serves(back, to, dataIds, 'newer ');
    return {
      name: `a node that missed ${missed.toLocaleString('en')} changes, sqlite`,
      figures: [
        { what: 'serves all of them after it was started again', value: startS, unit: 's' },
        { what: 'after it was frozen', value: (performance.now() - wokenMs) / 1_000, unit: 's' },
      ],
      notes: [],
    };
  } finally {
    await cluster.stop();
  }
}

/** The last ones, and then some of all. */
async function serves(node: OwnNode, to: Requests, dataIds: readonly string[], version: string): Promise<void> {
  const last = dataIds.at(-1)!;
  const text = contentOf(version + last);
  while (!(await exchange(node, to.getConfig(last), ANY)).includes(text)) await delay(LOOK_EACH_MS);
  for (const [i, dataId] of dataIds.entries()) {
    if (i % SAMPLED_EACH !== 0) continue;
    await exchange(node, to.getConfig(dataId), { text: contentOf(version + dataId), full: { kind: 'text' } });
  }
}

async function reached(node: OwnNode, figure: string, least: number, withinMs: number): Promise<void> {
  const endsMs = performance.now() + withinMs;
  for (;;) {
    const value = (await scrape(node))(figure);
    if (value >= least) return;
    if (performance.now() > endsMs) throw new Error(`${figure} did not reach ${least} in ${withinMs} ms: ${value}`);
    await delay(LOOK_EACH_MS);
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
