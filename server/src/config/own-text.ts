import type { ConfigKey } from '@nacos-kube/core/model/config.ts';

/**
 * The same text with memory of its own. A text cut out of another keeps all of that one alive: a name of ten letters
 * would hold the whole body of the request it came in (F20).
 */
export function ownText(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}

export function ownKey({ dataId, group, namespaceId }: ConfigKey): ConfigKey {
  return { dataId: ownText(dataId), group: ownText(group), namespaceId: ownText(namespaceId) };
}
