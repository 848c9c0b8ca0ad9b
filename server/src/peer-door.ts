import { peerPort } from '@nacos-kube/core/model/member.ts';
import type { SidecarLease, SidecarQuestion } from '@nacos-kube/core/wire/sidecar.ts';
import { listenerPeerRoute } from './config/admin/listeners.ts';
import { distroRoutes } from './distro/routes.ts';
import { authorizePeer } from './http/access.ts';
import { Door } from './http/door.ts';
import { PEER_REQUEST_BYTES_MAX } from './members/peer-client.ts';
import type { Parts } from './parts.ts';
import { Subscribers } from './push/subscribers.ts';
import { sidecarRoutes } from './sidecar/routes.ts';

/** The port that other members and the own sidecar call. */
export function peerDoor(parts: Parts): Door {
  const { host, settings, naming, distro, push, config, checks, membership, lifecycle, token, farewell } = parts;
  return new Door(host, {
    name: 'peer port',
    address: settings.listen,
    port: peerPort(settings.port),
    contextPath: '',
    bodyBytesMax: PEER_REQUEST_BYTES_MAX,
    routes: [
      ...membership.peerRoutes,
      ...distroRoutes(distro, naming, membership.peers),
      listenerPeerRoute({ host, held: config.access }),
      new Subscribers(host, push.hub, membership.peers).peerRoute,
      ...sidecarRoutes({
        lease: (question) => leaseOf(parts, question),
        take: (verdicts) => checks.takeOfSidecar(verdicts),
        drain: (lingerMs) => {
          farewell.lingerMs = lingerMs;
          return lifecycle.drain();
        },
      }),
    ],
    authorize: authorizePeer({ verifyPeer: membership.verifyPeer, sidecarToken: () => token.value }),
    seal: membership.sealAnswer,
    clientIp: (request) => request.remote.address,
  });
}

/** What the sidecar is told each time it asks, and so keeps its lease. */
function leaseOf(parts: Parts, question: SidecarQuestion): SidecarLease {
  const { settings, lifecycle, membership, distro, checks } = parts;
  const { targets, parameters, guard } = checks.lease(question);
  return {
    member: settings.member,
    isReady: lifecycle.isReady(),
    notReadyReasons: lifecycle.notReadyReasons(),
    memberList: membership.listState(),
    members: membership.members().map(({ address, state }) => ({ address, state })),
    lag: distro.lag().map(({ peer, waitingMs, entries }) => ({ peer, seconds: waitingMs / 1000, entries })),
    targets,
    parameters,
    guard: { forbidden: [...guard.forbidden], isLoopbackAllowed: guard.isLoopbackAllowed },
  };
}
