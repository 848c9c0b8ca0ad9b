import type { EtcdClient, Patience } from './client.ts';
import type { KeyRange } from './keys.ts';
import type { Compare, KeyValue, RangeRequest, RangeResponse, RequestOp, TxnRequest, TxnResponse } from './protocol.ts';

/** Etcd's `--max-txn-ops` unless told, which counts compares and operations of one level, and what the levels above have. */
const OPERATIONS_MAX = 128;
/** Of one read, so that its answer is no burden. */
export const KEYS_PER_READ_MAX = 100;
/** Compares of one transaction; the rest is left to the operations, which are put into transactions within. */
export const COMPARES_MAX = 64;
const OPERATIONS_WITHIN_MAX = OPERATIONS_MAX - COMPARES_MAX;

export interface Read {
  readonly revision: number;
  readonly kvs: readonly KeyValue[];
  /** Of all in the range. */
  readonly count: number;
}

/** All reads go to a majority; those at a revision show what stood then. */
export async function readRange(client: EtcdClient, patience: Patience, request: RangeRequest): Promise<Read> {
  return readOf(await client.repeat('KV/Range', request, patience));
}

export function getKey(client: EtcdClient, patience: Patience, key: Buffer): Promise<Read> {
  return readRange(client, patience, { key });
}

/** Several keys or ranges, as they stood together at the revision, or stand when there is none. */
export async function readEach(
  client: EtcdClient,
  patience: Patience,
  requests: readonly RangeRequest[],
  at?: number,
): Promise<readonly Read[]> {
  const reads: Read[] = [];
  let revision = at;
  for (let start = 0; start < requests.length; start += KEYS_PER_READ_MAX) {
    const part = requests.slice(start, start + KEYS_PER_READ_MAX);
    const success = part.map((request) => ({
      request_range: revision === undefined ? request : { ...request, revision },
    }));
    const answer = await client.repeat('KV/Txn', { success }, patience);
    const now = revisionOf(answer);
    revision ??= now;
    for (const { response_range } of answer.responses) reads.push({ ...readOf(response_range!), revision: now });
  }
  return reads;
}

/** Operations beyond what one level may have are put into transactions within it, which are one all the same. */
export function transactionOf(
  compare: readonly Compare[],
  operations: readonly RequestOp[],
  otherwise: readonly RequestOp[] = [],
): TxnRequest {
  return { compare, success: leveled(operations), failure: otherwise };
}

function leveled(operations: readonly RequestOp[]): readonly RequestOp[] {
  if (operations.length <= COMPARES_MAX) return operations;
  const parts: RequestOp[] = [];
  for (let start = 0; start < operations.length; start += OPERATIONS_WITHIN_MAX) {
    parts.push({ request_txn: { success: operations.slice(start, start + OPERATIONS_WITHIN_MAX) } });
  }
  return parts;
}

export function put(key: Buffer, value: Buffer): RequestOp {
  return { request_put: { key, value } };
}

export function remove(key: KeyRange | { readonly key: Buffer }): RequestOp {
  return { request_delete_range: key };
}

export function get(key: Buffer): RequestOp {
  return { request_range: { key } };
}

export function isAbsent(key: Buffer): Compare {
  return { key, result: 'EQUAL', target: 'CREATE', create_revision: 0 };
}

export function isEmpty(range: KeyRange): Compare {
  return { ...range, result: 'EQUAL', target: 'CREATE', create_revision: 0 };
}

export function isPresent(key: Buffer): Compare {
  return { key, result: 'GREATER', target: 'CREATE', create_revision: 0 };
}

/** Not written since; revision 0: not there. */
export function isUnchanged(key: Buffer, modRevision: number): Compare {
  return { key, result: 'EQUAL', target: 'MOD', mod_revision: modRevision };
}

/** Not written after that revision; that it was removed does not show. */
export function isNoNewer(key: Buffer, revision: number): Compare {
  return { key, result: 'LESS', target: 'MOD', mod_revision: revision + 1 };
}

export function revisionOf(answer: Pick<TxnResponse, 'header'>): number {
  return Number(answer.header!.revision);
}

export function readOf(answer: RangeResponse): Read {
  return { revision: Number(answer.header?.revision ?? 0), kvs: answer.kvs, count: Number(answer.count) };
}
