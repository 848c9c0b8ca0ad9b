import type { GroupKey } from '@nacos-kube/core/wire/config-key.ts';
import type { Capacity } from './capacity.ts';
import type { Publisher } from './publish.ts';

/** What the administration of configurations works with: it writes through the same publisher as clients do. */
export interface ConfigAccess {
  readonly publisher: Publisher;
  readonly capacity: Capacity;
  /** By client address, the md5 that its held polls have of the key. */
  listeners(key: GroupKey): ReadonlyMap<string, string>;
  listenersOfIp(clientIp: string): ReadonlyMap<GroupKey, string>;
  /** Has everything read from the store and the dump checked, in the background. */
  readAllAgain(): void;
}
