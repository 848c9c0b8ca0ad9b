/** What members ask each other on the peer port; JSON both ways, forms in `codec.ts`. */
export const DELTA_PATH = '/peer/v1/distro/delta';
export const DIGEST_PATH = '/peer/v1/distro/digest';
export const EXCHANGE_PATH = '/peer/v1/distro/exchange';
export const SNAPSHOT_PATH = '/peer/v1/distro/snapshot';
export const FORWARD_PATH = '/peer/v1/distro/forward';
