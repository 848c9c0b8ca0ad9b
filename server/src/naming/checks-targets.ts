import { type Instance, type InstanceKey, instanceKey } from '@nacos-kube/core/model/instance.ts';
import type { ServiceKey } from '@nacos-kube/core/model/names.ts';
import { type ClusterSettings, newCluster } from '@nacos-kube/core/model/service.ts';
import { isHealthChecked } from '@nacos-kube/core/model/switches.ts';
import { type Check, type ProbeTarget, targetId } from '@nacos-kube/core/probe/target.ts';
import type { TargetLog } from './checks-log.ts';
import type { NamingService } from './service.ts';

/** Instances looked at in one turn while everything is looked through: some 10 ms. */
export const SCANNED_AT_ONCE_MAX = 5_000;

/**
 * Keeps the log of targets in step with the registry: by its changes where those tell, by looking through everything,
 * a slice at a time, where they do not: when other services became this member's own, or checks are switched.
 */
export class Targets {
  readonly #naming: NamingService;
  readonly #log: TargetLog;
  /** Services that changed since the last turn; undefined: as a whole. */
  readonly #changed = new Map<ServiceKey, Set<InstanceKey> | undefined>();
  /** Instances of each service that are targets, so that they are found when it changes as a whole. */
  readonly #keys = new Map<ServiceKey, Set<InstanceKey>>();
  #scan: Iterator<{ readonly service: ServiceKey; readonly instance: Instance }> | undefined;
  #isOwnOfScan: { readonly service: ServiceKey; readonly isProbed: boolean } | undefined;

  constructor(naming: NamingService, log: TargetLog) {
    this.#naming = naming;
    this.#log = log;
  }

  /** No keys: settings of the service. True: there is something to do now; most changes are of ephemeral instances. */
  changed(service: ServiceKey, keys: readonly InstanceKey[]): boolean {
    if (keys.length === 0) {
      this.#changed.set(service, undefined);
      return true;
    }
    const { registry } = this.#naming;
    const known = this.#keys.get(service);
    let isAny = false;
    for (const key of keys) {
      if (known?.has(key) !== true && registry.find(service, key, false) === undefined) continue;
      this.#note(service, key);
      isAny = true;
    }
    return isAny;
  }

  #note(service: ServiceKey, key: InstanceKey): void {
    const noted = this.#changed.get(service);
    if (noted !== undefined) noted.add(key);
    else if (!this.#changed.has(service)) this.#changed.set(service, new Set([key]));
  }

  /** Looks through everything from the next turn on. */
  rescan(): void {
    this.#isOwnOfScan = undefined;
    this.#scan = this.#naming.registry.persistent()[Symbol.iterator]();
  }

  /** True: there is more to do. */
  turn(): boolean {
    for (const [service, keys] of this.#changed) this.#refresh(service, keys);
    this.#changed.clear();
    return this.#scanOn();
  }

  #refresh(service: ServiceKey, changed: ReadonlySet<InstanceKey> | undefined): void {
    const { registry } = this.#naming;
    const known = this.#keys.get(service);
    const keys =
      changed ??
      new Set([...(known ?? []), ...(registry.view(service)?.instances ?? []).filter(isPersistent).map(instanceKey)]);
    const isProbed = this.#isProbed(service);
    for (const key of keys) this.#look(service, key, registry.find(service, key, false), isProbed);
  }

  #scanOn(): boolean {
    for (let count = 0; this.#scan !== undefined && count < SCANNED_AT_ONCE_MAX; count++) {
      const next = this.#scan.next();
      if (next.done === true) {
        this.#scan = undefined;
        this.#isOwnOfScan = undefined;
        break;
      }
      const { service, instance } = next.value;
      if (this.#isOwnOfScan?.service !== service) this.#isOwnOfScan = { service, isProbed: this.#isProbed(service) };
      this.#look(service, instanceKey(instance), instance, this.#isOwnOfScan.isProbed);
    }
    return this.#scan !== undefined;
  }

  #isProbed(service: ServiceKey): boolean {
    return isHealthChecked(service, this.#naming.switches.current) && this.#naming.isOwn(service);
  }

  #look(service: ServiceKey, key: InstanceKey, instance: Instance | undefined, isProbed: boolean): void {
    const target = instance && isProbed ? this.#targetOf(service, key, instance) : undefined;
    const known = this.#keys.get(service);
    if (target !== undefined) {
      if (known === undefined) this.#keys.set(service, new Set([key]));
      else known.add(key);
      this.#log.put(target);
    } else if (known?.delete(key)) {
      if (known.size === 0) this.#keys.delete(service);
      this.#log.remove(targetId({ service, key }));
    }
  }

  /** Undefined: its cluster is not to be checked. */
  #targetOf(service: ServiceKey, key: InstanceKey, instance: Instance): ProbeTarget | undefined {
    const settings = this.#naming.registry.view(service)?.settings;
    const cluster = settings?.clusters.get(instance.cluster) ?? newCluster(instance.cluster);
    const check = checkOf(cluster);
    if (check === undefined) return undefined;
    const { ip, port, healthy } = instance;
    const isOwnPort = cluster.useInstancePort || check.kind === 'MYSQL';
    return { service, key, ip, port: isOwnPort ? port : cluster.checkPort, check, healthy };
  }
}

function checkOf({ healthChecker }: ClusterSettings): Check | undefined {
  switch (healthChecker.type) {
    case 'TCP':
      return { kind: 'TCP' };
    case 'HTTP':
      return { kind: 'HTTP', path: healthChecker.path, headers: healthChecker.headers };
    case 'MYSQL': {
      const { user = '', pwd = '', cmd = '' } = healthChecker;
      return { kind: 'MYSQL', user, password: pwd, command: cmd };
    }
    case 'NONE':
      return undefined;
  }
}

function isPersistent({ ephemeral }: Instance): boolean {
  return !ephemeral;
}
