/** The two fields of a ConfigMap that matter to who follows it. */
export interface ConfigMap {
  readonly resourceVersion: string;
  readonly data: ReadonlyMap<string, string>;
}

export type ConfigMapEvent =
  | ({ readonly kind: 'changed' } & ConfigMap)
  | { readonly kind: 'deleted' | 'bookmark'; readonly resourceVersion: string };

/** Throws for what is no ConfigMap. */
export function decodeConfigMap(value: unknown): ConfigMap {
  const { metadata, data } = objectOf(value, 'a ConfigMap');
  const resourceVersion = versionOf(metadata);
  const entries = Object.entries(data === undefined || data === null ? {} : objectOf(data, 'the data of a ConfigMap'));
  return {
    resourceVersion,
    data: new Map(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string')),
  };
}

/** One line of a watch. An error the server reports in it is thrown, `410` for a version that is too old. */
export function decodeWatchLine(line: string): ConfigMapEvent {
  const { type, object } = objectOf(JSON.parse(line), 'a watch event');
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
      return { kind: 'changed', ...decodeConfigMap(object) };
    case 'DELETED':
      return { kind: 'deleted', resourceVersion: versionOf(objectOf(object, 'a ConfigMap').metadata) };
    case 'BOOKMARK':
      return { kind: 'bookmark', resourceVersion: versionOf(objectOf(object, 'a bookmark').metadata) };
    case 'ERROR': {
      const { code, message } = objectOf(object, 'a Status');
      throw new Error(`the watch ended with ${String(code)}: ${String(message)}`);
    }
    default:
      throw new Error(`a watch event of an unknown type: ${JSON.stringify(type)}`);
  }
}

function versionOf(metadata: unknown): string {
  const { resourceVersion } = objectOf(metadata, 'metadata');
  if (typeof resourceVersion !== 'string' || resourceVersion === '')
    throw new Error('an object has no resourceVersion');
  return resourceVersion;
}

function objectOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${what} is no object`);
  return value as Readonly<Record<string, unknown>>;
}
