import type { Host, Timer } from '@nacos-kube/core/host/host.ts';
import type { Part } from '@nacos-kube/core/lifecycle.ts';
import type { ServiceKey } from '@nacos-kube/core/model/names.ts';
import type { SwitchValues } from '@nacos-kube/core/model/switches.ts';
import type { ProbeGuard } from '@nacos-kube/core/probe/guard.ts';
import type { MysqlProbe } from '@nacos-kube/core/probe/mysql-check.ts';
import { type ProbeParameters, probeParameters } from '@nacos-kube/core/probe/parameters.ts';
import { Prober } from '@nacos-kube/core/probe/prober.ts';
import type { RoundTrip } from '@nacos-kube/core/probe/round-trips.ts';
import type { ProbeVerdict } from '@nacos-kube/core/probe/target.ts';
import { type TargetChanges, TargetFollower } from '@nacos-kube/core/probe/target-changes.ts';
import { SIDECAR_LEASE_MS, type SidecarQuestion, TARGETS_PER_PAGE_MAX } from '@nacos-kube/core/wire/sidecar.ts';
import { TargetLog } from './checks-log.ts';
import { Targets } from './checks-targets.ts';
import type { NamingService } from './service.ts';

const PERIOD_MS = 1_000;
/** Changes of one moment are looked at together. */
const GATHER_MS = 50;
/** Pages of targets that this process takes over in one turn: some 20 ms. */
export const PAGES_AT_ONCE_MAX = 5;

export interface ChecksOptions {
  /** Asks databases; without it they are left as they are (S9). */
  readonly mysql?: MysqlProbe | undefined;
}

/** What a sidecar probes by. */
export interface CheckLease {
  readonly targets: TargetChanges;
  readonly parameters: ProbeParameters;
  readonly guard: ProbeGuard;
}

/**
 * Who probes the persistent instances that this member owns: the sidecar while it holds its lease, else this process.
 * States: probing; leased (until `SIDECAR_LEASE_MS` after the sidecar last asked). Either follows the log of targets.
 */
export class Checks implements Part {
  readonly name = 'checks';
  readonly #host: Host;
  readonly #naming: NamingService;
  readonly #guard: () => ProbeGuard;
  readonly #log: TargetLog;
  readonly #targets: Targets;
  readonly #follower: TargetFollower;
  /** Of this process. */
  readonly prober: Prober;
  /** What the sidecar said must not be probed; it knows the API server, and may be away when this is needed. */
  #forbidden: readonly string[] = [];
  #leasedUntilMs = Number.NEGATIVE_INFINITY;
  #switches: SwitchValues;
  #parameters: ProbeParameters;
  #timer: Timer | undefined;
  #turn: Timer | undefined;
  #unsubscribe: (() => void) | undefined;
  /** Verdicts of either, for the metrics. */
  verdicts = 0;

  constructor(host: Host, naming: NamingService, guard: () => ProbeGuard, { mysql }: ChecksOptions = {}) {
    this.#host = host;
    this.#naming = naming;
    this.#guard = guard;
    this.#log = new TargetLog(host.random.uuid(), TARGETS_PER_PAGE_MAX);
    this.#targets = new Targets(naming, this.#log);
    this.#switches = naming.switches.current;
    this.#parameters = probeParameters(this.#switches);
    this.prober = new Prober(host, { onVerdict: (verdict) => this.#take([verdict]) }, { mysql });
    this.#follower = new TargetFollower(this.prober);
  }

  start(): void {
    this.#unsubscribe = this.#naming.changes.subscribe(({ service, keys }) => {
      if (this.#targets.changed(service, keys)) this.#turnSoon();
    });
    this.#timer = this.#host.clock.every(PERIOD_MS, () => this.#tick());
    this.ownersChanged();
  }

  stop(): void {
    this.#unsubscribe?.();
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#turn?.cancel();
    this.#turn = undefined;
    this.#letGo();
  }

  /** Other services may be this member's own by now. */
  ownersChanged(): void {
    this.#targets.rescan();
    this.#turnSoon();
  }

  // ------------------------------------------------------------------------------------------- the sidecar

  /** The sidecar asks: it probes from now on, until it stops asking. */
  lease({ targets, forbidden, roundTrips }: SidecarQuestion): CheckLease {
    this.#leasedUntilMs = this.#host.clock.monotonic() + SIDECAR_LEASE_MS;
    if (forbidden.length > 0) this.#forbidden = forbidden.map((host) => host.toLowerCase());
    for (const one of roundTrips) this.prober.roundTrips.take(one);
    this.#letGo();
    this.#followSwitches();
    return { targets: this.#log.changesSince(targets), parameters: this.#parameters, guard: this.#wholeGuard() };
  }

  get isLeased(): boolean {
    return this.#host.clock.monotonic() < this.#leasedUntilMs;
  }

  /** Verdicts of the sidecar; returns how many count. Without a lease none do: this process probes, and never both. */
  takeOfSidecar(verdicts: readonly ProbeVerdict[]): number {
    return this.isLeased ? this.#take(verdicts) : 0;
  }

  // ------------------------------------------------------------------------------------------- figures

  /** Instances that this member has probed, by its sidecar or itself. */
  get targetCount(): number {
    return this.#log.size;
  }

  /** How long the instances of a cluster take to answer, in ms; undefined until one has been probed from this member. */
  roundTrips(service: ServiceKey, cluster: string): RoundTrip | undefined {
    return this.prober.roundTrips.get(service, cluster);
  }

  // ------------------------------------------------------------------------------------------- inside

  /** Returns how many were about services that this member owns. */
  #take(verdicts: readonly ProbeVerdict[]): number {
    let taken = 0;
    for (const { service, key, healthy } of verdicts) {
      if (this.#naming.judgeProbe(service, key, healthy)) taken++;
    }
    this.verdicts += taken;
    return taken;
  }

  #turnSoon(): void {
    this.#turn ??= this.#host.clock.after(GATHER_MS, () => {
      this.#turn = undefined;
      if (this.#targets.turn()) this.#turnSoon();
      if (this.prober.isStarted) this.#followTargets();
    });
  }

  #tick(): void {
    this.#followSwitches();
    if (this.isLeased) return;
    this.prober.start();
    this.prober.guard = this.#wholeGuard();
    this.prober.parameters = this.#parameters;
    this.#followTargets();
  }

  #followTargets(): void {
    for (let page = 0; page < PAGES_AT_ONCE_MAX; page++) {
      const changes = this.#log.changesSince(this.#follower.known);
      this.#follower.take(changes);
      if (!changes.isMore) return;
    }
    this.#turnSoon();
  }

  #followSwitches(): void {
    const switches = this.#naming.switches.current;
    if (switches === this.#switches) return;
    this.#switches = switches;
    this.#parameters = probeParameters(switches);
    this.ownersChanged();
  }

  #letGo(): void {
    this.prober.stop();
    this.#follower.clear();
  }

  #wholeGuard(): ProbeGuard {
    const guard = this.#guard();
    return this.#forbidden.length === 0
      ? guard
      : { ...guard, forbidden: new Set([...guard.forbidden, ...this.#forbidden]) };
  }
}
