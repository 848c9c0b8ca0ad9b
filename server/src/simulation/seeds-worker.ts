import { workerPort } from '@nacos-kube/core/host/node/worker.ts';
import { runScenario, type ScenarioResult, type ScenarioSettings } from './scenario.ts';

/** What a run came to, without its trace: a seed that failed is run again to be read. */
export type SeedReport = Omit<ScenarioResult, 'trace'>;
export type SeedAnswer = { readonly report: SeedReport } | { readonly seed: number; readonly broke: string };

/** Runs one seed after the other, as they are asked for. */
const port = workerPort<ScenarioSettings, SeedAnswer>();

port.onMessage((settings) => {
  runScenario({ ...settings, isTraceOff: true }).then(
    ({ trace: _, ...report }) => port.post({ report }),
    (error: unknown) => port.post({ seed: settings.seed, broke: error instanceof Error ? error.stack! : `${error}` }),
  );
});
