import type { Host, Timer } from '@nacos-kube/core/host/host.ts';
import type { Part } from '@nacos-kube/core/lifecycle.ts';
import { parseServiceKey, type ServiceKey } from '@nacos-kube/core/model/names.ts';
import type { NamingService } from './service.ts';

export const FIRST_RUN_MS = 50_000;
export const RUN_PERIOD_MS = 30_000;
/** Runs in a row that must find a service empty. */
export const EMPTY_RUNS = 5;
/** Of one run; the rest waits for the next one. */
export const REMOVALS_PER_RUN_MAX = 1_000;

export interface EmptyServicesOptions {
  readonly host: Host;
  readonly naming: NamingService;
  readonly isOn: boolean;
  /**
   * This member owns the service, is sure of that, and knows what is registered: else it might take a service for empty
   * that is not (F6).
   */
  readonly isSure: (service: ServiceKey) => boolean;
}

/**
 * Forgets services that have had no instance for a while, with all that was set of them. Each run counts the empty ones
 * that this member is sure of; one that is not empty, or not this member's to judge, starts anew.
 */
export class EmptyServices implements Part {
  readonly name = 'empty services';
  readonly #host: Host;
  readonly #naming: NamingService;
  readonly #isOn: boolean;
  readonly #isSure: (service: ServiceKey) => boolean;
  #runs: ReadonlyMap<ServiceKey, number> = new Map();
  #timer: Timer | undefined;
  #isRunning = false;
  removed = 0;

  constructor({ host, naming, isOn, isSure }: EmptyServicesOptions) {
    this.#host = host;
    this.#naming = naming;
    this.#isOn = isOn;
    this.#isSure = isSure;
  }

  start(): void {
    if (!this.#isOn) return;
    this.#timer = this.#host.clock.after(FIRST_RUN_MS, () => {
      this.#timer = this.#host.clock.every(RUN_PERIOD_MS, () => this.#inBackground());
      this.#inBackground();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #inBackground(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    const run = this.#run().finally(() => {
      this.#isRunning = false;
    });
    this.#host.background('forget empty services', run);
  }

  async #run(): Promise<void> {
    const { registry, services } = this.#naming;
    const runs = new Map<ServiceKey, number>();
    const due: ServiceKey[] = [];
    if (this.#naming.notReadyReason() === undefined) {
      for (const key of services.keys()) {
        if ((registry.view(key)?.instances.length ?? 0) > 0 || !this.#isSure(key)) continue;
        const run = (this.#runs.get(key) ?? 0) + 1;
        runs.set(key, run);
        if (run >= EMPTY_RUNS && due.length < REMOVALS_PER_RUN_MAX) due.push(key);
      }
    }
    this.#runs = runs;
    for (const key of due) if (!(await this.#remove(key))) return;
  }

  /** False when the store failed: it would fail the others too, each after its time-out and with a line in the log. */
  async #remove(key: ServiceKey): Promise<boolean> {
    const service = parseServiceKey(key);
    // What was removed before it took its time.
    const isEmpty = (this.#naming.registry.view(key)?.instances.length ?? 0) === 0;
    if (service === undefined || !isEmpty || !this.#isSure(key)) return true;
    try {
      await this.#naming.services.remove(service);
      this.removed++;
      this.#host.log.info('a service was empty for long and is forgotten', { service: key });
      return true;
    } catch (error) {
      this.#host.log.warn('an empty service could not be forgotten, the next run tries again', { service: key, error });
      return false;
    }
  }
}
