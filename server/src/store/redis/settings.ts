export interface RedisSettings {
  readonly mode: 'single' | 'sentinel' | 'cluster';
  /** `host:port`: the server, the Sentinels, or some nodes of the Redis Cluster. */
  readonly addresses: readonly string[];
  /** As the Sentinels name it. */
  readonly master: string;
  readonly database: number;
  /** Start of all keys; several clusters may share one Redis. */
  readonly prefix: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** Undefined: plain. */
  readonly tls: { readonly caFile: string | undefined } | undefined;
  /** A Redis without append-only file is taken too. */
  readonly allowsLoss: boolean;
}

/** For tests, and for who embeds the store. */
export interface RedisLimits {
  readonly changesKept?: number;
  readonly historyKeptDays?: number;
  readonly forgetEveryMs?: number;
}

/**
 * The prefix as all keys carry it: what stands in braces decides the slot, so that with a Redis Cluster all keys are on one
 * node, where a script can reach them. It is the same in the other modes, so that data can be moved.
 */
export function tagged(prefix: string): string {
  const open = prefix.indexOf('{');
  const hasTag = open >= 0 && prefix.indexOf('}', open) > open + 1;
  return hasTag ? prefix : `{${prefix}}`;
}

/** In messages; never with the password. */
export function placeOf({ mode, addresses, master, database, user }: RedisSettings): string {
  const name = mode === 'sentinel' ? `master ${master} of Sentinels ` : mode === 'cluster' ? 'cluster ' : '';
  return `redis ${name}${addresses.join(',')}/${database}${user === undefined ? '' : ` as ${user}`}`;
}
