import { contentMd5 } from '@nacos-kube/core/wire/config.ts';
import { keyOf, variantOf, writeOf } from '../contract-tools.ts';
import { createTestHost } from '../host-for-tests.ts';
import type { Store } from '../store.ts';
import type { MoveRow } from './move-row.ts';
import { rowName } from './move-row.ts';
import { Patience } from './patience.ts';
import { StoreSource } from './store-source.ts';

export const INSTANCE = 'public##DEFAULT_GROUP@@demo##10.0.0.1:80:DEFAULT';

/** Some of everything: configs with a past, one that is gone, variants, records of all kinds. */
export async function fillStore(store: Store, configs = 5): Promise<void> {
  const by = { ip: '10.0.0.9', user: 'ann' };
  for (let i = 0; i < configs; i += 1) await store.putConfig(writeOf(`c.${i}`, `content ${i}`, { by }));
  const facts = { description: 'about', use: 'for', effect: 'none', schema: '{}', appName: 'shop', tags: ['b', 'a'] };
  await store.putConfig(writeOf('full', 'ä漢😀\r\n\u0000 end\n', { ...facts, type: 'yaml', namespaceId: 'dev' }));
  await store.putConfig(writeOf('full', 'two', { ...facts, type: 'yaml', namespaceId: 'dev', by }));
  await store.putConfig(writeOf('gone', 'was here'));
  await store.removeConfig(keyOf('gone'), by);
  await store.putVariant(variantOf('c.1', 'beta', { kind: 'beta' }, { betaIps: '1.1.1.1,2.2.2.2' }));
  await store.putVariant(variantOf('c.1', 'tagged', { kind: 'tag', tag: 'blue' }, { appName: 'shop' }));
  await store.putRecords([
    { kind: 'namespace', key: 'dev', value: JSON.stringify({ id: 'dev', name: 'Development', description: '' }) },
    { kind: 'capacity', key: 'tenant:dev', value: capacity(10) },
    { kind: 'capacity', key: 'group:', value: capacity(20) },
    { kind: 'switch', key: 'switches', value: '{"a":1}' },
    { kind: 'service', key: 'public##DEFAULT_GROUP@@demo', value: '{"protectThreshold":0.5}' },
    { kind: 'instance', key: INSTANCE, value: '{"ip":"10.0.0.1"}' },
  ]);
}

function capacity(quota: number): string {
  return JSON.stringify({ quota, maxSize: 0, maxAggrCount: 0, maxAggrSize: 0 });
}

/** All that a store holds, in an order of its own; ids and times are left out unless they are asked for. */
export async function rowsOf(store: Store, withTimes = true): Promise<readonly unknown[]> {
  const rows: MoveRow[] = [];
  for await (const page of new StoreSource(store, 'test', new Patience(createTestHost(), 0)).pages())
    rows.push(...page.rows);
  const plain = rows.map((row) => {
    if (row.what === 'record' || row.what === 'gone' || withTimes) return row;
    const { createdMs, modifiedMs, id, nid, configId, atMs, ...rest } = row.row as unknown as Record<string, unknown>;
    return { what: row.what, row: rest };
  });
  const named = plain.map((row, i) => [`${rowName(rows[i]!)}`, row] as const);
  return named.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

export function md5(text: string): string {
  return contentMd5(new TextEncoder().encode(text));
}
