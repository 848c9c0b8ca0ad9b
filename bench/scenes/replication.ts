/** What three members cost each other: how late changes are at the others, and how much they say. */
import { percentile } from '../machine.ts';
import type { Figure, SceneResult } from '../report.ts';
import type { Scene, SceneContext } from '../scenes.ts';
import {
  CHANGED,
  changes,
  delay,
  fillCluster,
  QUICK_CHANGED,
  QUICK_QUIET,
  QUIET,
  startCluster,
} from './replication-cluster.ts';
import type { SpreadResult } from './replication-load.ts';
import { SPACED_MS, Watched } from './replication-watched.ts';

const RATES = [1_000, 5_000];
const QUICK_RATES = [100];
const WARM_MS = 1_000;
const WINDOW_MS = 8_000;
/** The digests are compared each 5 s: twice in a window, so that the idle figure has whole rounds. */
const TRAFFIC_WINDOW_MS = 10_000;
const SETTLE_MS = 6_000;
const QUICK_WARM_MS = 200;
const QUICK_WINDOW_MS = 800;
const ASK_GRACE_MS = 60_000;
/** Asked for and reached differ by more: the members could not follow. */
const REACHED_SHARE = 0.98;

export const lag: Scene = { name: 'replication lag', needsOwnNode: true, deadlineMs: 240_000, run: measureLag };
export const traffic: Scene = {
  name: 'replication traffic',
  needsOwnNode: true,
  deadlineMs: 240_000,
  run: measureTraffic,
};

async function measureLag({ stage, isQuick }: SceneContext): Promise<SceneResult> {
  const cluster = await startCluster(stage);
  const windowMs = isQuick ? QUICK_WINDOW_MS : WINDOW_MS;
  const notes: string[] = [];
  try {
    const size = isQuick ? QUICK_CHANGED : CHANGED;
    await fillCluster(stage, cluster, size);
    const watched = new Watched(cluster);
    await watched.measure(QUICK_WINDOW_MS); // warm
    const figures = lagFigures('single change', await watched.measure(windowMs));
    for (const perSecond of isQuick ? QUICK_RATES : RATES) {
      stage.throwIfInterrupted();
      const warmMs = isQuick ? QUICK_WARM_MS : WARM_MS;
      const load = changes(cluster, size, { perSecond, warmMs, windowMs });
      const loading = stage.ask<SpreadResult>('scenes/replication-load.ts', load, windowMs + ASK_GRACE_MS);
      loading.catch(() => {}); // looked at below
      await delay(warmMs);
      const tookMs = await watched.measure(windowMs - 2 * SPACED_MS);
      const reached = await loading;
      figures.push(...lagFigures(`${perSecond.toLocaleString('en')} changes/s`, tookMs));
      if (reached.perSecond < REACHED_SHARE * perSecond) {
        const made = Math.round(reached.perSecond).toLocaleString('en');
        notes.push(`Of ${perSecond.toLocaleString('en')} changes a second that were asked for ${made} were made.`);
      }
    }
    watched.close();
    return { name: 'a change at one of three members is listed by both others', figures, notes };
  } finally {
    await cluster.stop();
  }
}

function lagFigures(what: string, tookMs: Float64Array): Figure[] {
  return [
    { what: `${what}, p50`, value: percentile(tookMs, 0.5), unit: 'ms' },
    { what: `${what}, p99`, value: percentile(tookMs, 0.99), unit: 'ms' },
  ];
}

async function measureTraffic({ stage, isQuick }: SceneContext): Promise<SceneResult> {
  const size = isQuick ? QUICK_QUIET : QUIET;
  const windowMs = isQuick ? QUICK_WINDOW_MS : TRAFFIC_WINDOW_MS;
  const cluster = await startCluster(stage, { hasRelays: true });
  const bytes = () => cluster.bytes()!;
  try {
    await fillCluster(stage, cluster, size);
    await delay(isQuick ? 0 : SETTLE_MS); // what differed is compared
    const idleBefore = bytes();
    await delay(windowMs);
    const idlePerMs = (bytes() - idleBefore) / windowMs;

    const watched = new Watched(cluster);
    const [singleBefore, singleMs] = [bytes(), performance.now()];
    const singles = (await watched.measure(windowMs)).length;
    const perSingle = (bytes() - singleBefore - idlePerMs * (performance.now() - singleMs)) / singles;
    watched.close();

    const perSecond = isQuick ? QUICK_RATES[0]! : RATES[0]!;
    const [manyBefore, manyMs] = [bytes(), performance.now()];
    const load = changes(cluster, isQuick ? size : { ...size, instances: CHANGED.instances }, {
      ...{ perSecond, warmMs: 0, windowMs },
    });
    const { perSecond: made } = await stage.ask<SpreadResult>(
      'scenes/replication-load.ts',
      load,
      windowMs + ASK_GRACE_MS,
    );
    const manyBytes = bytes() - manyBefore - idlePerMs * (performance.now() - manyMs);
    const perMany = manyBytes / ((made * windowMs) / 1_000);
    return {
      name: `between three members with ${size.instances.toLocaleString('en')} instances`,
      figures: [
        { what: 'nothing changes, in all, each second', value: idlePerMs, unit: 'KB' },
        { what: 'a single change, at both others', value: perSingle / 1_000, unit: 'KB' },
        {
          what: `a change among ${perSecond.toLocaleString('en')} a second, at both others`,
          value: perMany / 1_000,
          unit: 'KB',
        },
      ],
      notes: [],
    };
  } finally {
    await cluster.stop();
  }
}
