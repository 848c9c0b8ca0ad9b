import type { HoldOrder, HoldResult } from '../hold.ts';
import { median } from '../machine.ts';
import type { SceneResult } from '../report.ts';
import { ANY } from '../requests.ts';
import type { Scene, SceneContext } from '../scenes.ts';
import { exchange } from '../server.ts';

const DATA_ID = 'listened';
const POLLS = 10_000;
const QUICK_POLLS = 200;
/** Each connects well below what a server may allow one address. */
const POLLS_PER_ADDRESS = 1_000;
const SETTLE_MS = 2_000;
const QUICK_SETTLE_MS = 300;

/** Many clients listen to one configuration, and it changes. */
export const listeners: Scene = {
  name: 'held listeners, one publish',
  needsOwnNode: false,
  deadlineMs: 120_000,
  run: measure,
};

async function measure({ stage, rounds, isQuick, server, requests }: SceneContext): Promise<SceneResult> {
  const target = await server();
  const { host, port, contextPath, pid } = target;
  const to = requests(target);
  const polls = isQuick ? QUICK_POLLS : POLLS;
  const order: HoldOrder = {
    host,
    port,
    contextPath,
    prefix: to.prefix,
    dataId: DATA_ID,
    polls,
    from: host === '127.0.0.1' || host === 'localhost' ? loopbackAddresses(Math.ceil(polls / POLLS_PER_ADDRESS)) : null,
    rounds,
    settleMs: isQuick ? QUICK_SETTLE_MS : SETTLE_MS,
    serverPid: pid,
  };
  const result = await stage.ask<HoldResult>('hold.ts', order, listeners.deadlineMs).finally(async () => {
    if (!target.isOurs) await exchange(target, to.removeConfig(DATA_ID), ANY);
  });
  const { rssBeforeBytes, rssHeldBytes } = result;
  const perPoll = rssBeforeBytes === null || rssHeldBytes === null ? null : (rssHeldBytes - rssBeforeBytes) / polls;
  const of = (name: 'p50Ms' | 'p99Ms' | 'lastMs'): number => median(result.rounds.map((round) => round[name]));
  return {
    name: `${polls.toLocaleString('en')} held listeners, one publish`,
    figures: [
      { what: 'half of them woken after', value: of('p50Ms'), unit: 'ms' },
      { what: '99 % of them', value: of('p99Ms'), unit: 'ms' },
      { what: 'the last', value: of('lastMs'), unit: 'ms' },
      {
        what: 'memory of a held poll',
        value: perPoll === null ? null : perPoll / 1024,
        unit: 'KB',
        scale: 'held poll',
      },
    ],
    notes: [],
  };
}

function loopbackAddresses(count: number): readonly string[] {
  return Array.from({ length: count }, (_, n) => `127.0.0.${2 + n}`);
}
