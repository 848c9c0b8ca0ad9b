import { Changes } from '@nacos-kube/core/changes.ts';
import type { ConfigKey, VariantId } from '@nacos-kube/core/model/config.ts';
import { type GroupKey, groupKey } from '@nacos-kube/core/wire/config-key.ts';
import type { Contents } from './contents.ts';
import { ownKey, ownText } from './own-text.ts';
import { type Moment, Touches } from './touches.ts';
import { type CachedVariant, isSameId, splitBetaIps, type Variants, variantOf } from './view.ts';

export interface VariantRow {
  readonly key: ConfigKey;
  readonly variant: VariantId;
  readonly md5: string;
  readonly modifiedMs: number;
  readonly betaIps: string;
}

export interface VariantContent {
  readonly row: VariantRow;
  readonly content: Uint8Array;
}

/** One variant was put, altered or removed. */
export interface VariantChange {
  readonly groupKey: GroupKey;
  readonly before: CachedVariant | undefined;
  readonly after: CachedVariant | undefined;
}

/**
 * The variants of all configurations, with or without a formal one beside them. What is read from the store replaces
 * all variants of a key at once, under the same rule of moments as with formal ones; a removal of the formal
 * configuration leaves them alone.
 */
export class VariantCache {
  readonly changes = new Changes<VariantChange>();
  readonly #contents: Contents;
  readonly #variants = new Map<GroupKey, Variants>();
  readonly #touches = new Touches();
  #count = 0;

  constructor(contents: Contents) {
    this.#contents = contents;
  }

  /** Keys that have any; mostly 0, so that a look here saves reads and listeners all else. */
  get size(): number {
    return this.#variants.size;
  }

  get count(): number {
    return this.#count;
  }

  get(key: GroupKey): Variants | undefined {
    return this.#variants.get(key);
  }

  find(key: GroupKey, id: VariantId): CachedVariant | undefined {
    return variantOf(this.#variants.get(key), id);
  }

  keys(): IterableIterator<GroupKey> {
    return this.#variants.keys();
  }

  *all(): Generator<CachedVariant> {
    for (const variants of this.#variants.values()) yield* listed(variants);
  }

  moment(): Moment {
    return this.#touches.moment();
  }

  touchedSince(key: GroupKey, moment: Moment): boolean {
    return this.#touches.since(key, moment);
  }

  touchAbsent(): void {
    this.#touches.touchAbsent();
  }

  /** All variants of a key, as the store has them. */
  putAll(key: GroupKey, rows: readonly VariantContent[]): void {
    const before = this.#variants.get(key);
    const changes: VariantChange[] = [];
    const after = rows.map(({ row, content }) => {
      const old = variantOf(before, row.variant);
      if (old !== undefined && isSame(old, row)) return old;
      const put = cached(row, old);
      if (old !== undefined) this.#contents.drop(old);
      this.#contents.put(put, content);
      changes.push({ groupKey: put.groupKey, before: old, after: put });
      return put;
    });
    for (const old of before === undefined ? [] : listed(before)) {
      if (after.some(({ variant }) => isSameId(variant, old.variant))) continue;
      this.#contents.drop(old);
      changes.push({ groupKey: old.groupKey, before: old, after: undefined });
    }
    this.#set(key, before, after);
    for (const change of changes) this.changes.publish(change);
  }

  /** One variant, the others stay. */
  put(row: VariantRow, content: Uint8Array): CachedVariant {
    const key = groupKey(row.key);
    const before = this.#variants.get(key);
    const old = variantOf(before, row.variant);
    const put = cached(row, old);
    if (old !== undefined) this.#contents.drop(old);
    this.#contents.put(put, content);
    this.#set(key, before, [...others(before, row.variant), put]);
    this.changes.publish({ groupKey: put.groupKey, before: old, after: put });
    return put;
  }

  remove(key: GroupKey, id: VariantId): void {
    const before = this.#variants.get(key);
    const old = variantOf(before, id);
    this.#set(key, before, others(before, id));
    if (old === undefined) return;
    this.#contents.drop(old);
    this.changes.publish({ groupKey: old.groupKey, before: old, after: undefined });
  }

  #set(key: GroupKey, before: Variants | undefined, after: readonly CachedVariant[]): void {
    this.#count += after.length - (before === undefined ? 0 : listed(before).length);
    const [first] = after;
    if (first === undefined) {
      this.#variants.delete(key);
      this.#touches.remove(ownText(key));
      return;
    }
    const tags = new Map<string, CachedVariant>();
    for (const one of after) if (one.variant.kind === 'tag') tags.set(one.variant.tag, one);
    const beta = after.find(({ variant }) => variant.kind === 'beta');
    this.#variants.set(first.groupKey, { beta, tags });
    this.#touches.put(first.groupKey);
  }
}

function cached(row: VariantRow, old: CachedVariant | undefined): CachedVariant {
  const { variant, md5, modifiedMs, key } = row;
  const betaIps = ownText(row.betaIps);
  return {
    groupKey: old?.groupKey ?? ownText(groupKey(key)),
    key: old?.key ?? ownKey(key),
    variant: variant.kind === 'beta' ? { kind: 'beta' } : { kind: 'tag', tag: ownText(variant.tag) },
    md5,
    modifiedMs,
    betaIps,
    ips: splitBetaIps(betaIps),
  };
}

function listed({ beta, tags }: Variants): readonly CachedVariant[] {
  return beta === undefined ? [...tags.values()] : [beta, ...tags.values()];
}

function others(variants: Variants | undefined, id: VariantId): readonly CachedVariant[] {
  return variants === undefined ? [] : listed(variants).filter(({ variant }) => !isSameId(variant, id));
}

function isSame(old: CachedVariant, row: VariantRow): boolean {
  return old.md5 === row.md5 && old.betaIps === row.betaIps && old.modifiedMs === row.modifiedMs;
}
