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
