import type { HttpResponse } from '@nacos-kube/core/host/host.ts';
import { json, jsonBytes, restResult } from '@nacos-kube/core/http/answers.ts';
import type { Call } from '@nacos-kube/core/http/route.ts';
import type { Config, ConfigKey } from '@nacos-kube/core/model/config.ts';
import { decodeKey } from '@nacos-kube/core/wire/config.ts';
import {
  type ConfigSearch,
  type ConfigSelection,
  configFactsJson,
  decodeSearch,
  encodePage,
  foundConfigJson,
  namespaceOf,
  present,
  wholeConfigJson,
} from '@nacos-kube/core/wire/config-admin.ts';
import { configError } from '@nacos-kube/core/wire/config-errors.ts';
import { type ConfigQuery, type Store, StoreError } from '../../store/store.ts';

/** Of contents in one answer, in UTF-16 units; the reference has no bound. */
export const SEARCH_CHARS_MAX = 64 * 1024 * 1024;
/** Rows of any size are read so many at once, large ones so few. */
const ROWS_AT_ONCE = 100;
const LARGE_ROWS_AT_ONCE = 10;

export async function searchConfigs(store: Store, { form }: Call, kind: ConfigSearch['kind']): Promise<HttpResponse> {
  const search = decodeSearch(form, kind);
  const { pageNo, pageSize, namespaceId, appName, tags } = search;
  const text = (value: string | undefined) =>
    value === undefined ? undefined : { kind: kind === 'blur' ? ('like' as const) : ('equals' as const), text: value };
  const query = { namespaceId, dataId: text(search.dataId), group: text(search.group), appName, tags };
  const items: unknown[] = [];
  let chars = 0;
  let total = 0;
  const slices = slicesOf(store, query, (pageNo - 1) * pageSize, pageSize);
  for await (const slice of slices) {
    total = slice.total;
    for (const config of slice.items) {
      chars += config.content.length;
      if (chars > SEARCH_CHARS_MAX) {
        throw configError(400, `the page holds over ${SEARCH_CHARS_MAX} characters, ask for a smaller one`);
      }
      items.push(foundConfigJson(config, search));
    }
  }
  return encodePage(items, total, search);
}

/** `show=all`; the reference answers nothing at all where nothing is. */
export async function showConfig(store: Store, { form }: Call): Promise<HttpResponse> {
  const config = await store.getConfig(decodeKey(form));
  return config === undefined ? jsonBytes('') : json(wholeConfigJson(config));
}

export async function showFacts(store: Store, { form }: Call): Promise<HttpResponse> {
  const key: ConfigKey = {
    dataId: present(form, 'dataId'),
    group: present(form, 'group'),
    namespaceId: namespaceOf(form, 'tenant'),
  };
  const config = await store.getConfig(key);
  return restResult(config === undefined ? null : configFactsJson(config));
}

/** The rows that an export takes, in pages small enough to move; a row that comes twice is told once. */
export async function* selectedConfigs(store: Store, selection: ConfigSelection): AsyncGenerator<readonly Config[]> {
  if (selection.ids.length > 0) {
    yield* configsById(store, selection.ids);
    return;
  }
  const { namespaceId, dataId, group, appName } = selection;
  const query = {
    ...{ namespaceId, appName, tags: [] },
    dataId: dataId === undefined ? undefined : { kind: 'like' as const, text: dataId },
    group: group === undefined ? undefined : { kind: 'equals' as const, text: group },
  };
  const seen = new Set<string>();
  for await (const { items } of slicesOf(store, query, 0, Number.POSITIVE_INFINITY)) {
    // Pages are counted from the start, so a removal in between moves rows from one into another.
    yield items.filter(({ id }) => !seen.has(id));
    for (const { id } of items) seen.add(id);
  }
}

/** In pages, without those that are not there. */
export async function* configsById(store: Store, ids: readonly string[]): AsyncGenerator<readonly Config[]> {
  for (let at = 0, size = ROWS_AT_ONCE; at < ids.length; ) {
    try {
      yield await store.getConfigs(ids.slice(at, at + size));
      at += size;
    } catch (error) {
      size = smaller(size, error);
    }
  }
}

async function* slicesOf(
  store: Store,
  query: Omit<ConfigQuery, 'offset' | 'limit'>,
  offset: number,
  count: number,
): AsyncGenerator<{ readonly items: readonly Config[]; readonly total: number }> {
  for (let at = offset, size = ROWS_AT_ONCE; ; ) {
    const limit = Math.min(size, offset + count - at);
    if (limit <= 0) return;
    try {
      const found = await store.searchConfigs({ ...query, offset: at, limit });
      yield found;
      at += limit;
      if (at >= found.total) return;
    } catch (error) {
      size = smaller(size, error);
    }
  }
}

/** A page that is too much for the store is asked for in smaller ones. */
function smaller(size: number, error: unknown): number {
  if (size > LARGE_ROWS_AT_ONCE && error instanceof StoreError && error.kind === 'invalid') return LARGE_ROWS_AT_ONCE;
  throw error;
}
