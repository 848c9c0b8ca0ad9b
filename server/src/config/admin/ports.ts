import type { Host } from '@nacos-kube/core/host/host.ts';
import type { PublishRequest } from '@nacos-kube/core/wire/config.ts';
import type { CapacityLimits, Operator, Store } from '../../store/store.ts';
import type { ConfigAccess } from '../access.ts';
import type { CapacityScope } from '../capacity.ts';

/** All that the calls of operators and the console need of the node. */
export interface AdminPorts extends AdminSurroundings {
  readonly publisher: ConfigWriter;
  readonly held: HeldListeners;
  readonly capacity: CapacityBook;
  /** Has everything read from the store and the dump checked against it. */
  readonly readAllAgain: () => void;
}

/** What lies outside configuration. */
export interface AdminSurroundings {
  readonly host: Host;
  readonly store: Store;
  readonly peers: PeerAsker;
  /** Word that the store may have news: the feed is read. */
  readonly hinted: () => void;
  /** Why the store counts as down; undefined while it answers. */
  readonly storeTrouble: () => string | undefined;
}

/** The one way to write: what goes through it wakes listeners and reaches the peers. */
export interface ConfigWriter {
  /** Rejects with `ProtocolError` 409 when `expectedMd5` does not fit; the empty one wants it to be absent. */
  publish(request: PublishRequest, clientIp: string): Promise<void>;
  removeMany(ids: readonly string[], by: Operator): Promise<number>;
}

/** Who waits at this node. */
export type HeldListeners = Pick<ConfigAccess, 'listeners' | 'listenersOfIp'>;

export interface PeerAsker {
  /** Those that can be asked. */
  healthy(): readonly string[];
  /** Rejects when there is no answer in time. */
  call(peer: string, path: string, message: unknown, timeoutMs: number): Promise<unknown>;
}

export interface CapacityBook {
  usage(scope: CapacityScope): number;
  limits(scope: CapacityScope): CapacityLimits;
  /** Reads again what is stored for the scope. */
  refresh(scope: CapacityScope): Promise<void>;
}
