import type { Host, Log, Timer } from '@nacos-kube/core/host/host.ts';
import type { Part } from '@nacos-kube/core/lifecycle.ts';
import { Prober, type ProberOptions } from '@nacos-kube/core/probe/prober.ts';
import type { ProbeResult, ProbeTarget } from '@nacos-kube/core/probe/target.ts';
import { TargetFollower } from '@nacos-kube/core/probe/target-changes.ts';
import {
  ROUND_TRIPS_PER_CALL_MAX,
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
  readonly onResult: (target: ProbeTarget, result: ProbeResult) => void;
  /** Never probed, besides what the node forbids; the node is told. */
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
  readonly prober: Prober;
  readonly #follower: TargetFollower;
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
    this.prober = new Prober(
      host,
      {
        onResult,
        onVerdict: (verdict) => {
          this.#outbox.put(verdict);
          this.#sendSoon();
        },
      },
      proberOptions,
    );
    this.#follower = new TargetFollower({
      put: (target) => this.prober.put(this.#outbox.expected(target)),
      remove: (id) => this.prober.remove(id),
    });
  }

  start(): void {
    this.#timer = this.#host.clock.every(SIDECAR_PERIOD_MS, () => this.#ask());
    this.#ask();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#gathering?.cancel();
    this.#stopProbing();
  }

  /** The last lease, as long as it is trusted. */
  get lease(): SidecarLease | undefined {
    return this.leaseAgeMs <= LEASE_TRUST_MS ? this.#lease : undefined;
  }

  /** Infinite before the first. */
  get leaseAgeMs(): number {
    return this.#host.clock.monotonic() - this.#askedMs;
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
    try {
      let isMore = true;
      while (isMore && this.#timer !== undefined) isMore = await this.#askForPage();
      this.#sendSoon();
    } catch (error) {
      if (!isNodeFailure(error)) throw error;
      this.leaseFailures++;
      this.#report(error);
    } finally {
      this.#isAsking = false;
    }
  }

  /** True: there is more to be told. */
  async #askForPage(): Promise<boolean> {
    const askedMs = this.#host.clock.monotonic();
    const lease = await this.#node().lease({
      targets: this.#follower.known,
      forbidden: this.#forbidden,
      roundTrips: this.prober.roundTrips.takeUntold(ROUND_TRIPS_PER_CALL_MAX),
    });
    if (this.#timer === undefined) return false;
    this.#lease = lease;
    this.#askedMs = askedMs;
    if (this.#lastProblem !== '') this.#log.info('the node answers', { member: lease.member });
    this.#lastProblem = '';
    const { forbidden, isLoopbackAllowed } = lease.guard;
    this.prober.start();
    this.prober.parameters = lease.parameters;
    this.prober.guard = { forbidden: new Set([...forbidden, ...this.#forbidden]), isLoopbackAllowed };
    this.#follower.take(lease.targets);
    return lease.targets.isMore;
  }

  #stopProbing(): void {
    this.prober.stop();
    this.#follower.clear();
  }

  /** The node probes for itself from now on, and knows better. */
  #letGo(): void {
    this.#lease = undefined;
    this.#stopProbing();
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
        const taken = await this.#node().sendVerdicts(batch);
        this.#outbox.taken(batch);
        // It shows something else than is thought here, and would not say so by itself.
        if (taken !== batch.length) this.#follower.forgetVersion();
        this.verdictsSent += batch.length;
      }
    } catch (error) {
      if (!isNodeFailure(error)) throw error;
      // What the node will never accept must not stand in the way of what comes after.
      if (error instanceof NodeAnswerError && error.status === 400) {
        this.#outbox.clear();
        this.#follower.forgetVersion();
      }
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
