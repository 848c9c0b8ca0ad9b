import { type CheckPeriod, DEFAULT_SWITCHES, type SwitchValues } from '../model/switches.ts';
import type { CheckKind, ProbeResult } from './target.ts';

/** What operators switch of the checks while they run. */
export interface ProbeParameters {
  /** Results of one kind in a row that make a verdict. */
  readonly checkTimes: number;
  readonly periods: Readonly<Record<CheckKind, CheckPeriod>>;
}

/** However long a period may be switched to be, no target waits longer. */
export const PERIOD_CEILING_MS = 300_000;
/** What an SQL error counts as measured time (spec/naming.md 6). */
const SQL_ERROR_MS = 5_000;

export function probeParameters(switches: SwitchValues): ProbeParameters {
  const { checkTimes, tcpHealthParams, httpHealthParams, mysqlHealthParams } = switches;
  return { checkTimes, periods: { TCP: tcpHealthParams, HTTP: httpHealthParams, MYSQL: mysqlHealthParams } };
}

export const DEFAULT_PARAMETERS = probeParameters(DEFAULT_SWITCHES);

/** The time until the next probe follows the measured one, within bounds; failures lead to the longest. */
export function nextPeriodMs(kind: CheckKind, bounds: CheckPeriod, periodMs: number, result: ProbeResult): number {
  const nextMs = bounds.factor * periodMs + (1 - bounds.factor) * measuredMs(kind, bounds, periodMs, result);
  const maxMs = Math.min(bounds.max, PERIOD_CEILING_MS);
  return Math.trunc(Math.min(maxMs, Math.max(bounds.min, nextMs)));
}

/** What a result counts as, for an answer that came late or not at all says little by its time. */
export function measuredMs(kind: CheckKind, bounds: CheckPeriod, periodMs: number, result: ProbeResult): number {
  switch (result.outcome) {
    case 'ok':
      return result.tookMs;
    case 'timeout':
    case 'busy':
      return 2 * periodMs;
    case 'failed':
      return bounds.max;
    case 'down':
      return kind === 'MYSQL' ? SQL_ERROR_MS : bounds.max;
  }
}
