import type { ConfigKey } from '../model/config.ts';

/**
 * `dataId+group` or `dataId+group+namespace`, with `+` and `%` escaped in each part: the key of a configuration in
 * maps, in hashes and between members.
 */
export type GroupKey = string;

export function groupKey(key: ConfigKey): GroupKey {
  const two = `${escapePart(key.dataId)}+${escapePart(key.group)}`;
  return key.namespaceId === '' ? two : `${two}+${escapePart(key.namespaceId)}`;
}

/** Throws `Error` on a text that `groupKey` cannot have made: such a key is a fault of ours, not of a caller. */
export function parseGroupKey(text: GroupKey): ConfigKey {
  const parts = text.split('+');
  const [dataId, group, namespaceId] = parts;
  if (dataId === undefined || group === undefined || parts.length > 3 || /%(?!2B|25)/.test(text)) {
    throw new Error(`invalid groupkey:${text}`);
  }
  return {
    dataId: unescapePart(dataId),
    group: unescapePart(group),
    namespaceId: namespaceId === undefined ? '' : unescapePart(namespaceId),
  };
}

function escapePart(part: string): string {
  return /[+%]/.test(part) ? part.replaceAll('%', '%25').replaceAll('+', '%2B') : part;
}

function unescapePart(part: string): string {
  return part.includes('%') ? part.replaceAll('%2B', '+').replaceAll('%25', '%') : part;
}
