import type { Host } from '@nacos-kube/core/host/host.ts';
import type { Blobs } from './blobs.ts';
import type { EtcdClient, Patience } from './client.ts';
import { EtcdFailure } from './failure.ts';
import type { Ids } from './ids.ts';
import type { Keys } from './keys.ts';
import type { Known } from './known.ts';
import type { Slots, Turns } from './turns.ts';

/** What every operation of the store works with. */
export interface EtcdContext {
  readonly host: Host;
  readonly client: EtcdClient;
  readonly keys: Keys;
  readonly blobs: Blobs;
  readonly ids: Ids;
  readonly known: Known;
  readonly turns: Turns;
  readonly slots: Slots;
}

/** Before a write that others came in between of is tried again. */
export function requireTime({ client }: EtcdContext, patience: Patience): void {
  if (patience.leftMs > 0) return;
  throw new EtcdFailure(`${client.place}: others write the same too fast`, { kind: 'unavailable' });
}
