import { World } from '@nacos-kube/core/sim/world.ts';
import type { Registry } from 'prom-client';
import { createMetrics as createOperatorMetrics } from '../../operator/src/metrics.ts';
import { PUBLIC_PORT, SimulatedCluster } from '../../server/src/simulation/cluster.ts';
import { createMetrics as createSidecarMetrics } from '../../sidecar/src/metrics/metrics.ts';
import { code, head, table } from './markdown.ts';

export interface Metric {
  readonly name: string;
  readonly kind: string;
  readonly labels: readonly string[];
  readonly help: string;
}

export async function metricsPage(): Promise<string> {
  const [node, sidecar, operator] = await Promise.all([nodeMetrics(), sidecarMetrics(), operatorMetrics()]);
  return `${[
    head('Metrics', 'what each program exports'),
    'How to scrape them, and what to watch: [monitoring](../operating/monitoring.md).',
    '## Sidecar: `:9100/metrics`',
    'What the node beside it sees and does, as it told with its last lease (asked for each second), and the probes.',
    metricsTable(sidecar),
    '## Node: `:8848/nacos/actuator/prometheus`',
    [
      'On the public port, below its context path. Beside these there are the `process_*` and `nodejs_*` of',
      'prom-client, and of the machine `system_cpu_usage` (0 to 1) and `system_load_average_1m`.',
      'Where a name is exported by the sidecar too, it means the same; choose by the job.',
    ].join('\n'),
    metricsTable(node),
    'Names of `nacos_monitor`, as dashboards for Nacos 1.4 know them:',
    table(
      ['module', 'name'],
      [...(await monitorNames())].map((pair) => pair.split(' ').map(code)),
    ),
    '## Operator: `:9101/metrics`',
    'Only the operator that leads works; all of them export.',
    metricsTable(operator),
  ].join('\n\n')}\n`;
}

function metricsTable(metrics: readonly Metric[]): string {
  return table(
    ['metric', 'kind', 'labels', 'what'],
    metrics.map(({ name, kind, labels, help }) => [code(name), kind, labels.map(code).join(', '), help]),
  );
}

async function nodeMetrics(): Promise<readonly Metric[]> {
  return metricsIn(await scrapeSimulatedNode());
}

async function monitorNames(): Promise<ReadonlySet<string>> {
  const samples = (await scrapeSimulatedNode()).matchAll(/^nacos_monitor\{module="(\w+)",name="(\w+)"\}/gm);
  return new Set([...samples].map(([, module, name]) => `${module} ${name}`));
}

/** What one of three nodes answers that see each other, so that no metric lacks its labels. */
async function scrapeSimulatedNode(): Promise<string> {
  const world = new World({ seed: 1 });
  const cluster = new SimulatedCluster(world, 3);
  const scraper = world.process('scraper', { address: '10.0.1.1' });
  cluster.startAll();
  if (!(await world.until(() => cluster.isWhole, 60_000))) throw new Error('the simulated nodes did not become ready');
  const get = async (path: string) => {
    const request = { address: '10.0.0.1', port: PUBLIC_PORT, method: 'GET', path, timeoutMs: 1_000 };
    const { body } = await world.finish(scraper.network.request(request));
    return new TextDecoder().decode(body);
  };
  await get('/nacos/v1/console/health/liveness'); // the first request is what the second one's answer counts
  return await get('/nacos/actuator/prometheus');
}

/** In the order of the text; labels are those of the samples. */
export function metricsIn(exposition: string): readonly Metric[] {
  return [...exposition.matchAll(/^# HELP (\w+) (.*)\n# TYPE \w+ (\w+)$/gm)].map(
    ([, name = '', help = '', kind = '']) => {
      const sample = new RegExp(`^${name}\\{(.*)\\} `, 'm').exec(exposition)?.[1] ?? '';
      const labels = [...sample.matchAll(/(\w+)="/g)].map(([, label = '']) => label);
      return { name, kind, labels, help };
    },
  );
}

function sidecarMetrics(): readonly Metric[] {
  const nobody = (): never => {
    throw new Error('nobody scrapes');
  };
  return metricsOf(createSidecarMetrics(nobody).registry);
}

function operatorMetrics(): readonly Metric[] {
  const facts = { depth: () => 0, isLeader: () => true, hasSynced: () => true, clusters: () => 0, registered: () => 0 };
  return metricsOf(createOperatorMetrics(facts).registry);
}

function metricsOf(registry: Registry): readonly Metric[] {
  return registry.getMetricsAsArray().map((metric) => {
    const { name, help, type, labelNames } = metric as unknown as {
      readonly name: string;
      readonly help: string;
      readonly type: string;
      readonly labelNames: readonly string[];
    };
    return { name, kind: type, labels: labelNames, help };
  });
}
