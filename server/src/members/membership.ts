import type { HttpRequest, HttpResponse } from '@nacos-kube/core/host/host.ts';
import type { Route } from '@nacos-kube/core/http/route.ts';
import type { Part } from '@nacos-kube/core/lifecycle.ts';
import type { Member } from '@nacos-kube/core/model/member.ts';
import type { Peers } from '../distro/peers.ts';
import type { Revision } from '../store/store.ts';

/** What a node is told by, and asks of, the members of its cluster: all that `server.ts` connects to the rest. */
export interface Membership {
  readonly part: Part;
  readonly peers: Peers;
  /** Read only, for clients and the console. */
  readonly publicRoutes: readonly Route[];
  readonly peerRoutes: readonly Route[];
  /** Throws `ProtocolError` 401 when a request does not come from a member. */
  readonly verifyPeer: (request: HttpRequest) => void;
  /** Proves to the sender of a request that a member answers. */
  readonly sealAnswer: (request: HttpRequest, answer: HttpResponse) => HttpResponse;
  /** All of the list in force, this one included. */
  members(): readonly Member[];
  /** The same as clients and consoles are shown them, in the form of the reference. */
  documents(): readonly { readonly state: string }[];
  listState(): { readonly generation: number | null; readonly hash: string; readonly refusal: string | null };
  listRefusals(): number;
  /** Figures for the metrics, by name. */
  counts(): Readonly<Record<string, number>>;
  /** Hosts that must never be probed: those of the members, by name and by address. */
  forbiddenHosts(): readonly string[];
  /** What reports to peers carry beside the members' own figures. */
  contribute(facts: () => Readonly<Record<string, number | string | boolean>>): void;
  /** Tells a peer that the store has this revision; one that cannot be told finds it by itself. */
  hintPeer(peer: string, revision: Revision): Promise<void>;
  onHint(run: (revision: Revision) => void): void;
}
