import type { Host } from '@nacos-kube/core/host/host.ts';
import { isoTime } from '@nacos-kube/core/host/time.ts';
import type { Config, ConfigVariant } from '@nacos-kube/core/model/config.ts';
import { readDump } from '../config/dump-check.ts';
import type { DumpedConfig } from '../config/dump-file.ts';
import { MoveError } from '../store/move/move-error.ts';
import { type MoveRow, RECORD_KINDS, rowName } from '../store/move/move-row.ts';
import { Patience } from '../store/move/patience.ts';
import { StoreTarget } from '../store/move/store-target.ts';
import { RecordCopy } from '../store/record-copy.ts';
import { createSqliteStore } from '../store/sqlite.ts';
import { backupSqlite, removeDatabase } from '../store/sqlite-backup.ts';
import { rebuiltPath } from '../store/sqlite-check.ts';
import { damageOf } from '../store/sqlite-damage.ts';
import { type Salvaged, type SalvagedSection, salvageRows } from '../store/sqlite-salvage.ts';
import { MOVED_PER_WRITE_MAX, type Store } from '../store/store.ts';

export interface RebuildOptions {
  readonly host: Host;
  /** The damaged file. */
  readonly path: string;
  /** Of the node, with `config/` and `records/` below it. */
  readonly data: string;
  /** Called before anything is written: rejects while a node uses the data. */
  readonly alone?: () => Promise<unknown>;
}

export interface Rebuilt {
  /** What was wrong with it. */
  readonly damage: string;
  /** Where the damaged file is now; undefined when there was none. */
  readonly aside: string | undefined;
  /** Rows that could still be read, and those that came from the copies. */
  readonly salvaged: number;
  readonly copied: number;
  /** Of what something may be missing: neither the file nor a whole copy gave all of it. */
  readonly lacking: readonly string[];
}

/**
 * A new file of what the damaged one still gives and, for what it does not, of this node's copies on the disk. Copies
 * have neither the past nor all facts of a configuration. The damaged file is set aside, never removed. Undefined when the
 * file is whole. No process may have the file open.
 */
export async function rebuildSqlite({ host, path, data, alone }: RebuildOptions): Promise<Rebuilt | undefined> {
  // Else it would be made, for its lock.
  if ((await host.disk.stat(data)) === undefined) throw new MoveError(`there is no folder ${data}`);
  const isMissing = (await host.disk.stat(path)) === undefined;
  if (isMissing && (await host.disk.stat(rebuiltPath(path))) !== undefined) {
    // Made of the copies alone it would have less than what was salvaged from the file that is aside.
    const message = `${path} is missing and ${rebuiltPath(path)} is there: a rebuild was broken off, rename that file to it`;
    throw new MoveError(message);
  }
  const damage = isMissing ? 'it is missing' : damageOf(path);
  if (damage === null) return undefined;
  await alone?.();
  const making = `${path}.rebuilding`;
  await removeDatabase(host, making);
  const store = createSqliteStore(host, { path: making });
  let counts: Pick<Rebuilt, 'salvaged' | 'copied' | 'lacking'>;
  try {
    await store.start();
    counts = await fill(host, store, path, data);
    await backupSqlite(host, making, rebuiltPath(path));
  } finally {
    await store.stop();
    await removeDatabase(host, making);
  }
  const aside = await setAside(host, path);
  await host.disk.rename(rebuiltPath(path), path);
  return { damage, aside, ...counts };
}

async function fill(
  host: Host,
  store: Store,
  path: string,
  data: string,
): Promise<Pick<Rebuilt, 'salvaged' | 'copied' | 'lacking'>> {
  const target = new StoreTarget(store, path, new Patience(host));
  const holes = new Set<SalvagedSection>();
  const seen = new Set<SalvagedSection>();
  let salvaged = 0;
  for (const { section, rows, isHole } of salvageRows(path) as Iterable<Salvaged>) {
    seen.add(section);
    if (isHole) holes.add(section);
    await target.put(rows);
    salvaged += rows.length;
  }
  // What was read to its end is the truth; a copy may still have what was removed.
  const isLacking = (section: SalvagedSection) => holes.has(section) || !seen.has(section);
  let copied = 0;
  let waiting: MoveRow[] = [];
  const flush = async () => {
    await target.put(waiting);
    copied += waiting.length;
    waiting = [];
  };
  const put = async (row: MoveRow) => {
    waiting.push(row);
    if (waiting.length === MOVED_PER_WRITE_MAX) await flush();
  };
  const { wasWhole } = await readDump(host, `${data}/config`, async (dumped, content) => {
    if (!isLacking(dumped.variant === undefined ? 'config' : 'variant')) return;
    const row = await rowOf(store, dumped, new TextDecoder().decode(content));
    if (row !== undefined) await put(row);
  });
  const lacking: string[] = wasWhole ? [] : (['config', 'variant'] as const).filter(isLacking);
  if (isLacking('history')) lacking.push('history');
  for (const kind of RECORD_KINDS) {
    if (!isLacking(kind)) continue;
    const rows = await new RecordCopy(host, `${data}/records`, kind).read();
    if (rows === undefined) lacking.push(kind);
    for (const row of rows ?? []) {
      if ((await store.getRecord(kind, row.key)) === undefined) await put({ what: 'record', row });
    }
  }
  await flush();
  if (salvaged + copied === 0 && !wasWhole) {
    throw new MoveError(`nothing can be read of ${path}, and there are no copies in ${data}: restore a backup`);
  }
  for (const [name, why] of target.refused) host.log.warn('a row was left out', { name, why });
  return { salvaged, copied, lacking };
}

/** Undefined when what was salvaged is as new; what a copy leaves out is taken from it. */
async function rowOf(store: Store, dumped: DumpedConfig, content: string): Promise<MoveRow | undefined> {
  const { key, md5, type, modifiedMs, variant } = dumped;
  const times = { createdMs: modifiedMs, modifiedMs };
  const from = { appName: '', sourceIp: '', sourceUser: null };
  if (variant === undefined) {
    const old = await store.getConfig(key);
    if (old !== undefined && (old.md5 === md5 || old.modifiedMs > modifiedMs)) return undefined;
    const facts = { description: null, use: null, effect: null, schema: null, tags: [] };
    const row: Config = { id: '0', ...times, ...from, ...facts, ...old, ...key, content, md5, type, modifiedMs };
    return { what: 'config', row };
  }
  const { id, betaIps } = variant;
  const made: ConfigVariant = { ...key, ...times, ...from, variant: id, content, md5, betaIps };
  const name = rowName({ what: 'variant', row: made });
  const old = (await store.getVariants(key)).find((one) => rowName({ what: 'variant', row: one }) === name);
  if (old !== undefined && (old.md5 === md5 || old.modifiedMs > modifiedMs)) return undefined;
  return { what: 'variant', row: made };
}

/** The log first: beside another file it would be taken for that one's. */
async function setAside(host: Host, path: string): Promise<string | undefined> {
  const stamp = isoTime(host.clock.now()).replaceAll(/[-:]|\.\d+/g, '');
  const aside = `${path}.damaged-${stamp}`;
  // Another rebuild may have left one of the same second.
  const isThere = (await host.disk.stat(path)) !== undefined;
  for (const end of ['-wal', '-shm', '']) {
    if ((await host.disk.stat(`${path}${end}`)) !== undefined)
      await host.disk.rename(`${path}${end}`, `${aside}${end}`);
  }
  return isThere ? aside : undefined;
}
