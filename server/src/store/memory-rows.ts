import type { Config, ConfigKey, ConfigVariant, VariantId } from '@nacos-kube/core/model/config.ts';
import { type ConfigHistory, variantText } from './history.ts';
import type { ChangedThing, MovedRow, Revision } from './store.ts';

export function keyText(key: ConfigKey): string {
  return JSON.stringify([key.namespaceId, key.group, key.dataId]);
}

export function variantKeyText(key: ConfigKey, variant: VariantId): string {
  return `${keyText(key)} ${variantText(variant)}`;
}

export function keyOf({ dataId, group, namespaceId }: ConfigKey): ConfigKey {
  return { dataId, group, namespaceId };
}

interface MemoryTables {
  readonly configs: Map<string, Config>;
  readonly variants: Map<string, { readonly id: number; readonly variant: ConfigVariant }>;
  readonly history: readonly ConfigHistory[];
  nextId(): number;
  idLike(id: string, used: number): string;
  note(what: ChangedThing, removed: boolean): Revision;
  remember(entry: ConfigHistory): void;
}

/** A row of another store, as it stood there. */
export function putMovedRow(tables: MemoryTables, moved: MovedRow): void {
  switch (moved.what) {
    case 'config': {
      const { row } = moved;
      const old = tables.configs.get(keyText(row));
      const highest = () => [...tables.configs.values()].reduce((max, { id }) => Math.max(max, Number(id)), 0);
      const id = old?.id ?? tables.idLike(row.id, highest());
      tables.configs.set(keyText(row), { ...row, id });
      tables.note({ kind: 'config', key: keyOf(row) }, false);
      return;
    }
    case 'variant': {
      const text = variantKeyText(moved.row, moved.row.variant);
      const id = tables.variants.get(text)?.id ?? tables.nextId();
      tables.variants.set(text, { id, variant: moved.row });
      tables.note({ kind: 'variant', key: keyOf(moved.row) }, false);
      return;
    }
    case 'history': {
      if (tables.history.some((past) => isSamePast(past, moved.row))) return;
      const nid = tables.idLike(moved.row.nid, Number(tables.history.at(-1)?.nid ?? 0));
      tables.remember({ ...moved.row, nid });
    }
  }
}

function isSamePast(a: ConfigHistory, b: ConfigHistory): boolean {
  return keyText(a) === keyText(b) && a.operation === b.operation && a.md5 === b.md5 && a.atMs === b.atMs;
}
