import type { Policy, Route } from '@nacos-kube/core/http/route.ts';

const NOT_HERE: Policy = {
  kind: 'refused',
  text: 'this server does not serve this route on its public port, see docs/protocol/refused-routes.md',
};

/** Routes of the reference that hand out power to anyone who can reach the port (S6): answered 403, whoever asks. */
const REFUSED: readonly (readonly [Route['method'], string])[] = [
  ['GET', '/v1/cs/ops/derby'],
  ['POST', '/v1/cs/ops/data/removal'],
  ['POST', '/v1/core/ops/raft'],
  ['PUT', '/v1/ns/distro/datum'],
  ['GET', '/v1/ns/distro/datum'],
  ['GET', '/v1/ns/distro/datums'],
  ['PUT', '/v1/ns/distro/checksum'],
  ['POST', '/v1/ns/service/status'],
  ['POST', '/v1/ns/raft/vote'],
  ['POST', '/v1/ns/raft/beat'],
  ['POST', '/v1/ns/raft/datum'],
  ['DELETE', '/v1/ns/raft/datum'],
  ['GET', '/v1/ns/raft/datum'],
  ['POST', '/v1/ns/raft/datum/commit'],
  ['DELETE', '/v1/ns/raft/datum/commit'],
  ['PUT', '/v1/ns/raft/datum/reload'],
  ['GET', '/v1/ns/raft/peer'],
  ['GET', '/v1/ns/raft/state'],
  ['GET', '/v1/ns/raft/leader'],
  ['GET', '/v1/ns/raft/listeners'],
  ['GET', '/v1/ns/operator/cluster/state'],
  ['GET', '/v1/ns/ops/cluster/state'],
  ['GET', '/v1/ns/operator/server/status'],
  ['GET', '/v1/ns/ops/server/status'],
];

export function refusedRoutes(): Route[] {
  return REFUSED.map(([method, path]) => ({ method, path, policy: NOT_HERE, handler: unreachable }));
}

function unreachable(): never {
  throw new Error('a refused route was handled');
}
