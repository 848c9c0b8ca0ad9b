import type { Host, LogLevel } from '../host.ts';
import { createNodeClock } from './clock.ts';
import { createNodeDisk } from './disk.ts';
import { createLog, type LogFormat } from './log.ts';
import { createNodeMachine } from './machine.ts';
import { createNodeNetwork } from './network.ts';
import { nodeRandom } from './random.ts';

export interface NodeHostSettings {
  readonly name: string;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** Texts that no log line may show: keys, passwords. */
  readonly secrets?: readonly string[];
}

export interface NodeHost extends Host {
  /** How many promises given to `background` were rejected so far. */
  backgroundFailures(): number;
}

/** The machine this process runs on. Log lines go to standard error. */
export function createNodeHost(settings: NodeHostSettings): NodeHost {
  const { name, logLevel, logFormat, secrets = [] } = settings;
  const log = createLog({
    process: name,
    level: logLevel,
    format: logFormat,
    secrets,
    now: () => Date.now(),
    write: (line) => process.stderr.write(line),
  });
  let failures = 0;
  return {
    name,
    clock: createNodeClock(log),
    random: nodeRandom,
    network: createNodeNetwork(log.area('network')),
    disk: createNodeDisk(log.area('disk')),
    log,
    logLevels: log.levels,
    machine: createNodeMachine(() => performance.now()),
    background(workName, work) {
      work.catch((error) => {
        failures++;
        log.error('background work failed', { work: workName, error });
      });
    },
    backgroundFailures: () => failures,
  };
}
