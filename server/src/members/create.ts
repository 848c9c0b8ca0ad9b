import type { Host } from '@nacos-kube/core/host/host.ts';
import { ProtocolError } from '@nacos-kube/core/http/protocol-error.ts';
import type { NodeSettings } from '../settings/settings.ts';
import type { Membership } from './membership.ts';

/** The membership that the settings ask for. */
export function createMembership(_host: Host, settings: NodeSettings): Membership {
  return aloneMembership(settings);
}

/** A node on its own: it owns everything and has nobody to tell. */
function aloneMembership({ member, port }: NodeSettings): Membership {
  const host = member.slice(0, member.lastIndexOf(':'));
  const self = { address: member, host, port, state: 'UP' } as const;
  return {
    part: { name: 'members' },
    peers: {
      self: member,
      healthy: () => [],
      listed: () => [],
      ownerOf: () => member,
      onChange() {},
      call: () => Promise.reject(new Error('a node on its own has no peers')),
    },
    publicRoutes: [],
    peerRoutes: [],
    verifyPeer() {
      throw new ProtocolError(401, 'unauthorized');
    },
    members: () => [self],
    listState: () => ({ generation: null, hash: '', refusal: null }),
    listRefusals: () => 0,
    forbiddenHosts: () => [host],
    contribute() {},
    hintPeers: async () => {},
    onHint() {},
  };
}
