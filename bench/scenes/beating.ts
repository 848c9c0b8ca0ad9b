import type { BeatOrder, BeatResult } from '../beater.ts';
import type { SceneResult } from '../report.ts';
import { ANY } from '../requests.ts';
import { upTo } from '../rows.ts';
import type { Scene, SceneContext } from '../scenes.ts';
import { loadOnce } from '../server.ts';

const SERVICES = 1_000;
const PER_SERVICE = 100;
const PERIOD_MS = 5_000;
const WINDOW_MS = 15_000;
const QUICK = { services: 10, perService: 50, periodMs: 1_000, windowMs: 1_000 };
/** Asked for and reached differ by more: the server could not follow. */
const REACHED_SHARE = 0.98;

/** A large registry at rest: nothing changes, all beat. */
export const beating: Scene = {
  name: '100,000 beating instances',
  needsOwnNode: false,
  deadlineMs: 300_000,
  run: measure,
};

async function measure({ stage, isQuick, server, requests }: SceneContext): Promise<SceneResult> {
  const target = await server();
  const { host, port, contextPath, pid, isOurs } = target;
  const to = requests(target);
  const size = isQuick
    ? QUICK
    : { services: SERVICES, perService: PER_SERVICE, periodMs: PERIOD_MS, windowMs: WINDOW_MS };
  const { services, perService, periodMs } = size;
  const order: BeatOrder = { host, port, contextPath, prefix: to.prefix, ...size, serverPid: pid, isOurs };
  const instances = upTo(services * perService);
  try {
    const result = await stage.ask<BeatResult>('beater.ts', order, beating.deadlineMs);
    const asked = instances.length / (periodMs / 1_000);
    const isReached = result.beatsPerSecond >= REACHED_SHARE * asked;
    const inMegabytes = result.rssBytes === null ? null : result.rssBytes / 1024 / 1024;
    return {
      name: `${instances.length.toLocaleString('en')} beating instances of ${services.toLocaleString('en')} services`,
      figures: [
        { what: 'memory', value: inMegabytes, unit: 'MB', scale: 'memory at 100k' },
        { what: 'CPU seconds per 1,000 beats', value: result.cpuSecondsPer1000, unit: '', scale: 'beats at 100k' },
        { what: 'beats taken', value: result.beatsPerSecond, unit: '/s' },
        { what: 'from due to answered, p50', value: result.dueToAnswerP50Ms, unit: 'ms' },
        { what: 'from due to answered, p99', value: result.dueToAnswerP99Ms, unit: 'ms' },
        ...(isOurs
          ? [{ what: 'delay of the event loop, p99', value: result.loopDelayP99Ms, unit: 'ms' as const }]
          : []),
        { what: 'registering them all', value: result.registerSeconds, unit: 's' },
      ],
      notes: isReached
        ? []
        : [
            `${asked.toLocaleString('en')} beats a second were due and not all of them were taken: server ${percent(result.cpuShare)}, generator ${percent(result.generatorCpu)} of a core.`,
          ],
    };
  } finally {
    if (!isOurs) {
      const names = upTo(services).map((n) => `beating-${n}`);
      const deregisters = instances.map((n) => to.deregister(names[n % services]!, n));
      await loadOnce(stage, target, [...deregisters, ...names.map(to.removeService)], ANY);
    }
  }
}

function percent(share: number | null): string {
  return share === null ? 'unknown' : `${Math.round(share * 100)} %`;
}
