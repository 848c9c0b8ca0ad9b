import type { Clock } from '@nacos-kube/core/host/host.ts';
import type { Config, ConfigKey } from '@nacos-kube/core/model/config.ts';
import { requireSearchBytes } from '../bounds.ts';
import { type ConfigQuery, type Found, StoreError, type TextQuery } from '../store.ts';
import { fitsText } from '../text-query.ts';
import type { RedisCalls } from './calls.ts';
import { GET_BY_IDS, GET_CONFIG, NAMES } from './read-scripts.ts';
import { nameOf, type Row, readConfig, readName, rowId } from './rows.ts';

/** Each step holds Redis up for about a millisecond. */
const NAMES_PER_STEP = 1000;
/** A search through so much that this does not suffice should name what it looks for. */
const SEARCH_MS_MAX = 10_000;

export type ReadRow = <T>(read: () => T) => T | undefined;

/** Names are in an index of the namespace, application and tags with each row; no text that is not asked for is moved. */
export async function searchConfigs(
  clock: Clock,
  calls: RedisCalls,
  query: ConfigQuery,
  readRow: ReadRow,
): Promise<Found<Config>> {
  const ids = (await exactId(calls, query)) ?? (await fittingIds(clock, calls, query));
  const items = await configsOf(calls, ids.slice(query.offset, query.offset + query.limit), readRow);
  return { items, total: ids.length };
}

/** Those that are there, by ids in the order that they shall have. */
export async function configsOf(
  calls: RedisCalls,
  ids: readonly string[],
  readRow: ReadRow,
): Promise<readonly Config[]> {
  const configs: Config[] = [];
  let chars = 0;
  for (let left = ids; left.length > 0; ) {
    const [last, ...rows] = await calls.read<[string, ...Row[]]>(GET_BY_IDS, left);
    for (const row of rows) {
      const config = readRow(() => readConfig(row));
      if (config === undefined) continue;
      chars += config.content.length;
      requireSearchBytes(chars);
      configs.push(config);
    }
    left = last === '' ? [] : left.slice(left.indexOf(last) + 1);
  }
  return configs;
}

/** One that is named wholly is found by its key. */
async function exactId(calls: RedisCalls, query: ConfigQuery): Promise<readonly string[] | undefined> {
  const [dataId, group] = [exactText(query.dataId), exactText(query.group)];
  if (dataId === undefined || group === undefined) return undefined;
  const row = await calls.read<Row | null>(GET_CONFIG, [nameOf({ ...query, dataId, group })]);
  return row !== null && fitsFacts(query, row[0][6] ?? '', row[0][7] ?? '[]') ? [rowId(row)] : [];
}

function exactText(query: TextQuery | undefined): string | undefined {
  return query === undefined || (query.kind === 'like' && query.text.includes('*')) ? undefined : query.text;
}

async function fittingIds(clock: Clock, calls: RedisCalls, query: ConfigQuery): Promise<readonly string[]> {
  const until = clock.monotonic() + SEARCH_MS_MAX;
  const withFacts = query.appName !== undefined || query.tags.length > 0;
  const step = withFacts ? 3 : 1;
  const ids: string[] = [];
  for (let after = '0'; ; ) {
    const found = await calls.read<string[]>(NAMES, [query.namespaceId, after, NAMES_PER_STEP, withFacts ? 1 : 0]);
    for (let i = 0; i < found.length; i += step) {
      const [id, name] = splitName(found[i]!);
      after = id;
      if (fitsName(query, readName(name)) && fitsFacts(query, found[i + 1] ?? '', found[i + 2] ?? '[]')) ids.push(id);
    }
    if (found.length < NAMES_PER_STEP * step) return ids;
    if (clock.monotonic() > until) {
      throw new StoreError('unavailable', `the search took over ${SEARCH_MS_MAX} ms: name the data id and group`);
    }
  }
}

function splitName(text: string): readonly [id: string, name: string] {
  const blank = text.indexOf(' ');
  return [text.slice(0, blank), text.slice(blank + 1)];
}

function fitsName(query: ConfigQuery, key: ConfigKey): boolean {
  return fitsText(query.dataId, key.dataId) && fitsText(query.group, key.group);
}

function fitsFacts({ appName, tags }: ConfigQuery, storedApp: string, storedTags: string): boolean {
  if (appName !== undefined && storedApp !== appName) return false;
  if (tags.length === 0) return true;
  const stored = parseTags(storedTags);
  return tags.some((tag) => stored.includes(tag));
}

/** A damaged row must not fail the search for all others. */
function parseTags(text: string): readonly unknown[] {
  try {
    const tags: unknown = JSON.parse(text);
    return Array.isArray(tags) ? tags : [];
  } catch {
    return [];
  }
}
