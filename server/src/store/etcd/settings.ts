export interface EtcdSettings {
  /** `http://host:port`, or all of them `https://host:port`. */
  readonly endpoints: readonly string[];
  /** Start of all keys; several clusters may share one etcd. */
  readonly prefix: string;
  /** Undefined: no login. */
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** PEM; the files are read when a connection is made, so that rotated ones are taken without a restart. */
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}
