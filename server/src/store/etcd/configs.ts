import type { ConfigKey } from '@nacos-kube/core/model/config.ts';
import { factsAfter, isExpected } from '../history.ts';
import type { ConfigWrite, ConfigWritten, Operator, Revision } from '../store.ts';
import type { Patience } from './client.ts';
import { type EtcdContext, requireTime } from './context.ts';
import { EtcdFailure } from './failure.ts';
import { nameOf, readName } from './keys.ts';
import {
  COMPARES_MAX,
  get,
  isAbsent,
  isEmpty,
  isUnchanged,
  put,
  type Read,
  readEach,
  readOf,
  remove,
  revisionOf,
  transactionOf,
} from './kv.ts';
import type { Compare, RequestOp, TxnResponse } from './protocol.ts';
import {
  type ConfigHead,
  DamagedValueError,
  type PastHead,
  readConfigHead,
  readPastMark,
  writeChanges,
  writeConfigHead,
  writePastHead,
  writePastMark,
} from './values.ts';

export async function putConfig(etcd: EtcdContext, write: ConfigWrite): Promise<ConfigWritten> {
  const { host, keys, ids } = etcd;
  const key = keyOf(write);
  const name = nameOf(write);
  const { blob, operations } = await etcd.blobs.upload(write.content);
  return writeChecked(etcd, key, blob.bytes, ({ head: old, revision, floor }, mark): Step<ConfigWritten> => {
    if (!isExpected(write.expectedMd5, old?.md5)) return { done: { outcome: 'conflict' } };
    const nowMs = host.clock.now();
    const nid = ids.next(revision, floor);
    const id = old?.id ?? ids.next(revision, floor);
    const rest = { id, md5: write.md5, blob, ...factsAfter(write, old, nowMs) };
    const past: PastHead = {
      ...{ ...key, nid, configId: old?.id ?? '0', operation: old === undefined ? 'I' : 'U' },
      ...{ blob: old?.blob ?? blob, md5: old?.md5 ?? write.md5, appName: old?.appName ?? rest.appName },
      ...{ sourceIp: write.by.ip, sourceUser: write.by.user, atMs: nowMs },
    };
    return {
      nid,
      compare: old === undefined ? [isAbsent(keys.id(id))] : [],
      operations: [
        ...operations,
        put(keys.config(name), writeConfigHead(key, rest)),
        ...(old === undefined ? [put(keys.id(id), Buffer.from(name))] : []),
        ...pastOperations(etcd, past, mark),
        put(keys.head, writeChanges([{ what: { kind: 'config', key }, removed: false }])),
      ],
      head: { ...key, ...rest },
      finish: (revision) => ({ outcome: 'written', revision }),
    };
  });
}

export async function removeConfig(etcd: EtcdContext, { dataId, group, namespaceId }: ConfigKey, by: Operator) {
  const key = { dataId, group, namespaceId };
  return writeChecked(etcd, key, 0, ({ head, modRevision, revision, floor }, mark): Step<boolean> => {
    if (modRevision === 0) return { done: false };
    const nid = etcd.ids.next(revision, floor);
    const changes = writeChanges([{ what: { kind: 'config', key }, removed: true }]);
    const operations = [...removal(etcd, key, head, nid, by, mark), put(etcd.keys.head, changes)];
    return { nid, compare: [], operations, head: undefined, finish: () => true };
  });
}

/**
 * All in one transaction. Few of them are compared one by one; for many, which would be more compares than etcd takes,
 * nothing at all may have been written since they were read.
 */
export async function removeConfigs(etcd: EtcdContext, wanted: readonly string[], by: Operator): Promise<number> {
  const { client, keys, ids } = etcd;
  const patience = client.patience();
  for (;;) {
    const keysRead = [keys.floor, keys.head, ...wanted.map((id) => keys.id(id))].map((key) => ({ key }));
    const [floorRead, headRead, ...idReads] = (await readEach(client, patience, keysRead)) as [Read, Read, ...Read[]];
    const { revision } = floorRead;
    const names = idReads.flatMap((read) => read.kvs.map((kv) => kv.value.toString()));
    const configs = names.map((name) => ({ key: keys.config(name) }));
    const reads = await readEach(client, patience, configs, revision);
    const found = reads.flatMap(({ kvs }, i) => kvs.map((kv) => ({ kv, key: readName(names[i]!) })));
    if (found.length === 0) return 0;
    const nids = found.map(() => ids.next(revision, floorOf(floorRead)));
    const compare =
      found.length * 2 <= COMPARES_MAX
        ? found.flatMap(({ kv }, i) => [isUnchanged(kv.key, Number(kv.mod_revision)), isAbsent(keys.nid(nids[i]!))])
        : [isUnchanged(keys.head, modRevisionOf(headRead))];
    const removals = found.flatMap(({ kv, key }, i) => removal(etcd, key, headOf(etcd, key, kv.value), nids[i]!, by));
    const changes = found.map(({ key }) => ({ what: { kind: 'config' as const, key }, removed: true }));
    const request = transactionOf(compare, [...removals, put(keys.head, writeChanges(changes))]);
    if ((await client.once('KV/Txn', request, patience)).succeeded) return found.length;
    requireTime(etcd, patience);
  }
}

/** A configuration as a write finds it. */
interface Seen {
  readonly head: ConfigHead | undefined;
  /** 0: not there. */
  readonly modRevision: number;
  readonly revision: number;
  readonly floor: number;
  readonly floorRevision: number;
  /** The revision of the first attempt that turns out to have been carried out. */
  readonly done: { readonly nid: string; readonly revision: Revision } | undefined;
}

/** What a write of one configuration comes to, for what it has found. */
type Step<T> =
  | { readonly done: T }
  | {
      /** By which it is told later whether it was carried out. */
      readonly nid: string;
      readonly compare: readonly Compare[];
      readonly operations: readonly RequestOp[];
      /** What stands then. */
      readonly head: ConfigHead | undefined;
      finish(revision: Revision): T;
    };

type StepOf<T> = (seen: Seen, mark: string) => Step<T>;

/** A large content is not sent for a guess. */
const GUESS_BYTES_MAX = 16 * 1024;
const MARK_BYTES = 8;

/**
 * Writes over what it has found and nothing else, again until that holds. So it may be repeated when the answer is lost:
 * an attempt that was carried out has left its past write, with the mark of this write, and none that comes late can be carried out as well. And it
 * may begin with a guess: what this process wrote last, or that there is and was nothing under the name. Only what is
 * written counts on it: that there is nothing to do is said of what was read.
 */
function writeChecked<T>(etcd: EtcdContext, key: ConfigKey, bytes: number, step: StepOf<T>): Promise<T> {
  const patience = etcd.client.patience();
  // What it guesses is to be fresh when it begins.
  const write = () => etcd.slots.take(patience, bytes, () => writeWithin(etcd, patience, key, bytes, step));
  return etcd.turns.take([`config ${nameOf(key)}`], patience, bytes, write);
}

async function writeWithin<T>(
  etcd: EtcdContext,
  patience: Patience,
  key: ConfigKey,
  bytes: number,
  step: StepOf<T>,
): Promise<T> {
  const { client, keys, known } = etcd;
  const name = nameOf(key);
  const config = keys.config(name);
  const mark = Buffer.from(etcd.host.random.bytes(MARK_BYTES)).toString('hex');
  const open = new Map<string, (revision: Revision) => T>();
  const reads = () => [get(config), get(keys.floor), ...[...open.keys()].map((nid) => get(keys.nid(nid)))];
  const seenIn = (answer: TxnResponse) => readSeen(etcd, key, mark, [...open.keys()], answer);
  const read = async () => seenIn(await client.repeat('KV/Txn', { success: reads() }, patience));
  let guess = bytes > GUESS_BYTES_MAX ? undefined : guessOf(etcd, name);
  for (let seen = guess ?? (await read()); ; ) {
    if (seen.done !== undefined) return open.get(seen.done.nid)!(seen.done.revision);
    const next = step(seen, mark);
    if ('done' in next) {
      if (guess === undefined) return next.done;
      guess = undefined;
      seen = await read();
      continue;
    }
    const compare = [
      ...[isUnchanged(config, seen.modRevision), isUnchanged(keys.floor, seen.floorRevision)],
      ...[isAbsent(keys.nid(next.nid)), ...next.compare],
    ];
    // Else its past could have a number from after the revision that is known here.
    if (guess !== undefined && seen.head === undefined) compare.push(isEmpty(keys.historyOf(name)));
    guess = undefined;
    try {
      const answer = await client.once('KV/Txn', transactionOf(compare, next.operations, reads()), patience);
      const revision = revisionOf(answer);
      if (answer.succeeded) {
        known.revision = Math.max(known.revision, revision);
        if (next.head === undefined) known.forget(name);
        else known.wrote(name, { head: next.head, modRevision: revision });
        return next.finish(revision);
      }
      seen = seenIn(answer);
      requireTime(etcd, patience);
    } catch (error) {
      if (!(error instanceof EtcdFailure) || !error.mayBeDone || patience.leftMs <= 0) throw error;
      open.set(next.nid, next.finish);
      seen = await read().catch(() => Promise.reject(error));
    }
  }
}

/** Undefined before anything is known. */
function guessOf({ known }: EtcdContext, name: string): Seen | undefined {
  if (known.floor === undefined) return undefined;
  const { head, modRevision = 0 } = known.config(name) ?? {};
  const { value: floor, modRevision: floorRevision } = known.floor;
  return { head, modRevision, revision: known.revision, floor, floorRevision, done: undefined };
}

function readSeen(etcd: EtcdContext, key: ConfigKey, mark: string, open: readonly string[], answer: TxnResponse): Seen {
  const [config, floorRead, ...pasts] = answer.responses.map((response) => readOf(response.response_range!)) as [
    Read,
    Read,
    ...Read[],
  ];
  const value = config.kvs[0]?.value;
  const done = pasts.flatMap(({ kvs }, i) =>
    kvs
      .filter((kv) => readPastMark(kv.value).write === mark)
      .map((kv) => ({ nid: open[i]!, revision: Number(kv.mod_revision) })),
  )[0];
  const { known } = etcd;
  const revision = revisionOf(answer);
  const [floor, floorRevision] = [floorOf(floorRead), modRevisionOf(floorRead)];
  known.revision = Math.max(known.revision, revision);
  known.floor = { value: floor, modRevision: floorRevision };
  return {
    head: value === undefined ? undefined : headOf(etcd, key, value),
    modRevision: modRevisionOf(config),
    ...{ revision, floor, floorRevision, done },
  };
}

function removal(
  etcd: EtcdContext,
  key: ConfigKey,
  head: ConfigHead | undefined,
  nid: string,
  by: Operator,
  mark?: string,
): readonly RequestOp[] {
  const { keys, host } = etcd;
  const name = nameOf(key);
  if (head === undefined) return [remove({ key: keys.config(name) })];
  const { id: configId, blob, md5, appName } = head;
  return [
    remove({ key: keys.config(name) }),
    remove({ key: keys.id(configId) }),
    put(keys.gone(configId), Buffer.from(name)),
    ...pastOperations(
      etcd,
      {
        ...{ ...key, nid, configId, operation: 'D', blob, md5, appName },
        ...{ sourceIp: by.ip, sourceUser: by.user, atMs: host.clock.now() },
      },
      mark,
    ),
  ];
}

export function pastOperations({ keys }: EtcdContext, past: PastHead, write?: string): readonly RequestOp[] {
  const { dataId, group, namespaceId, ...rest } = past;
  const key = { dataId, group, namespaceId };
  const { nid, operation, configId, atMs, blob } = past;
  const name = nameOf(key);
  return [
    put(keys.history(name, nid), writePastHead(key, rest)),
    put(
      keys.nid(nid),
      writePastMark({ name, operation, configId, atMs, blob: blob.id, ...(write !== undefined && { write }) }),
    ),
  ];
}

/** A damaged one counts as none: a write over it mends it. */
function headOf(etcd: EtcdContext, key: ConfigKey, value: Buffer): ConfigHead | undefined {
  try {
    return readConfigHead(key, value);
  } catch (error) {
    if (!(error instanceof DamagedValueError)) throw error;
    etcd.host.log.error('a damaged configuration is written over', { error });
    return undefined;
  }
}

export function floorOf(read: Read): number {
  return Number(read.kvs[0]?.value.toString() ?? 0);
}

function modRevisionOf(read: Read): number {
  return Number(read.kvs[0]?.mod_revision ?? 0);
}

function keyOf({ dataId, group, namespaceId }: ConfigKey): ConfigKey {
  return { dataId, group, namespaceId };
}
