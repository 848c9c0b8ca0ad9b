/** `namespaceId` is the tenant of the wire: the empty text is public. */
export interface ConfigKey {
  readonly dataId: string;
  readonly group: string;
  readonly namespaceId: string;
}

export const CONFIG_TYPES = ['properties', 'xml', 'json', 'text', 'html', 'yaml', 'unset'] as const;
export type ConfigType = (typeof CONFIG_TYPES)[number];

/** A formal configuration as stored. */
export interface Config extends ConfigKey {
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
