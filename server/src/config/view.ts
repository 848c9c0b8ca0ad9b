import type { ConfigKey, ConfigType, VariantId } from '@nacos-kube/core/model/config.ts';
import type { GroupKey } from '@nacos-kube/core/wire/config-key.ts';
import type { ChosenBy } from '@nacos-kube/core/wire/config-view.ts';
import type { Revision } from '../store/store.ts';

/** What reads and listeners judge by. Never altered: a change puts another one in its place. */
export interface CachedConfig {
  readonly groupKey: GroupKey;
  readonly key: ConfigKey;
  readonly md5: string;
  readonly type: ConfigType;
  readonly modifiedMs: number;
  /** The state is at least as new as this; 0 when it comes from the dump. */
  readonly revision: Revision;
}

/** What is published for the addresses of a beta or under a tag, beside the formal configuration or without one. */
export interface CachedVariant {
  readonly groupKey: GroupKey;
  readonly key: ConfigKey;
  readonly variant: VariantId;
  readonly md5: string;
  readonly modifiedMs: number;
  /** Of a beta, as they were sent. */
  readonly betaIps: string;
  /** The same, one by one: whoever has exactly one of these texts as address sees the beta. */
  readonly ips: ReadonlySet<string>;
}

/** The variants of one configuration. Never altered either. */
export interface Variants {
  readonly beta: CachedVariant | undefined;
  readonly tags: ReadonlyMap<string, CachedVariant>;
}

export type CachedView = CachedConfig | CachedVariant;

/** What the choice of a view depends on. */
export interface Viewer {
  readonly clientIp: string;
  /** The header `Vipserver-Tag`; where nothing is published under it, the formal configuration is meant. */
  readonly tag: string | undefined;
}

export function variantOf(variants: Variants | undefined, id: VariantId): CachedVariant | undefined {
  return id.kind === 'beta' ? variants?.beta : variants?.tags.get(id.tag);
}

export function isSameId(a: VariantId, b: VariantId): boolean {
  return a.kind === 'beta' ? b.kind === 'beta' : b.kind === 'tag' && a.tag === b.tag;
}

export interface Choice {
  readonly variant: CachedVariant;
  readonly by: ChosenBy;
}

/**
 * The variant that a client is to see; undefined: the formal configuration, if there is one. A beta comes first; a tag
 * asked for by parameter is for the caller to look up, since nothing else may take its place.
 */
export function chooseVariant(variants: Variants | undefined, { clientIp, tag }: Viewer): Choice | undefined {
  if (variants === undefined) return undefined;
  if (variants.beta?.ips.has(clientIp)) return { variant: variants.beta, by: 'beta' };
  const tagged = tag === undefined ? undefined : variants.tags.get(tag);
  return tagged === undefined ? undefined : { variant: tagged, by: 'tag header' };
}

/** As the reference does: cut at commas and nothing else, so that an address with a blank before it never fits. */
export function splitBetaIps(betaIps: string): ReadonlySet<string> {
  return new Set(betaIps === '' ? [] : betaIps.split(','));
}
