import { startLocalCluster } from '../../e2e/processes/local-cluster.ts';
import { Traffic } from '../../e2e/processes/traffic.ts';
import type { SceneResult } from '../report.ts';
import type { Scene, SceneContext } from '../scenes.ts';
import { delay } from './replication-cluster.ts';

const CALM_MS = 3_000;
const RESTART_MS_MAX = 150_000;
const LOOK_EACH_MS = 200;

/** Requests of clients that know the VIP alone while `nacos-kube up restart` restarts one member after the other. */
export const rolling: Scene = { name: 'rolling restart', needsOwnNode: true, deadlineMs: 240_000, run: measure };

async function measure({ stage }: SceneContext): Promise<SceneResult> {
  const cluster = await startLocalCluster(3);
  let traffic: Traffic | undefined;
  try {
    stage.throwIfInterrupted();
    traffic = await Traffic.start(cluster.vip);
    await delay(CALM_MS);
    const restarting = cluster.command(['restart'], RESTART_MS_MAX);
    restarting.catch(() => {}); // looked at below, unless the run is interrupted
    let isDone = false;
    const noted = restarting.finally(() => {
      isDone = true;
    });
    noted.catch(() => {});
    while (!isDone) {
      stage.throwIfInterrupted();
      await delay(LOOK_EACH_MS);
    }
    const { code, output, tookMs } = await restarting;
    if (code !== 0) throw new Error(`the restart ended with ${code}: ${output}`);
    await delay(CALM_MS);
    await traffic.stop();
    return {
      name: 'rolling restart of three members behind the VIP',
      figures: [
        { what: 'requests meanwhile', value: traffic.total + traffic.failed, unit: '' },
        { what: 'of them failed', value: traffic.failed, unit: '' },
        { what: 'lists without an instance that beats', value: traffic.short.length, unit: '' },
        { what: 'took', value: tookMs / 1_000, unit: 's' },
      ],
      notes: traffic.failures.length === 0 ? [] : [`The first that failed: ${traffic.failures[0]}.`],
    };
  } finally {
    await traffic?.stop();
    await cluster.kill9();
  }
}
