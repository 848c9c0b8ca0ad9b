/** What a publish costs on each engine, beside the same transaction asked for by a client that does nothing else. */
import { startCluster } from '../../e2e/engines/cluster.ts';
import { type Engine, type EngineChoice, engineChoices } from '../../e2e/engines/engine.ts';
import type { StoreOrder, StoreResult } from '../bare-sqlite.ts';
import type { BareStoreOrder, BareStoreResult } from '../bare-store.ts';
import type { LoadResult } from '../load.ts';
import { percentile } from '../machine.ts';
import type { Figure, SceneResult } from '../report.ts';
import { requestsFor, TRUE } from '../requests.ts';
import { publishesOf, upTo } from '../rows.ts';
import type { Scene, SceneContext } from '../scenes.ts';
import { load, loadOnce, type Server, scrape } from '../server.ts';
import type { Stage } from '../stage.ts';
import { wakeTimes } from './store-wakes.ts';

const CONCURRENCIES = [1, 32, 256];
const CONFIGS = 2_000;
const QUICK_CONFIGS = 300;
const WARM_MS = 500;
const WINDOW_MS = 2_000;
const QUICK_WINDOW_MS = 300;
const ASK_GRACE_MS = 60_000;
const PUBLISHES = 'nacos_kube_config_publishes_total';
const TRANSACTIONS = 'nacos_kube_config_transactions_total';
const WAKES = 200;
const QUICK_WAKES = 10;
const MEMBERS = 3;

interface Size {
  readonly dataIds: readonly string[];
  readonly windowMs: number;
  readonly wakes: number;
}

export async function storeScenes(): Promise<readonly Scene[]> {
  return (await engineChoices()).map((choice) => ({
    name: `store ${choice.kind}`,
    needsOwnNode: true,
    deadlineMs: 300_000,
    run: (context) => measure(context, choice),
  }));
}

async function measure({ stage, isQuick }: SceneContext, choice: EngineChoice): Promise<SceneResult> {
  const name = `publishes, 1 KB, durable, ${choice.kind}`;
  if (choice.missing !== false)
    return { name, figures: [], notes: [`${choice.kind} was not measured: ${choice.missing}.`] };
  const size: Size = {
    dataIds: upTo(isQuick ? QUICK_CONFIGS : CONFIGS).map((n) => `publish-${n}`),
    windowMs: isQuick ? QUICK_WINDOW_MS : WINDOW_MS,
    wakes: isQuick ? QUICK_WAKES : WAKES,
  };
  const engine = await choice.start({ isRoomy: true });
  try {
    return {
      name,
      figures: [...(await ofOne(stage, engine, size)), ...(await ofThree(stage, engine, size))],
      notes: [],
    };
  } finally {
    await engine.stop();
  }
}

async function ofOne(stage: Stage, engine: Engine, size: Size): Promise<readonly Figure[]> {
  const cluster = await startCluster(engine, { members: 1 });
  const figures: Figure[] = [];
  try {
    const [server] = cluster.nodes.map(({ port, pid }) => serverAt(port, pid)) as [Server];
    const to = requestsFor(server.contextPath, server.host, '');
    await loadOnce(stage, server, publishesOf(to, size.dataIds), TRUE);
    for (const connections of CONCURRENCIES) {
      const { windowMs } = size;
      const before = await scrape(server);
      const result = await load(stage, server, {
        ...{ connections, requests: publishesOf(to, size.dataIds), check: TRUE, warmMs: WARM_MS, durationMs: windowMs },
      });
      const after = await scrape(server);
      figures.push(...loadFigures(`${connections} at once`, [result]));
      const grown = (name: string) => after(name) - before(name);
      const share = (alone: number, how = ''): void => {
        figures.push(
          { what: `${connections} at once, engine alone${how}`, value: alone, unit: '/s' },
          { what: `${connections} at once, share of that${how}`, value: perSecond(result) / alone, unit: '' },
        );
      };
      if (engine.kind !== 'sqlite') {
        share(await storeAlone(stage, engine, size, connections));
        continue;
      }
      const together = Math.max(1, Math.round(grown(PUBLISHES) / grown(TRANSACTIONS)));
      if (Number.isNaN(together)) throw new Error('the node does not tell its publishes and transactions');
      const past = before(PUBLISHES);
      share(await sqliteAlone(stage, size, { group: together, past }));
      if (connections === 1) continue;
      figures.push({ what: `${connections} at once, in a transaction`, value: together, unit: '' });
      // Whoever does nothing else always has as many ready as it likes.
      share(await sqliteAlone(stage, size, { group: connections, past }), `, ${connections} in a transaction`);
    }
    return figures;
  } finally {
    await cluster.stop();
  }
}

async function ofThree(stage: Stage, engine: Engine, size: Size): Promise<readonly Figure[]> {
  const cluster = await startCluster(engine, { members: MEMBERS });
  try {
    const servers = cluster.nodes.map(({ port, pid }) => serverAt(port, pid));
    const figures = wakeFigures('a listener on another node, quiet', await wakeTimes(servers, size.wakes));
    for (const all of CONCURRENCIES) {
      const connections = Math.max(1, Math.round(all / MEMBERS));
      const results = await Promise.all(
        servers.map((server, n) => {
          const own = size.dataIds.filter((_, i) => i % MEMBERS === n);
          const requests = publishesOf(requestsFor(server.contextPath, server.host, ''), own);
          return load(stage, server, {
            connections,
            requests,
            check: TRUE,
            warmMs: WARM_MS,
            durationMs: size.windowMs,
          });
        }),
      );
      figures.push(...loadFigures(`${MEMBERS} nodes, ${connections} at once on each`, results));
    }
    return figures;
  } finally {
    await cluster.stop();
  }
}

async function storeAlone(
  stage: Stage,
  engine: Engine,
  { dataIds, windowMs: durationMs }: Size,
  concurrency: number,
): Promise<number> {
  const { kind } = engine;
  if (kind === 'sqlite') throw new Error('sqlite alone has another process');
  const order: BareStoreOrder = { kind, flags: engine.storageFlags(), dataIds, concurrency, durationMs };
  return (await stage.ask<BareStoreResult>('bare-store.ts', order, durationMs + ASK_GRACE_MS)).perSecond;
}

async function sqliteAlone(
  stage: Stage,
  { windowMs: durationMs }: Size,
  how: Pick<StoreOrder, 'group' | 'past'>,
): Promise<number> {
  const folder = stage.folder();
  try {
    const order: StoreOrder = { folder, durationMs, ...how };
    return (await stage.ask<StoreResult>('bare-sqlite.ts', order, durationMs + ASK_GRACE_MS)).perSecond;
  } finally {
    stage.removeFolder(folder);
  }
}

function loadFigures(what: string, results: readonly LoadResult[]): Figure[] {
  const worst = (of: (result: LoadResult) => number) => Math.max(...results.map(of));
  return [
    { what, value: results.map(perSecond).reduce((sum, one) => sum + one), unit: '/s' },
    { what: `${what}, p50`, value: worst(({ p50Ms }) => p50Ms), unit: 'ms' },
    { what: `${what}, p99`, value: worst(({ p99Ms }) => p99Ms), unit: 'ms' },
  ];
}

function wakeFigures(what: string, tookMs: Float64Array): Figure[] {
  return [
    { what: `${what}, p50`, value: percentile(tookMs, 0.5), unit: 'ms' },
    { what: `${what}, p99`, value: percentile(tookMs, 0.99), unit: 'ms' },
  ];
}

function perSecond({ answers, elapsedMs }: LoadResult): number {
  return answers / (elapsedMs / 1_000);
}

function serverAt(port: number, pid: number): Server {
  return { host: '127.0.0.1', port, contextPath: '/nacos', pid, isOurs: true };
}
