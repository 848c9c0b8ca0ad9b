import type { Host, Timer } from '@nacos-kube/core/host/host.ts';
import type { Part } from '@nacos-kube/core/lifecycle.ts';
import { instanceKey } from '@nacos-kube/core/model/instance.ts';
import type { ProbeGuard } from '@nacos-kube/core/probe/guard.ts';
import type { ProbeTarget, ProbeVerdict } from '@nacos-kube/core/probe/machine.ts';
import { Prober } from '@nacos-kube/core/probe/prober.ts';
import { SIDECAR_LEASE_MS } from '@nacos-kube/core/wire/sidecar.ts';
import type { NamingService } from './service.ts';

const PERIOD_MS = 1_000;

/**
 * Who probes the persistent instances that this member owns: the sidecar while it holds its lease, else this process.
 * States: probing; leased (until `SIDECAR_LEASE_MS` after the sidecar last asked).
 */
export class Checks implements Part {
  readonly name = 'checks';
  readonly #host: Host;
  readonly #naming: NamingService;
  readonly #guard: () => ProbeGuard;
  readonly #prober: Prober;
  #leasedUntilMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  /** Probes of this process and verdicts of either, for the metrics. */
  probes = 0;
  verdicts = 0;

  constructor(host: Host, naming: NamingService, guard: () => ProbeGuard) {
    this.#host = host;
    this.#naming = naming;
    this.#guard = guard;
    this.#prober = new Prober(host, {
      onResult: () => {
        this.probes++;
      },
      onVerdict: (verdict) => this.#take([verdict]),
    });
  }

  start(): void {
    this.#timer = this.#host.clock.every(PERIOD_MS, () => this.#tick());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#prober.stop();
  }

  /** The sidecar asks: it probes from now on, until it stops asking. */
  lease(): { readonly targets: ProbeTarget[]; readonly guard: ProbeGuard } {
    this.#leasedUntilMs = this.#host.clock.monotonic() + SIDECAR_LEASE_MS;
    this.#prober.stop();
    return { targets: this.targets(), guard: this.#guard() };
  }

  get isLeased(): boolean {
    return this.#host.clock.monotonic() < this.#leasedUntilMs;
  }

  /** Verdicts of the sidecar; returns how many count. Without a lease none do: this process probes, and never both. */
  takeOfSidecar(verdicts: readonly ProbeVerdict[]): number {
    return this.isLeased ? this.#take(verdicts) : 0;
  }

  /** Returns how many were about services that this member owns. */
  #take(verdicts: readonly ProbeVerdict[]): number {
    let taken = 0;
    for (const { service, key, healthy } of verdicts) {
      if (this.#naming.judgeProbe(service, key, healthy)) taken++;
    }
    this.verdicts += taken;
    return taken;
  }

  targets(): ProbeTarget[] {
    const targets: ProbeTarget[] = [];
    for (const { service, instance } of this.#naming.ownPersistent()) {
      const { ip, port, healthy } = instance;
      targets.push({ service, key: instanceKey(instance), ip, port, healthy });
    }
    return targets;
  }

  #tick(): void {
    if (this.isLeased) return;
    this.#prober.start();
    this.#prober.setTargets(this.targets(), this.#guard());
  }
}
