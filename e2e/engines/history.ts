/** One history: callers on all nodes while nodes and the engine fail, then all is whole again, then it is judged. */
import { type RegisterOperation, registerViolations } from '@nacos-kube/core/testing/register-history.ts';
import { delay, until } from '../kubernetes/processes.ts';
import { Callers } from './callers.ts';
import type { EngineCluster } from './cluster.ts';
import { type Engine, type EngineFault, faultOf } from './engine.ts';
import { Random } from './random.ts';

export interface HistoryOptions {
  readonly engine: Engine;
  readonly cluster: EngineCluster;
  readonly seed: number;
}

export interface HistoryReport {
  /** Empty when all is well. */
  readonly violations: readonly string[];
  readonly faults: readonly string[];
  readonly operations: readonly RegisterOperation[];
  readonly acknowledged: number;
  readonly unanswered: number;
  readonly wakes: number;
  /** Keys whose row MariaDB calls damaged after a full disk, which no client of it can mend. */
  readonly damaged: readonly string[];
}

const KEYS = 3;
const FAULTS_MAX = 3;
const CALM_MS = 500;
const CALM_MS_MORE = 700;
const FAULT_MS = 300;
const FAULT_MS_MORE = 1_700;
/** Of all nodes once all is whole: the feed is looked at every 2 s, after an outage at most 5 s apart. */
const EQUAL_MS_MAX = 15_000;

export async function runHistory({ engine, cluster, seed }: HistoryOptions): Promise<HistoryReport> {
  const random = new Random(seed);
  // Drawn apart, for how often the callers draw depends on the machine.
  const callers = new Callers({ cluster, random: new Random(seed + 1_000_003), name: `h${seed}`, keys: KEYS });
  const met: string[] = [];
  try {
    await delay(CALM_MS);
    for (let left = 1 + random.int(FAULTS_MAX); left > 0; left -= 1) {
      const fault = anyFault(engine, cluster, random);
      met.push(fault.name);
      await fault.begin();
      try {
        await delay(FAULT_MS + random.int(FAULT_MS_MORE));
      } finally {
        await fault.end();
      }
      await delay(CALM_MS + random.int(CALM_MS_MORE));
    }
    await cluster.ready();
    await callers.stopPublishing();
    const unequal = await spread(callers);
    await callers.stop();
    const { operations, acknowledged, unanswered, wakes } = callers;
    const damaged = [...callers.damaged];
    const violations = [...registerViolations(operations), ...unequal];
    // No other engine loses a row by itself.
    if (engine.kind !== 'mysql') violations.push(...damaged.map((key) => `the row of ${key} is damaged`));
    return { violations, faults: met, operations, acknowledged, unanswered, wakes, damaged };
  } finally {
    await callers.stop();
  }
}

/** Waits until every node serves, and every listener knows, what the store holds; what is missing when it does not. */
async function spread(callers: Callers): Promise<readonly string[]> {
  let seen = 'the store does not answer';
  const look = async () => {
    const truth = await callers.truth();
    if (truth === undefined) return false;
    const rows = await callers.served();
    const isWrong = (value: string | null | undefined, i: number) =>
      value !== truth[i] && !callers.damaged.has(callers.keys[i]!);
    const wrong = rows.findIndex((row) => row.some(isWrong));
    seen = `row ${wrong} has ${JSON.stringify(rows[wrong])}, the store ${JSON.stringify(truth)}`;
    return wrong < 0;
  };
  try {
    await until('all nodes serve what the store holds', look, { timeoutMs: EQUAL_MS_MAX });
    return [];
  } catch {
    return [`not all nodes serve what the store holds ${EQUAL_MS_MAX} ms after all was whole: ${seen}`];
  }
}

function anyFault(engine: Engine, cluster: EngineCluster, random: Random): EngineFault {
  const node = random.int(cluster.nodes.length);
  const ofNodes = [
    faultOf(
      `node ${node} is killed`,
      () => cluster.kill9(node),
      async () => cluster.launch(node),
    ),
    faultOf(
      `node ${node} is stopped`,
      async () => cluster.pause(node),
      async () => cluster.resume(node),
    ),
  ];
  const isOfEngine = engine.faults.length > 0 && random.int(2) === 0;
  const faults = isOfEngine ? engine.faults : ofNodes;
  return faults[random.int(faults.length)]!;
}
