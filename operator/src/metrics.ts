import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What the operator tells Prometheus about itself. */
export interface OperatorMetrics {
  readonly registry: Registry;
  onTurn(queue: QueueName, turn: { readonly failed: boolean; readonly durationMs: number }): void;
}

export type QueueName = 'clusters' | 'registration';

export interface OperatorFacts {
  depth(queue: QueueName): number;
  isLeader(): boolean;
  hasSynced(): boolean;
  clusters(): number;
  registered(): number;
}

const PREFIX = 'nacos_kube_operator_';

/** Gauges ask for the facts when they are scraped, so nothing has to keep them current. */
export function createMetrics(facts: OperatorFacts): OperatorMetrics {
  const registry = new Registry();
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name: PREFIX + name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  gauge('leader', '1 while this operator is the one that acts', () => Number(facts.isLeader()));
  gauge('synced', '1 once everything that is watched has been listed', () => Number(facts.hasSynced()));
  gauge('clusters', 'NacosClusters that are looked after', () => facts.clusters());
  gauge('registered_pods', 'Instances that stand in registries for annotated pods', () => facts.registered());
  new Gauge({
    name: `${PREFIX}queue_depth`,
    help: 'Keys that wait for a worker',
    labelNames: ['queue'],
    registers,
    collect() {
      for (const queue of ['clusters', 'registration'] as const) this.set({ queue }, facts.depth(queue));
    },
  });
  const turns = new Counter({
    name: `${PREFIX}reconcile_total`,
    help: 'Turns of a queue by result',
    labelNames: ['queue', 'result'],
    registers,
  });
  const durations = new Histogram({
    name: `${PREFIX}reconcile_duration_seconds`,
    help: 'Duration of a turn',
    labelNames: ['queue'],
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  return {
    registry,
    onTurn(queue, { failed, durationMs }) {
      turns.inc({ queue, result: failed ? 'error' : 'ok' });
      durations.observe({ queue }, durationMs / 1000);
    },
  };
}
