import { fileURLToPath } from 'node:url';
import {
  type GrpcObject,
  loadPackageDefinition,
  type MethodDefinition,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/** 64-bit numbers come as decimal texts: ids of members and leases need all 64 bits. Bytes are Buffers. */
export interface KeyValue {
  readonly key: Buffer;
  readonly create_revision: string;
  readonly mod_revision: string;
  readonly value: Buffer;
}

export interface ResponseHeader {
  readonly cluster_id: string;
  readonly member_id: string;
  readonly revision: string;
  readonly raft_term: string;
}

export interface RangeRequest {
  readonly key: Uint8Array;
  readonly range_end?: Uint8Array;
  readonly limit?: number;
  readonly revision?: number;
  readonly keys_only?: boolean;
  readonly count_only?: boolean;
}

export interface RangeResponse {
  readonly header: ResponseHeader | null;
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
  readonly count: string;
}

export interface PutRequest {
  readonly key: Uint8Array;
  readonly value?: Uint8Array;
  readonly lease?: string;
  readonly ignore_value?: boolean;
}

export interface DeleteRangeRequest {
  readonly key: Uint8Array;
  readonly range_end?: Uint8Array;
}

export type RequestOp =
  | { readonly request_range: RangeRequest }
  | { readonly request_put: PutRequest }
  | { readonly request_delete_range: DeleteRangeRequest }
  | { readonly request_txn: TxnRequest };

export interface ResponseOp {
  readonly response_range?: RangeResponse;
  readonly response_delete_range?: { readonly deleted: string };
  readonly response_txn?: Pick<TxnResponse, 'succeeded' | 'responses'>;
}

export type Compare = {
  readonly key: Uint8Array;
  readonly range_end?: Uint8Array;
  readonly result: 'EQUAL' | 'GREATER' | 'LESS';
} & (
  | { readonly target: 'CREATE'; readonly create_revision: number }
  | { readonly target: 'MOD'; readonly mod_revision: number }
);

export interface TxnRequest {
  readonly compare?: readonly Compare[];
  readonly success: readonly RequestOp[];
  readonly failure?: readonly RequestOp[];
}

export interface TxnResponse {
  readonly header: ResponseHeader | null;
  readonly succeeded: boolean;
  readonly responses: readonly ResponseOp[];
}

export interface WatchRequest {
  readonly create_request: {
    readonly key: Uint8Array;
    readonly start_revision: number;
    readonly progress_notify: boolean;
    readonly fragment: boolean;
  };
}

export interface WatchResponse {
  readonly header: ResponseHeader | null;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compact_revision: string;
  readonly cancel_reason: string;
  readonly events: readonly { readonly type: 'PUT' | 'DELETE'; readonly kv: KeyValue }[];
}

export interface StatusResponse {
  readonly header: ResponseHeader | null;
  readonly version: string;
  readonly dbSize: string;
  readonly leader: string;
  readonly raftIndex: string;
  readonly raftTerm: string;
  readonly errors: readonly string[];
}

export interface MemberListResponse {
  readonly members: readonly {
    readonly ID: string;
    readonly name: string;
    readonly clientURLs: readonly string[];
    readonly isLearner: boolean;
  }[];
}

/** The unary calls, by the names that etcd gives them. */
export interface Calls {
  'KV/Range': [RangeRequest, RangeResponse];
  'KV/Txn': [TxnRequest, TxnResponse];
  'KV/Compact': [{ readonly revision: number }, object];
  'Lease/LeaseGrant': [{ readonly TTL: number; readonly ID: string }, { readonly ID: string; readonly error: string }];
  'Lease/LeaseRevoke': [{ readonly ID: string }, object];
  'Auth/Authenticate': [{ readonly name: string; readonly password: string }, { readonly token: string }];
  'Cluster/MemberList': [object, MemberListResponse];
  'Maintenance/Status': [object, StatusResponse];
}

/** Those where both sides go on speaking. */
export interface Streams {
  'Watch/Watch': [WatchRequest, WatchResponse];
  'Lease/LeaseKeepAlive': [{ readonly ID: string }, { readonly ID: string; readonly TTL: string }];
}

const LOADED = loadPackageDefinition(
  loadSync(fileURLToPath(new URL('./etcd.proto', import.meta.url)), {
    keepCase: true,
    longs: String,
    enums: String,
    defaults: true,
  }),
);

export function methodOf<Request, Answer>(name: keyof Calls | keyof Streams): MethodDefinition<Request, Answer> {
  const [service, method] = name.split('/') as [string, string];
  const client = (LOADED['etcdserverpb'] as GrpcObject)[service] as ServiceClientConstructor;
  return client.service[method] as MethodDefinition<Request, Answer>;
}
