import type { HttpResponse, Machine, MachineLoad } from '@nacos-kube/core/host/host.ts';
import { OPEN, type Route } from '@nacos-kube/core/http/route.ts';
import { Counter, collectDefaultMetrics, Gauge, type Metric, Registry } from 'prom-client';
import type { RequestFigures } from './requests.ts';
import { type SampleCollector, summaryCollectors } from './samples.ts';
import type { Timing } from './timing.ts';

/** Plain numbers, read when somebody scrapes. */
export interface MetricSources {
  /** Of `nacos_monitor{module,name}`: the names that dashboards for 1.4 know. */
  readonly monitor: Readonly<Record<'config' | 'naming', Readonly<Record<string, () => number>>>>;
  /** Answers of the public port. */
  readonly requests: RequestFigures;
  /** Of `nacos_exception_total{module,name}`. */
  readonly exceptions: Readonly<Record<'config' | 'naming', Readonly<Record<string, () => number>>>>;
  /** Of `nacos_timer_seconds{module,name}`. */
  readonly timers: readonly { readonly module: string; readonly name: string; readonly timing: Timing }[];
  readonly machine: Machine;
  /** Our own, name without the `nacos_kube_` prefix. */
  readonly gauges: readonly GaugeSource[];
}

export interface GaugeSource {
  readonly name: string;
  readonly help: string;
  /** Names of labels, in the order of the values that `read` gives. */
  readonly labels: readonly string[];
  readonly read: () => readonly { readonly labels: readonly string[]; readonly value: number }[];
  /** Only ever grows: a counter, whose name ends in `_total`. */
  readonly isTotal?: boolean;
}

/** A gauge without labels. */
export function plainGauge(name: string, help: string, read: () => number): GaugeSource {
  return { name, help, labels: [], read: () => [{ labels: [], value: read() }] };
}

/** What only ever grows, without labels; a `_total` is added to its name. */
export function plainTotal(name: string, help: string, read: () => number): GaugeSource {
  return { ...plainGauge(`${name}_total`, help, read), isTotal: true };
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: RequestFigures;

  constructor(sources: MetricSources, options: { readonly withProcess: boolean }) {
    if (options.withProcess) {
      collectDefaultMetrics({ register: this.#registry });
      this.#machine(sources.machine);
    }
    this.#requests = sources.requests;
    for (const collector of this.#requests.collectors()) this.#register(collector);
    this.#monitor(sources.monitor);
    this.#exceptions(sources.exceptions);
    const timers = sources.timers.map(({ module, name, timing }) => ({ labels: { module, name }, of: timing }));
    for (const collector of summaryCollectors(
      'nacos_timer_seconds',
      'times under the names of Nacos 1.4',
      () => timers,
    )) {
      this.#register(collector);
    }
    for (const source of sources.gauges) this.#gauge(source);
  }

  observe(path: string, method: string, status: number, durationMs: number): void {
    this.#requests.observe(path, method, status, durationMs);
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

  #exceptions(sources: MetricSources['exceptions']): void {
    new Counter({
      name: 'nacos_exception_total',
      help: 'failures under the names of Nacos 1.4',
      labelNames: ['module', 'name'],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [module, figures] of Object.entries(sources)) {
          for (const [name, read] of Object.entries(figures)) this.inc({ module, name }, read());
        }
      },
    });
  }

  /** As the reference names them; what is not known is left out. */
  #machine(machine: Machine): void {
    const gauge = (name: string, help: string, read: (load: MachineLoad) => number) =>
      new Gauge({
        ...{ name, help, registers: [this.#registry] },
        collect() {
          const value = read(machine.load());
          if (value < 0) this.remove();
          else this.set(value);
        },
      });
    gauge('system_cpu_usage', 'share of all cores of the machine that is busy, 0 to 1', ({ cpu }) => cpu);
    gauge('system_load_average_1m', 'runnable tasks of the machine, mean of a minute', ({ load }) => load);
  }

  /** One that makes its samples itself, several names in one. */
  #register(collector: SampleCollector): void {
    this.#registry.registerMetric(collector as unknown as Metric<string>);
  }

  #gauge({ name, help, labels, read, isTotal = false }: GaugeSource): void {
    const registers = [this.#registry];
    const options = { name: `nacos_kube_${name}`, help, labelNames: [...labels], registers };
    const samples = () =>
      read().map(({ labels: values, value }): [Record<string, string>, number] => [
        Object.fromEntries(labels.map((label, index) => [label, values[index] ?? ''])),
        value,
      ]);
    if (isTotal) {
      new Counter({
        ...options,
        collect() {
          this.reset();
          for (const [sampleLabels, value] of samples()) this.inc(sampleLabels, value);
        },
      });
      return;
    }
    new Gauge({
      ...options,
      collect() {
        this.reset();
        for (const [sampleLabels, value] of samples()) this.set(sampleLabels, value);
      },
    });
  }
}
