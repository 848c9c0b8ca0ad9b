export type MemberState = 'STARTING' | 'UP' | 'SUSPICIOUS' | 'DOWN';

/**
 * A member of the cluster of servers. Its identity is `address` as written in the list, stable over restarts and
 * new IPs: on Kubernetes the name in the headless Service, never a pod's IP.
 */
export interface Member {
  /** `host:port` of the public port. */
  readonly address: string;
  readonly host: string;
  readonly port: number;
  readonly state: MemberState;
}

/** Peers talk on the public port less this. */
export const PEER_PORT_OFFSET = 1000;

export function peerPort(publicPort: number): number {
  return publicPort - PEER_PORT_OFFSET;
}
