import type { HttpResponse } from '@nacos-kube/core/host/host.ts';
import type { Call } from '@nacos-kube/core/http/route.ts';
import type { Config } from '@nacos-kube/core/model/config.ts';
import type { PublishRequest } from '@nacos-kube/core/wire/config.ts';
import { decodeId, namespaceNamed, namespaceOf, present } from '@nacos-kube/core/wire/config-admin.ts';
import { isBlank } from '@nacos-kube/core/wire/config-check.ts';
import { configError } from '@nacos-kube/core/wire/config-errors.ts';
import { cloneDone, decodePolicy, importFailed } from '@nacos-kube/core/wire/config-import.ts';
import { checkItems, ITEMS_MAX, typeFor, writeBatch } from './batch.ts';
import { hasNamespace } from './import.ts';
import { userOf } from './operator.ts';
import type { AdminPorts } from './ports.ts';
import { configsById } from './search.ts';

export const CLONE_BODY_BYTES_MAX = 1024 * 1024;
/** Of all contents, in UTF-16 units: as much as an import may bring. */
const CLONED_CHARS_MAX = 50 * 1024 * 1024;

/** Copies into a namespace, the same or another, under the same or another name; tags stay behind. */
export async function cloneConfigs(ports: AdminPorts, { form, request, clientIp }: Call): Promise<HttpResponse> {
  present(form, 'tenant');
  const policy = decodePolicy(form);
  const user = userOf(form);
  const asked = decodeItems(request.body);
  if (asked.length === 0) return importFailed('nothing-selected');
  const namespaceId = namespaceNamed(namespaceOf(form, 'tenant'));
  if (!(await hasNamespace(ports.store, namespaceId))) return importFailed('no-namespace');
  const sources = await sourcesOf(ports, asked);
  const items = asked.flatMap(({ id, dataId, group }): PublishRequest[] => {
    const source = sources.get(id);
    if (source === undefined) return [];
    const { content, appName, description } = source;
    const name = { dataId: dataId ?? source.dataId, group: group ?? source.group };
    return [
      {
        ...{ ...name, namespaceId, content, user, type: typeFor(source.type, name.dataId), description },
        ...{ appName: isBlank(appName) ? undefined : appName, use: null, effect: null, schema: null, tags: undefined },
      },
    ];
  });
  if (items.length === 0) return importFailed('nothing-found');
  checkItems(items);
  return cloneDone(await writeBatch(ports.publisher, items, policy, clientIp));
}

interface CloneItem {
  readonly id: string;
  /** Undefined keeps that of the source. */
  readonly dataId: string | undefined;
  readonly group: string | undefined;
}

/** Each source once, by the first item that names it. */
function decodeItems(body: Uint8Array): readonly CloneItem[] {
  if (body.length > CLONE_BODY_BYTES_MAX) throw configError(413, `the body is over ${CLONE_BODY_BYTES_MAX} bytes`);
  let list: unknown;
  try {
    list = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (cause) {
    throw configError(400, 'the body is no JSON', { cause });
  }
  if (!Array.isArray(list)) throw configError(400, 'the body is no JSON list');
  if (list.length > ITEMS_MAX) throw configError(400, `too many configurations, over ${ITEMS_MAX}`);
  const items = new Map<string, CloneItem>();
  for (const value of list) {
    if (value === null) continue;
    const item = decodeItem(value);
    if (!items.has(item.id)) items.set(item.id, item);
  }
  return [...items.values()];
}

function decodeItem(value: unknown): CloneItem {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw configError(400, 'an item of the body is no object');
  }
  const { cfgId, dataId, group } = value as Readonly<Record<string, unknown>>;
  // A large number would be read as another one, and so copy another configuration.
  if (typeof cfgId !== 'string' && !Number.isSafeInteger(cfgId)) {
    throw configError(400, 'cfgId must be a text, or a number below 2^53');
  }
  return { id: decodeId(String(cfgId)), dataId: nameOf('dataId', dataId), group: nameOf('group', group) };
}

function nameOf(field: string, value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw configError(400, `${field} must be a text`);
  return isBlank(value) ? undefined : value;
}

async function sourcesOf({ store }: AdminPorts, asked: readonly CloneItem[]): Promise<ReadonlyMap<string, Config>> {
  const sources = new Map<string, Config>();
  let chars = 0;
  for await (const page of configsById(
    store,
    asked.map(({ id }) => id),
  )) {
    for (const config of page) {
      chars += config.content.length;
      if (chars > CLONED_CHARS_MAX) throw configError(400, `the selection is over ${CLONED_CHARS_MAX} characters`);
      sources.set(config.id, config);
    }
  }
  return sources;
}
