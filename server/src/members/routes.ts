import type { Host, HttpResponse } from '@nacos-kube/core/host/host.ts';
import { json, restResult } from '@nacos-kube/core/http/answers.ts';
import { badRequest } from '@nacos-kube/core/http/protocol-error.ts';
import { OPEN, type Policy, type Route } from '@nacos-kube/core/http/route.ts';
import { type Member, peerPort } from '@nacos-kube/core/model/member.ts';
import { MEMBER_HEADER } from '../http/peer-auth.ts';
import type { Facts } from './report.ts';
import { LEAVE_PATH, type Members, REPORT_PATH } from './service.ts';

const READ: Policy = { kind: 'read', area: 'operations' };
const WRITE: Policy = { kind: 'write', area: 'operations' };
const PEER: Policy = { kind: 'peer' };
const REFUSED: Policy = {
  kind: 'refused',
  text: 'members are changed by the member list and report on the peer port, see docs/protocol/refused-routes.md',
};

const LOOKUP_SHOWN_CHARS = 64;

/** The cluster as anybody may see it (spec/cluster.md 1.9), and its calls that nobody may make here (S6). */
export function publicMemberRoutes(members: Members, host: Host): Route[] {
  const nodes = (keyword: string) =>
    memberDocuments(members, host).filter(({ address }) => address.startsWith(keyword));
  const self = () => members.view.members.find(({ address }) => address === members.view.self) as Member;
  return [
    {
      method: 'GET',
      path: '/v1/core/cluster/nodes',
      policy: READ,
      handler: ({ form }) => restResult(nodes(form.get('keyword')?.trim() ?? '')),
    },
    {
      method: 'GET',
      path: '/v1/core/cluster/self',
      policy: READ,
      handler: () => restResult(memberJson(self(), members, host)),
    },
    {
      method: 'GET',
      path: '/v1/core/cluster/simple/nodes',
      policy: READ,
      handler: () => restResult([members.view.self, ...members.view.reachable].sort()),
    },
    { method: 'GET', path: '/v1/core/cluster/health', policy: OPEN, handler: () => restResult(self().state) },
    refused('/v1/core/cluster/report'),
    {
      method: 'POST',
      path: '/v1/core/cluster/switch/lookup',
      policy: WRITE,
      handler: ({ form }) => answerLookup(form.get('type')?.trim() ?? ''),
    },
    refused('/v1/core/cluster/server/leave'),
  ];
}

/** All of the list in force, in the form of the reference. */
export function memberDocuments(members: Members, host: Host) {
  return members.view.members.map((member) => memberJson(member, members, host));
}

/** A node reads its list where its settings say, for as long as it runs. */
function answerLookup(type: string): HttpResponse {
  switch (type) {
    case 'file':
      return restResult(null);
    case 'address-server':
      return restResult(null, 'members are read from the member list, see docs/protocol/operations.md', 500);
    default:
      return restResult(
        null,
        `The addressing mode exists : ${type.slice(0, LOOKUP_SHOWN_CHARS)}, just support : [[file, address-server]]`,
        500,
      );
  }
}

/** What members tell each other. */
export function peerMemberRoutes(members: Members): Route[] {
  return [
    {
      method: 'POST',
      path: REPORT_PATH,
      policy: PEER,
      handler: ({ request }) => json(members.take(parse(request.body), request.headers[MEMBER_HEADER] ?? '')),
    },
    {
      method: 'POST',
      path: LEAVE_PATH,
      policy: PEER,
      handler({ request }) {
        members.takeGoodbye(request.headers[MEMBER_HEADER] ?? '');
        return json({});
      },
    },
  ];
}

/** The body of a peer's call; who sent it was proven before. */
export function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    throw badRequest('the message is no JSON');
  }
}

function refused(path: string): Route {
  return { method: 'POST', path, policy: REFUSED, handler: () => Promise.reject(new Error('refused')) };
}

/** Fields in the order of the reference; the keys of `extendInfo` sorted, ours among them. */
function memberJson(member: Member, members: Members, host: Host) {
  const { address, host: ip, port, state } = member;
  const peer = members.peer(address);
  const report = address === members.view.self ? members.ownReport() : peer?.report;
  const heardMs = peer?.heardMs === undefined ? 0 : host.clock.monotonic() - peer.heardMs;
  const known = report && {
    ...inReferenceForm(report.facts),
    lastRefreshTime: Math.round(host.clock.now() - heardMs),
    listGeneration: report.generation,
    listHash: report.listHash,
    version: report.version,
    ...(peer && { isListed: peer.isListed, seesMe: peer.seesMe }),
  };
  const extendInfo = Object.entries({ raftPort: String(peerPort(port)), ...known }).sort(([a], [b]) =>
    a < b ? -1 : 1,
  );
  return { ip, port, state, extendInfo: Object.fromEntries(extendInfo), address, failAccessCnt: peer?.failures ?? 0 };
}

/** Elections are those of the engine behind the store; the reference shows its own, in groups (spec/cluster.md 1.4). */
function inReferenceForm(facts: Facts): Readonly<Record<string, unknown>> {
  const { raftLeader, raftMembers, raftTerm, raftIndex, ...others } = facts;
  if (raftTerm === undefined) return others;
  const raftGroupMember = String(raftMembers ?? '').split(',');
  const group = { leader: raftLeader, raftGroupMember, term: raftTerm, index: raftIndex };
  return { ...others, raftMetaData: { metaDataMap: { naming_persistent_service: group } } };
}
