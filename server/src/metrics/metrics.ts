import type { HttpResponse } from '@nacos-kube/core/host/host.ts';
import { OPEN, type Route } from '@nacos-kube/core/http/route.ts';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** Plain numbers, read when somebody scrapes. */
export interface MetricSources {
  /** Of `nacos_monitor{module,name}`: the names that dashboards for 1.4 know. */
  readonly monitor: Readonly<Record<'config' | 'naming', Readonly<Record<string, () => number>>>>;
  /** Our own, name without the `nacos_kube_` prefix. */
  readonly gauges: readonly GaugeSource[];
}

export interface GaugeSource {
  readonly name: string;
  readonly help: string;
  /** Names of labels, in the order of the values that `read` gives. */
  readonly labels: readonly string[];
  readonly read: () => readonly { readonly labels: readonly string[]; readonly value: number }[];
}

/** A gauge without labels. */
export function plainGauge(name: string, help: string, read: () => number): GaugeSource {
  return { name, help, labels: [], read: () => [{ labels: [], value: read() }] };
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Counter<'uri' | 'method' | 'status'>;

  constructor(sources: MetricSources, options: { readonly withProcess: boolean }) {
    if (options.withProcess) collectDefaultMetrics({ register: this.#registry });
    this.#requests = new Counter({
      name: 'http_server_requests_seconds_count',
      help: 'answers of the public port, by route',
      labelNames: ['uri', 'method', 'status'],
      registers: [this.#registry],
    });
    this.#monitor(sources.monitor);
    for (const source of sources.gauges) this.#gauge(source);
  }

  observe(path: string, method: string, status: number): void {
    this.#requests.inc({ uri: path, method: METHODS.has(method) ? method : 'other', status });
  }

  route(): Route {
    return {
      method: 'GET',
      path: '/actuator/prometheus',
      policy: OPEN,
      handler: async (): Promise<HttpResponse> => ({
        status: 200,
        headers: { 'content-type': this.#registry.contentType },
        body: await this.#registry.metrics(),
      }),
    };
  }

  #monitor(sources: MetricSources['monitor']): void {
    new Gauge({
      name: 'nacos_monitor',
      help: 'figures under the names of Nacos 1.4',
      labelNames: ['module', 'name'],
      registers: [this.#registry],
      collect() {
        for (const [module, figures] of Object.entries(sources)) {
          for (const [name, read] of Object.entries(figures)) this.set({ module, name }, read());
        }
      },
    });
  }

  #gauge({ name, help, labels, read }: GaugeSource): void {
    new Gauge({
      name: `nacos_kube_${name}`,
      help,
      labelNames: [...labels],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const sample of read()) {
          this.set(Object.fromEntries(labels.map((label, index) => [label, sample.labels[index] ?? ''])), sample.value);
        }
      },
    });
  }
}

/** Anything may stand in a request line; labels must stay few. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']);
