import type { Host } from '@nacos-kube/core/host/host.ts';
import { NetworkError } from '@nacos-kube/core/host/host.ts';
import { EtcdError, type EtcdGateway, type EtcdLogin } from './gateway.ts';
import type { MemberPlace } from './prepare.ts';

const LOOK_EVERY_MS = 1_000;

/**
 * Where no operator does it: makes a member that joined as a learner count for the quorum, when it has caught up. Only
 * after an answer of its own, for one that died would cost the quorum; and the leader itself is asked, for others pass it
 * on without the login (before etcd 3.5.28 and 3.6.6).
 */
export async function promoteWhenInSync(
  host: Host,
  gateway: EtcdGateway,
  { self, all, login }: { readonly self: MemberPlace; readonly all: readonly MemberPlace[]; readonly login: EtcdLogin },
  isOver: () => boolean,
): Promise<void> {
  // A learner answers no such questions itself.
  const others = all.filter(({ name }) => name !== self.name);
  if (others.length === 0) return;
  for (let look = 0; !isOver(); look++) {
    const at = (others[look % others.length] as MemberPlace).client;
    try {
      const members = await gateway.members(at, login);
      const own = members.find(({ peerUrls }) => peerUrls.includes(self.peerUrl));
      if (own !== undefined && !own.isLearner) return;
      if (own !== undefined && own.clientUrls.length > 0) {
        const { memberId, leaderId } = await gateway.status(self.client, login);
        const urls = members.find(({ id }) => id === leaderId)?.peerUrls ?? [];
        const leader = others.find(({ peerUrl }) => urls.includes(peerUrl));
        if (leader && memberId === own.id) await gateway.promoteMember(leader.client, login, own.id);
      }
    } catch (error) {
      if (!(error instanceof NetworkError || error instanceof EtcdError)) throw error;
      host.log.debug('not promoted yet', { name: self.name, error });
    }
    await host.clock.sleep(LOOK_EVERY_MS);
  }
}
