import type { Host, Log, Timer } from '@nacos-kube/core/host/host.ts';
import type { Part } from '@nacos-kube/core/lifecycle.ts';
import type { ProbeResult, ProbeTarget } from '@nacos-kube/core/probe/machine.ts';
import { Prober, type ProberOptions } from '@nacos-kube/core/probe/prober.ts';
import {
  SIDECAR_LEASE_MS,
  SIDECAR_PERIOD_MS,
  type SidecarLease,
  VERDICTS_PER_CALL_MAX,
} from '@nacos-kube/core/wire/sidecar.ts';
import { isNodeFailure, NodeAnswerError, type NodeCalls } from '../node-calls.ts';
import { Outbox } from './outbox.ts';

/**
 * How long a lease is trusted after it was asked for. The node trusts it from when it answered, so the difference is the
 * time in which neither probes: probes under way end in it.
 */
export const LEASE_TRUST_MS = SIDECAR_LEASE_MS - 2 * SIDECAR_PERIOD_MS;
/** Verdicts of one moment go out together. */
const GATHER_MS = 50;

export type ProbeAgentOptions = ProberOptions & {
  readonly onResult: (result: ProbeResult) => void;
  /** Never probed, besides what the node forbids. */
  readonly forbidden?: readonly string[];
};

/**
 * Asks the node each second what to probe, probes, and hands over the verdicts. States:
 *
 *   idle --a lease came--> probing --no lease for `LEASE_TRUST_MS`--> idle
 *
 * In `idle` the node probes for itself.
 */
export class ProbeAgent implements Part {
  readonly name = 'probe';
  readonly #host: Host;
  readonly #node: () => NodeCalls;
  readonly #log: Log;
  readonly #prober: Prober;
  readonly #outbox = new Outbox();
  readonly #forbidden: readonly string[];
  #lease: SidecarLease | undefined;
  #askedMs = Number.NEGATIVE_INFINITY;
  #isAsking = false;
  #isSending = false;
  #timer: Timer | undefined;
  #gathering: Timer | undefined;
  #lastProblem = '';
  leaseFailures = 0;
  verdictsSent = 0;

  /** `node` is asked for when it is needed, for the token is only there once everything has started. */
  constructor(host: Host, node: () => NodeCalls, options: ProbeAgentOptions) {
    this.#host = host;
    this.#node = node;
    this.#log = host.log.area('probe');
    const { onResult, forbidden = [], ...proberOptions } = options;
    this.#forbidden = forbidden.map((address) => address.toLowerCase());
    this.#prober = new Prober(
      host,
      {
        onResult: (_target: ProbeTarget, result) => onResult(result),
        onVerdict: (verdict) => {
          this.#outbox.put(verdict);
          this.#sendSoon();
        },
      },
      proberOptions,
    );
  }

  start(): void {
    this.#timer = this.#host.clock.every(SIDECAR_PERIOD_MS, () => this.#ask());
    this.#ask();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#gathering?.cancel();
    this.#prober.stop();
  }

  /** The last lease, as long as it is trusted. */
  get lease(): SidecarLease | undefined {
    return this.leaseAgeMs <= LEASE_TRUST_MS ? this.#lease : undefined;
  }

  /** Infinite before the first. */
  get leaseAgeMs(): number {
    return this.#host.clock.monotonic() - this.#askedMs;
  }

  get targetCount(): number {
    return this.#prober.targetCount;
  }

  get lateCount(): number {
    return this.#prober.lateCount;
  }

  get refusedTargets(): ReadonlyMap<string, number> {
    return this.#prober.refused;
  }

  get waitingVerdicts(): number {
    return this.#outbox.size;
  }

  #ask(): void {
    if (this.#lease !== undefined && this.lease === undefined) this.#letGo();
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#host.background('asking for the lease', this.#askNode());
  }

  async #askNode(): Promise<void> {
    const askedMs = this.#host.clock.monotonic();
    try {
      const lease = await this.#node().lease();
      if (this.#timer === undefined) return;
      this.#lease = lease;
      this.#askedMs = askedMs;
      if (this.#lastProblem !== '') this.#log.info('the node answers', { member: lease.member });
      this.#lastProblem = '';
      const { forbidden, isLoopbackAllowed } = lease.guard;
      this.#prober.start();
      const targets = lease.targets.map((target) => this.#outbox.expected(target));
      this.#prober.setTargets(targets, { forbidden: new Set([...forbidden, ...this.#forbidden]), isLoopbackAllowed });
      this.#sendSoon();
    } catch (error) {
      if (!isNodeFailure(error)) throw error;
      this.leaseFailures++;
      this.#report(error);
    } finally {
      this.#isAsking = false;
    }
  }

  /** The node probes for itself from now on, and knows better. */
  #letGo(): void {
    this.#lease = undefined;
    this.#prober.stop();
    this.#outbox.clear();
    this.#log.warn('the node has not answered for too long, probing is left to it');
  }

  #sendSoon(): void {
    if (this.#outbox.size === 0 || this.#isSending) return;
    this.#gathering ??= this.#host.clock.after(GATHER_MS, () => {
      this.#gathering = undefined;
      this.#host.background('sending verdicts', this.#send());
    });
  }

  /** Until all are sent or a call fails; then the next lease is the sign to go on. */
  async #send(): Promise<void> {
    if (this.#isSending) return;
    this.#isSending = true;
    try {
      while (this.#outbox.size > 0 && this.lease !== undefined) {
        const batch = this.#outbox.first(VERDICTS_PER_CALL_MAX);
        await this.#node().sendVerdicts(batch);
        this.#outbox.taken(batch);
        this.verdictsSent += batch.length;
      }
    } catch (error) {
      if (!isNodeFailure(error)) throw error;
      // What the node will never accept must not stand in the way of what comes after.
      if (error instanceof NodeAnswerError && error.status === 400) this.#outbox.clear();
      this.#report(error);
    } finally {
      this.#isSending = false;
    }
  }

  /** The same problem is told once: a node may be away for a night. */
  #report(error: Error): void {
    if (error.message === this.#lastProblem) return;
    this.#lastProblem = error.message;
    // The sidecar starts first, so in the beginning nobody can be there.
    const isBeginning = this.#askedMs === Number.NEGATIVE_INFINITY;
    if (isBeginning) this.#log.info('the node does not answer yet');
    else this.#log.warn('the node does not answer, trying again', { error });
  }
}
