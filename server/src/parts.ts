import type { Host } from '@nacos-kube/core/host/host.ts';
import type { Lifecycle } from '@nacos-kube/core/lifecycle.ts';
import type { ConfigService } from './config/service.ts';
import type { Distro } from './distro/distro.ts';
import type { Farewell } from './farewell.ts';
import type { Membership } from './members/membership.ts';
import type { Checks } from './naming/checks.ts';
import type { NamingService } from './naming/service.ts';
import type { Operations } from './ops/operations.ts';
import type { PushDriver } from './push/driver.ts';
import type { NodeSettings } from './settings/settings.ts';
import type { SidecarToken } from './sidecar/token.ts';
import type { Follower } from './store/follow.ts';
import type { LocalCopies } from './store/local-copies.ts';
import type { Store } from './store/store.ts';
import type { SwitchBoard } from './switches/switches.ts';

/** Everything a node is made of, for the few places where the parts meet. */
export interface Parts {
  readonly host: Host;
  readonly settings: NodeSettings;
  readonly lifecycle: Lifecycle;
  readonly store: Store;
  readonly follower: Follower;
  readonly copies: LocalCopies;
  readonly switches: SwitchBoard;
  readonly membership: Membership;
  readonly operations: Operations;
  readonly naming: NamingService;
  readonly distro: Distro;
  readonly push: PushDriver;
  readonly config: ConfigService;
  readonly checks: Checks;
  readonly token: SidecarToken;
  readonly farewell: Farewell;
}
