/** What the registry of prom-client needs of a metric, for those that hold their figures themselves. */
export interface SampleCollector {
  readonly name: string;
  readonly help: string;
  readonly aggregator: string;
  get(): Promise<{
    readonly name: string;
    readonly help: string;
    readonly type: string;
    readonly aggregator: string;
    readonly values: readonly Sample[];
  }>;
  reset(): void;
}

interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

export interface Summed {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly of: { readonly count: number; readonly seconds: number; readonly secondsMax: number };
}

/** `NAME_count` and `NAME_sum` as a summary, `NAME_max` as a gauge: a timer as the reference exports it. */
export function summaryCollectors(name: string, help: string, read: () => readonly Summed[]): SampleCollector[] {
  return [
    collector(name, help, 'summary', () =>
      read().flatMap(({ labels, of }) => [
        { metricName: `${name}_count`, labels, value: of.count },
        { metricName: `${name}_sum`, labels, value: of.seconds },
      ]),
    ),
    collector(`${name}_max`, `the longest of ${name}`, 'gauge', () =>
      read().map(({ labels, of }) => ({ metricName: `${name}_max`, labels, value: of.secondsMax })),
    ),
  ];
}

function collector(name: string, help: string, type: string, read: () => readonly Sample[]): SampleCollector {
  const about = { name, help, aggregator: 'sum' };
  return { ...about, get: async () => ({ ...about, type, values: read() }), reset() {} };
}
