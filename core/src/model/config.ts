/** `namespaceId` is the tenant of the wire: the empty text is public. */
export interface ConfigKey {
  readonly dataId: string;
  readonly group: string;
  readonly namespaceId: string;
}

export const CONFIG_TYPES = ['properties', 'xml', 'json', 'text', 'html', 'yaml', 'unset'] as const;
export type ConfigType = (typeof CONFIG_TYPES)[number];

/** A formal configuration as stored: what a client gets that no beta and no tag is meant for. */
export interface Config extends ConfigKey {
  /** Given by the store when it is first written; decimal digits, beyond 2^53 in a database of others. */
  readonly id: string;
  readonly content: string;
  /** Lower-case hex of the UTF-8 bytes of the content. */
  readonly md5: string;
  readonly type: ConfigType;
  readonly appName: string;
  readonly description: string | null;
  readonly use: string | null;
  readonly effect: string | null;
  readonly schema: string | null;
  readonly tags: readonly string[];
  readonly createdMs: number;
  readonly modifiedMs: number;
  readonly sourceIp: string;
  readonly sourceUser: string | null;
}

/** Another content of a configuration: `beta` for the addresses it names, `tag` for clients that send its name. */
export type VariantId = { readonly kind: 'beta' } | { readonly kind: 'tag'; readonly tag: string };

export interface ConfigVariant extends ConfigKey {
  readonly variant: VariantId;
  readonly content: string;
  readonly md5: string;
  readonly appName: string;
  /** Addresses that a beta is for, separated by commas as they were sent; empty for a tag. */
  readonly betaIps: string;
  readonly createdMs: number;
  readonly modifiedMs: number;
  readonly sourceIp: string;
  readonly sourceUser: string | null;
}
