import { BEAT_INTERVAL_MS } from './instance.ts';
import type { ServiceKey } from './names.ts';

/** Bounds of the time between two probes of a target, ms, and how slowly it follows the measured time (spec/naming.md 6). */
export interface CheckPeriod {
  readonly max: number;
  readonly min: number;
  readonly factor: number;
}

/**
 * What operators switch while the cluster runs, for all members: the reference's SwitchDomain (spec/naming.md 10), by
 * its names on the wire. What has an effect here says so; the rest is kept and shown.
 */
export interface SwitchValues {
  /** `cacheMillis` for clients that are pushed to, and after how long without a question they no longer are; >= 10000. */
  readonly defaultPushCacheMillis: number;
  /** `cacheMillis` for all others; >= 1000. */
  readonly defaultCacheMillis: number;
  readonly clientBeatInterval: number;
  readonly lightBeatEnabled: boolean;
  /** Off: no instance expires and none is probed, but those of `healthCheckWhiteList`. */
  readonly healthCheckEnabled: boolean;
  /** Names of services, `GROUP@@service`. */
  readonly healthCheckWhiteList: readonly string[];
  /** Results in a row that a verdict of an active check takes. */
  readonly checkTimes: number;
  readonly httpHealthParams: CheckPeriod;
  readonly tcpHealthParams: CheckPeriod;
  readonly mysqlHealthParams: CheckPeriod;
  readonly pushEnabled: boolean;
  /** Lowest versions of the clients that are pushed to. */
  readonly pushJavaVersion: string;
  readonly pushGoVersion: string;
  readonly pushPythonVersion: string;
  readonly pushCVersion: string;
  readonly pushCSharpVersion: string;
  /** Off: every member judges everything. Kept and shown; owners stay (docs/protocol says why). */
  readonly distroEnabled: boolean;
  readonly distroThreshold: number;
  readonly distroServerExpiredMillis: number;
  readonly serviceStatusSynchronizationPeriodMillis: number;
  readonly serverStatusSynchronizationPeriodMillis: number;
  /** Kind of an instance whose registration names none. */
  readonly defaultInstanceEphemeral: boolean;
  /** What this cluster answers as its status instead of what it is; null: nothing instead. */
  readonly overriddenServerStatus: string | null;
  /** Status to answer for targets that begin with the key. */
  readonly limitedUrlMap: ReadonlyMap<string, number>;
  readonly autoChangeHealthCheckEnabled: boolean;
  readonly masters: readonly string[] | null;
  readonly incrementalList: readonly string[];
  readonly adWeightMap: ReadonlyMap<string, number>;
  readonly enableStandalone: boolean;
  readonly disableAddIP: boolean;
  readonly sendBeatOnly: boolean;
  readonly enableAuthentication: boolean;
}

export const DEFAULT_SWITCHES: SwitchValues = {
  defaultPushCacheMillis: 10_000,
  defaultCacheMillis: 3_000,
  clientBeatInterval: BEAT_INTERVAL_MS,
  lightBeatEnabled: true,
  healthCheckEnabled: true,
  healthCheckWhiteList: [],
  checkTimes: 3,
  httpHealthParams: { max: 5_000, min: 500, factor: 0.85 },
  tcpHealthParams: { max: 5_000, min: 1_000, factor: 0.75 },
  mysqlHealthParams: { max: 3_000, min: 2_000, factor: 0.65 },
  pushEnabled: true,
  pushJavaVersion: '0.1.0',
  pushGoVersion: '0.1.0',
  pushPythonVersion: '0.4.3',
  pushCVersion: '1.0.12',
  pushCSharpVersion: '0.9.0',
  distroEnabled: true,
  distroThreshold: 0.7,
  distroServerExpiredMillis: 10_000,
  serviceStatusSynchronizationPeriodMillis: 5_000,
  serverStatusSynchronizationPeriodMillis: 2_000,
  defaultInstanceEphemeral: true,
  overriddenServerStatus: null,
  limitedUrlMap: new Map(),
  autoChangeHealthCheckEnabled: true,
  masters: null,
  incrementalList: [],
  adWeightMap: new Map(),
  enableStandalone: true,
  disableAddIP: false,
  sendBeatOnly: false,
  enableAuthentication: false,
};

/** Whoever acts by the switches asks anew each time: they change while it runs. */
export interface Switches {
  readonly current: SwitchValues;
}

/** For programs and tests that have no switches of their own. */
export const NO_SWITCHES: Switches = { current: DEFAULT_SWITCHES };

/** Whether instances of the service expire and are probed. */
export function isHealthChecked(
  service: ServiceKey,
  { healthCheckEnabled, healthCheckWhiteList }: SwitchValues,
): boolean {
  return healthCheckEnabled || healthCheckWhiteList.includes(service.slice(service.indexOf('##') + 2));
}
