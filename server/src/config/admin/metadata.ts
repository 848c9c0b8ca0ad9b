import { dump, FAILSAFE_SCHEMA, load, realMapTag } from 'js-yaml';

/** The first version is no YAML, whatever its name says (spec/config.md 1.3). */
export const METADATA_V1 = '.meta.yml';
export const METADATA_V2 = '.metadata.yml';
export const METADATA_BYTES_MAX = 1024 * 1024;
const YAML_DEPTH_MAX = 8;

/** What the archive of the second version tells of one configuration. */
export interface ConfigMetadata {
  readonly dataId: string;
  readonly group: string;
  readonly type: string;
  readonly description: string | undefined;
  readonly appName: string | undefined;
}

/** The entry of a configuration: group and data id hold no slash. */
export function entryName({ group, dataId }: { readonly group: string; readonly dataId: string }): string {
  return `${group}/${dataId}`;
}

/** The key of an application name in the first version: the last dot of the data id becomes a tilde. */
export function appNameKey({ group, dataId }: { readonly group: string; readonly dataId: string }): string {
  const dot = dataId.lastIndexOf('.');
  return `${group}.${dot < 0 ? dataId : `${dataId.slice(0, dot)}~${dataId.slice(dot + 1)}`}.app`;
}

/** Application names by their keys; undefined when it is no such text. */
export function parseMetadataV1(text: string): ReadonlyMap<string, string> | undefined {
  const names = new Map<string, string>();
  for (const line of text.split(/[\r\n|]+/)) {
    if (line === '') continue;
    const [key = '', value = '', ...more] = line.split('=');
    if (key === '' || value === '' || more.length > 0) return undefined;
    names.set(key, value);
  }
  return names;
}

/** In order; undefined when it is no such text, or says something twice. Nothing in it is ever more than a text (S7). */
export function parseMetadataV2(text: string): readonly ConfigMetadata[] | undefined {
  const items = fieldOf(readYaml(text), 'metadata');
  if (!Array.isArray(items) || items.length === 0) return undefined;
  const found = new Map<string, ConfigMetadata>();
  for (const item of items) {
    const [dataId, group, type] = ['dataId', 'group', 'type'].map((name) => textOf(item, name)) as [
      string,
      string,
      string,
    ];
    if ([dataId, group, type].some((value) => value === undefined || value.trim() === '')) return undefined;
    const one = { dataId, group, type, description: textOf(item, 'desc'), appName: textOf(item, 'appName') };
    if (found.has(entryName(one))) return undefined;
    found.set(entryName(one), one);
  }
  return [...found.values()];
}

/** Keys in the order of the alphabet, those without value left out. */
export function writeMetadataV2(items: Iterable<ConfigMetadata>): string {
  const metadata = Array.from(items, ({ appName, dataId, description, group, type }) => ({
    ...(appName !== undefined && { appName }),
    dataId,
    ...(description !== undefined && { desc: description }),
    group,
    type,
  }));
  return dump({ metadata }, { lineWidth: -1, noRefs: true, seqNoIndent: true });
}

/** Undefined for whatever cannot be read: the library may throw anything on what is not meant well. */
function readYaml(text: string): unknown {
  try {
    const schema = FAILSAFE_SCHEMA.withTags(realMapTag);
    return load(text, { schema, maxAliases: 0, maxDepth: YAML_DEPTH_MAX, maxTotalMergeKeys: 0 });
  } catch {
    return undefined;
  }
}

function fieldOf(value: unknown, name: string): unknown {
  return value instanceof Map ? value.get(name) : undefined;
}

function textOf(value: unknown, name: string): string | undefined {
  const text = fieldOf(value, name);
  return typeof text === 'string' ? text : undefined;
}
