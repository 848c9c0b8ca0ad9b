import type { Host, Log, Timer } from '@nacos-kube/core/host/host.ts';
import { isoTime } from '@nacos-kube/core/host/time.ts';
import type { KubeApi } from './api.ts';
import { isConflict } from './api.ts';
import type { Lease } from './objects.ts';
import { LEASES } from './resource-types.ts';

export interface LeaseOptions {
  readonly kubeNamespace: string;
  readonly name: string;
  /** Who we are; another for each process. */
  readonly identity: string;
  /** Others wait so long since they last saw a renewal before they take over. */
  readonly leaseMs: number;
  /** The holder that could not renew for so long stands down; shorter than the lease, so that never two hold it. */
  readonly renewDeadlineMs: number;
  readonly retryMs: number;
  readonly onElected: () => void;
  /** Held no longer, and not by own wish: whatever was begun must end. */
  readonly onLost: () => void;
}

export const LEASE_MS = 15_000;
export const RENEW_DEADLINE_MS = 10_000;
export const RETRY_MS = 2_000;

/**
 * Follower, then holder, then lost or released. How old a lease of another is, is measured here since its last change
 * was seen: clocks of two machines are never compared.
 */
export class LeaseElection {
  readonly #host: Host;
  readonly #api: KubeApi;
  readonly #options: LeaseOptions;
  readonly #log: Log;
  #state: 'follower' | 'holder' | 'ended' = 'follower';
  #seen: { readonly version: string; readonly atMs: number } | undefined;
  #renewedMs = 0;
  #timer: Timer | undefined;
  #deadline: Timer | undefined;
  #trying: Promise<void> | undefined;

  constructor(host: Host, api: KubeApi, options: LeaseOptions) {
    if (options.renewDeadlineMs >= options.leaseMs || options.retryMs >= options.renewDeadlineMs) {
      throw new Error('a lease needs retry < renew deadline < duration');
    }
    this.#host = host;
    this.#api = api;
    this.#options = options;
    this.#log = host.log.area('lease');
  }

  get isHolder(): boolean {
    return this.#state === 'holder';
  }

  start(): void {
    this.#try();
  }

  /** Gives the lease back, so that another need not wait for it to run out. */
  async stop(): Promise<void> {
    const wasHolder = this.#state === 'holder';
    this.#end();
    await this.#trying;
    if (wasHolder) await this.#release();
  }

  #try(): void {
    if (this.#state === 'ended') return;
    this.#trying = this.#attempt().then(() => {
      if (this.#state === 'ended') return;
      const jitterMs = this.#host.random.int(Math.ceil(this.#options.retryMs / 5));
      this.#timer = this.#host.clock.after(this.#options.retryMs + jitterMs, () => this.#try());
    });
  }

  async #attempt(): Promise<void> {
    const startedMs = this.#host.clock.monotonic();
    try {
      if (!(await this.#within(this.#options.renewDeadlineMs / 2, this.#takeOrRenew()))) {
        if (this.#state === 'holder') this.#lose('another holds it');
        return;
      }
    } catch (error) {
      // A conflict: another was quicker, which the next look shows. All else: the server is away or refuses.
      this.#log[isConflict(error) ? 'debug' : 'warn']('the lease could not be written', { error });
      return;
    }
    if (this.#state === 'ended') return;
    // Counted from before the call: the server may have written it at once and answered late.
    this.#renewedMs = startedMs;
    this.#deadline?.cancel();
    const leftMs = this.#options.renewDeadlineMs - (this.#host.clock.monotonic() - startedMs);
    this.#deadline = this.#host.clock.after(Math.max(0, leftMs), () => this.#lose('it could not be renewed'));
    if (this.#state === 'follower') {
      this.#state = 'holder';
      this.#log.info('elected', { identity: this.#options.identity });
      this.#options.onElected();
    }
  }

  /** A call that hangs must not use up the whole deadline: the next one may go through. */
  async #within(timeoutMs: number, call: Promise<boolean>): Promise<boolean> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = this.#host.clock.after(timeoutMs, () => reject(new Error(`no answer in ${timeoutMs} ms`)));
    try {
      return await Promise.race([call, late]);
    } finally {
      timer.cancel();
    }
  }

  async #takeOrRenew(): Promise<boolean> {
    const { kubeNamespace, name, identity, leaseMs } = this.#options;
    const now = microTime(this.#host.clock.now());
    const lease = await this.#api.get<Lease>(LEASES, { namespace: kubeNamespace, name });
    const spec = { holderIdentity: identity, leaseDurationSeconds: Math.ceil(leaseMs / 1000), renewTime: now };
    if (!lease) {
      const metadata = { name, namespace: kubeNamespace };
      const fresh = { ...spec, acquireTime: now, leaseTransitions: 0 };
      await this.#api.create<Lease>(LEASES, {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata,
        spec: fresh,
      });
      return true;
    }
    const holder = lease.spec?.holderIdentity ?? '';
    if (holder !== '' && holder !== identity && !this.#hasRunOut(lease)) return false;
    const isSame = holder === identity;
    const transitions = lease.spec?.leaseTransitions ?? 0;
    await this.#api.update<Lease>(LEASES, {
      ...lease,
      spec: {
        ...lease.spec,
        ...spec,
        acquireTime: isSame ? (lease.spec?.acquireTime ?? now) : now,
        leaseTransitions: isSame ? transitions : transitions + 1,
      },
    });
    return true;
  }

  #hasRunOut(lease: Lease): boolean {
    const version = lease.metadata.resourceVersion ?? '';
    const nowMs = this.#host.clock.monotonic();
    if (this.#seen?.version !== version) this.#seen = { version, atMs: nowMs };
    const durationMs = (lease.spec?.leaseDurationSeconds ?? this.#options.leaseMs / 1000) * 1000;
    return nowMs - this.#seen.atMs >= durationMs;
  }

  #lose(why: string): void {
    if (this.#state !== 'holder') return;
    this.#end();
    this.#log.error(`lost: ${why}`, { sinceRenewalMs: Math.round(this.#host.clock.monotonic() - this.#renewedMs) });
    this.#options.onLost();
  }

  #end(): void {
    this.#state = 'ended';
    this.#timer?.cancel();
    this.#deadline?.cancel();
  }

  async #release(): Promise<void> {
    const { kubeNamespace, name, identity } = this.#options;
    try {
      const lease = await this.#api.get<Lease>(LEASES, { namespace: kubeNamespace, name });
      if (lease?.spec?.holderIdentity !== identity) return;
      const renewTime = microTime(this.#host.clock.now());
      const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime };
      await this.#api.update<Lease>(LEASES, { ...lease, spec });
      this.#log.info('released');
    } catch (error) {
      this.#log.warn('the lease was not released, others wait until it runs out', { error });
    }
  }
}

/** Times of a Lease have exactly six digits of a second, else the API server refuses them. */
export function microTime(epochMs: number): string {
  return isoTime(epochMs).replace('Z', '000Z');
}
