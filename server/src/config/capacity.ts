import type { Log } from '@nacos-kube/core/host/host.ts';
import type { ConfigKey } from '@nacos-kube/core/model/config.ts';
import { parseCapacity } from '../store/bounds.ts';
import type { FeedReader } from '../store/feed-delivery.ts';
import {
  type CapacityLimits,
  type Change,
  type Revision,
  type Store,
  type StoredRecord,
  StoreError,
} from '../store/store.ts';
import type { ConfigCache } from './cache.ts';

/** Said by the operator of the server; defaults as in the reference. */
export interface CapacitySettings {
  readonly isManaged: boolean;
  readonly isEnforced: boolean;
  readonly clusterQuota: number;
  readonly groupQuota: number;
  readonly namespaceQuota: number;
  /** Bytes of one configuration. */
  readonly maxSize: number;
  readonly maxAggrCount: number;
  readonly maxAggrSize: number;
}

export const CAPACITY_DEFAULTS: CapacitySettings = {
  isManaged: true,
  isEnforced: false,
  clusterQuota: 100_000,
  groupQuota: 200,
  namespaceQuota: 200,
  maxSize: 102_400,
  maxAggrCount: 10_000,
  maxAggrSize: 1_024,
};

/** `group` is one of the public namespace, the empty one the whole cluster; `tenant` is a namespace. */
export interface CapacityScope {
  readonly kind: 'group' | 'tenant';
  readonly name: string;
}

/** The key of the record that holds limits of its own. */
export function capacityKey(scope: CapacityScope): string {
  return `${scope.kind}:${scope.name}`;
}

const SCAN_PAGE_RECORDS = 500;

/**
 * How many configurations there are of a group, a namespace and the cluster, and how many there may be. Counted from
 * the cache, so a count is never off for longer than the feed is behind; several nodes that write at once may pass a
 * quota by what they write in that time.
 */
export class Capacity implements FeedReader {
  readonly name = 'capacity';
  readonly kinds = ['capacity'] as const;
  readonly settings: CapacitySettings;
  readonly #log: Log;
  readonly #store: Store;
  readonly #cache: ConfigCache;
  readonly #usage = new Map<string, number>();
  #limits = new Map<string, CapacityLimits>();

  constructor(log: Log, store: Store, cache: ConfigCache, settings: CapacitySettings = CAPACITY_DEFAULTS) {
    this.#log = log;
    this.#store = store;
    this.#cache = cache;
    this.settings = settings;
    cache.changes.subscribe(({ before, after }) => {
      if (before === undefined && after !== undefined) this.#count(after.key, 1);
      if (before !== undefined && after === undefined) this.#count(before.key, -1);
    });
  }

  usage(scope: CapacityScope): number {
    if (scope.kind === 'group' && scope.name === '') return this.#cache.size;
    return this.#usage.get(capacityKey(scope)) ?? 0;
  }

  /** What was set for the scope itself; undefined: nothing was. */
  ownLimits(scope: CapacityScope): CapacityLimits | undefined {
    return this.#limits.get(capacityKey(scope));
  }

  /** What counts for the scope: its own limits, and the settings where those say 0. */
  limits(scope: CapacityScope): CapacityLimits {
    const own = this.ownLimits(scope);
    const { maxSize, maxAggrCount, maxAggrSize } = this.settings;
    return {
      quota: own?.quota || this.#defaultQuota(scope),
      maxSize: own?.maxSize || maxSize,
      maxAggrCount: own?.maxAggrCount || maxAggrCount,
      maxAggrSize: own?.maxAggrSize || maxAggrSize,
    };
  }

  /** False when a publish of so many bytes has to be refused; only a new configuration counts against the quotas. */
  allows(key: ConfigKey, bytes: number, isNew: boolean): boolean {
    if (!this.settings.isManaged || !this.settings.isEnforced) return true;
    const scope = scopeOf(key);
    const { quota, maxSize } = this.limits(scope);
    if (bytes > maxSize) return false;
    return !isNew || (this.usage(scope) < quota && this.#cache.size < this.limits(CLUSTER).quota);
  }

  /** Reads again what is stored for the scope: what this node has just written, the feed has yet to tell. */
  refresh(scope: CapacityScope): Promise<void> {
    return this.#refresh(capacityKey(scope));
  }

  async reread(_revision: Revision): Promise<void> {
    const limits = new Map<string, CapacityLimits>();
    let after: string | undefined;
    do {
      const page = await this.#store.scanRecords('capacity', SCAN_PAGE_RECORDS, after);
      for (const record of page.items) this.#take(limits, record.key, record);
      after = page.next;
    } while (after !== undefined);
    this.#limits = limits;
  }

  async apply(changes: readonly Change[]): Promise<void> {
    const keys = new Set<string>();
    for (const { what } of changes) if (what.kind === 'capacity') keys.add(what.key);
    for (const key of keys) await this.#refresh(key);
  }

  #defaultQuota({ kind, name }: CapacityScope): number {
    const { clusterQuota, groupQuota, namespaceQuota } = this.settings;
    if (kind === 'tenant') return namespaceQuota;
    return name === '' ? clusterQuota : groupQuota;
  }

  #count(key: ConfigKey, change: 1 | -1): void {
    const scope = capacityKey(scopeOf(key));
    const usage = (this.#usage.get(scope) ?? 0) + change;
    if (usage === 0) this.#usage.delete(scope);
    else this.#usage.set(scope, usage);
  }

  async #refresh(key: string): Promise<void> {
    this.#take(this.#limits, key, await this.#store.getRecord('capacity', key));
  }

  #take(limits: Map<string, CapacityLimits>, key: string, record: StoredRecord | undefined): void {
    limits.delete(key);
    if (record === undefined) return;
    try {
      limits.set(key, parseCapacity(record).limits);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#log.warn('limits that make no sense do not count', { error });
    }
  }
}

const CLUSTER: CapacityScope = { kind: 'group', name: '' };

function scopeOf({ namespaceId, group }: ConfigKey): CapacityScope {
  return namespaceId === '' ? { kind: 'group', name: group } : { kind: 'tenant', name: namespaceId };
}
