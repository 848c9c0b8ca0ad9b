/** What a member costs that joins, and what three of them do at once. */
import { KeepAliveCaller } from '../../e2e/processes/keep-alive.ts';
import { median, rssBytes } from '../machine.ts';
import type { Figure, SceneResult } from '../report.ts';
import type { Scene, SceneContext } from '../scenes.ts';
import {
  CHANGED,
  type Cluster,
  type ClusterMember,
  changes,
  delay,
  fillCluster,
  MEMBERS,
  prepareCluster,
  QUICK_CHANGED,
  QUICK_QUIET,
  QUIET,
  type Size,
  startCluster,
  untilAllSeen,
  untilCount,
} from './replication-cluster.ts';
import { type SpreadOrder, type SpreadResult, spreadService } from './replication-load.ts';
import { hostsOf } from './replication-watched.ts';

const WARM_MS = 700;
const WINDOW_MS = 1_500;
const QUICK_WARM_MS = 200;
const QUICK_WINDOW_MS = 300;
const ASK_GRACE_MS = 60_000;
/** In which its journal is written. */
const JOURNAL_MS = 1_500;

export const joining: Scene = { name: 'joining member', needsOwnNode: true, deadlineMs: 300_000, run: measureJoining };
export const threeMembers: Scene = {
  name: 'three members',
  needsOwnNode: true,
  deadlineMs: 300_000,
  run: measureThroughput,
};

/** From the start of the process, and of a snapshot by the others, to the first 200 of its readiness. */
async function measureJoining({ stage, isQuick, rounds }: SceneContext): Promise<SceneResult> {
  const size = isQuick ? QUICK_QUIET : QUIET;
  const cluster = await prepareCluster(stage);
  const [first, second, joiner] = cluster.members as readonly [ClusterMember, ClusterMember, ClusterMember];
  try {
    await Promise.all([first.start(true), second.start(true)]);
    await untilAllSeen(stage, [first, second]);
    const bare = await joiner.start(true);
    await stage.end(bare.child);
    await fillCluster(stage, { ...cluster, members: [first, second] }, size);
    const join = async (isEmpty: boolean) => {
      const node = await joiner.start(isEmpty);
      // Ready must mean that it has all of them.
      await proveCount(node.host, node.port, cluster, size);
      const rss = rssBytes(node.pid!);
      await untilCount(stage, node, size.instances);
      // Its journal is written.
      if (isEmpty) await delay(JOURNAL_MS);
      await stage.end(node.child);
      return { readyMs: node.readyAfterMs, rss };
    };
    const [fromPeers, fromJournal] = [[] as Joined[], [] as Joined[]];
    for (let round = 0; round < rounds; round++) {
      fromPeers.push(await join(true));
      fromJournal.push(await join(false));
    }
    const seconds = (joined: readonly Joined[]) => median(joined.map(({ readyMs }) => readyMs)) / 1_000;
    return {
      name: `a member joins two that have ${size.instances.toLocaleString('en')} instances`,
      figures: [
        { what: 'ready after, with an empty disk', value: seconds(fromPeers), unit: 's' },
        { what: 'ready after kill -9', value: seconds(fromJournal), unit: 's' },
        { what: 'for scale: ready after, when they have none', value: bare.readyAfterMs / 1_000, unit: 's' },
        { what: 'memory when ready', value: median(fromPeers.map(({ rss }) => rss)) / 1024 / 1024, unit: 'MB' },
      ],
      notes: [],
    };
  } finally {
    await cluster.stop();
  }
}

interface Joined {
  readonly readyMs: number;
  readonly rss: number;
}

async function proveCount(host: string, port: number, { to }: Cluster, { services, instances }: Size): Promise<void> {
  const caller = new KeepAliveCaller(`${host}:${port}`);
  try {
    for (const n of [0, services >> 1, services - 1]) {
      const count = (await hostsOf(caller, `${to.prefix}${spreadService(n)}`)).length;
      if (count !== instances / services) throw new Error(`ready with ${count} instances of a service`);
    }
  } finally {
    caller.close();
  }
}

/** All members share the cores of one machine here, so what they do per second of CPU is what to compare. */
async function measureThroughput({ stage, isQuick, rounds }: SceneContext): Promise<SceneResult> {
  const size = isQuick ? QUICK_CHANGED : CHANGED;
  const windowMs = isQuick ? QUICK_WINDOW_MS : WINDOW_MS;
  const figures: Figure[] = [];
  for (const count of [1, MEMBERS]) {
    const cluster = await startCluster(stage, { members: count });
    try {
      await fillCluster(stage, cluster, size);
      const timing = { perSecond: null, warmMs: isQuick ? QUICK_WARM_MS : WARM_MS, windowMs };
      for (const work of ['changes', 'beats'] as const) {
        const results: SpreadResult[] = [];
        for (let round = 0; round < rounds; round++) {
          const order: SpreadOrder = { ...changes(cluster, size, timing), work };
          results.push(await stage.ask<SpreadResult>('scenes/replication-load.ts', order, windowMs + ASK_GRACE_MS));
        }
        const what = `${count === 1 ? 'one member' : `${count} members`}, ${NAMES[work]}`;
        figures.push(
          { what, value: median(results.map((one) => one.perSecond)), unit: '/s' },
          { what: `${what}, per CPU second`, value: median(results.map((one) => one.perCpuSecond)), unit: '' },
        );
      }
    } finally {
      await cluster.stop();
    }
  }
  return { name: 'registrations and beats at any member', figures, notes: [] };
}

const NAMES = { changes: 'register, each a change', beats: 'heartbeat, light' };
