import type { Host } from '@nacos-kube/core/host/host.ts';
import { json } from '@nacos-kube/core/http/answers.ts';
import { badRequest } from '@nacos-kube/core/http/protocol-error.ts';
import type { Policy, Route } from '@nacos-kube/core/http/route.ts';
import { splitMemberAddress } from '@nacos-kube/core/model/member-list.ts';
import { PeerAuth } from '../http/peer-auth.ts';
import type { NodeSettings } from '../settings/settings.ts';
import type { Revision } from '../store/store.ts';
import { Dissent } from './dissent.ts';
import { createListSource, ownAddress } from './list-source.ts';
import type { Membership } from './membership.ts';
import { ownerAmong } from './owner.ts';
import { PeerClient } from './peer-client.ts';
import { memberDocuments, parse, peerMemberRoutes, publicMemberRoutes } from './routes.ts';
import { SeenAddresses } from './seen-addresses.ts';
import { Members } from './service.ts';

export const HINT_PATH = '/peer/v1/hint';
const HINT_TIMEOUT_MS = 1_000;
const RUN_BYTES = 8;
const PEER: Policy = { kind: 'peer' };

/** The membership that the settings ask for; a node on its own is the only member. Throws when they can't be. */
export function createMembership(host: Host, settings: NodeSettings): Membership {
  const self = ownAddress(settings.member);
  const list = createListSource(host, self, settings.memberList);
  const run = Buffer.from(host.random.bytes(RUN_BYTES)).toString('hex');
  const auth = new PeerAuth({ self, keys: settings.clusterKeys, run, nowMs: () => host.clock.now() });
  const { call } = new PeerClient(host, auth);
  const members = new Members({ host, self, list, call });
  const addresses = new SeenAddresses(splitMemberAddress(self).host, host.network.addresses());
  const dissent = new Dissent(members, () => host.clock.monotonic());
  const hints: ((revision: Revision) => void)[] = [];

  const others = (all: readonly string[]) => all.filter((address) => address !== self);
  return {
    part: members,
    peers: {
      self,
      healthy: () => members.view.reachable,
      listed: () => others(members.view.members.map(({ address }) => address)),
      untilListed: () => members.untilListed(),
      ownerOf: (service) => ownerAmong(members.view.healthy, service),
      ownerFor: (peer, service) => dissent.ownerFor(peer, service),
      judges: (service) => dissent.judges(service),
      epoch: () => dissent.epoch(),
      onChange: (run) => void members.changes.subscribe(run),
      call,
    },
    publicRoutes: publicMemberRoutes(members, host),
    peerRoutes: [
      ...peerMemberRoutes(members),
      hintRoute((revision) => {
        for (const hinted of hints) hinted(revision);
      }),
    ],
    verifyPeer(request) {
      auth.verifyRequest(request);
      addresses.saw(request);
    },
    sealAnswer: (request, answer) => auth.sealAnswer(request, answer),
    members: () => members.view.members,
    documents: () => memberDocuments(members, host),
    listState: () => ({
      generation: members.view.generation,
      hash: members.view.listHash,
      refusal: list.lastRefusal ?? null,
    }),
    listRefusals: () => list.refusals,
    counts: () => ({ ...members.counts, denied: Object.values(auth.denials).reduce((sum, one) => sum + one, 0) }),
    forbiddenHosts: () => addresses.of(members.view.members),
    contribute: (facts) => members.contribute(facts),
    async hintPeer(peer, revision) {
      await call(peer, HINT_PATH, { revision }, HINT_TIMEOUT_MS);
    },
    onHint: (run) => void hints.push(run),
  };
}

function hintRoute(hinted: (revision: Revision) => void): Route {
  return {
    method: 'POST',
    path: HINT_PATH,
    policy: PEER,
    handler({ request }) {
      const revision = (parse(request.body) as { revision?: unknown } | null)?.revision;
      if (typeof revision !== 'number' || !Number.isSafeInteger(revision)) throw badRequest('revision is no number');
      hinted(revision);
      return json({});
    },
  };
}
