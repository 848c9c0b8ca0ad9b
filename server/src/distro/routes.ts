import { json } from '@nacos-kube/core/http/answers.ts';
import { badRequest } from '@nacos-kube/core/http/protocol-error.ts';
import type { Policy, Route } from '@nacos-kube/core/http/route.ts';
import { MEMBER_HEADER } from '../http/peer-auth.ts';
import type { Datum } from '../naming/datum.ts';
import type { NamingService } from '../naming/service.ts';
import {
  BadMessageError,
  count,
  decodeDatum,
  decodeOperation,
  encodeDatum,
  encodeResult,
  field,
  list,
  serviceText,
  text,
} from './codec.ts';
import type { Distro } from './distro.ts';
import { FORWARD_BATCH_MAX } from './forward.ts';
import { DELTA_PATH, DIGEST_PATH, EXCHANGE_PATH, FORWARD_PATH, SNAPSHOT_PATH } from './paths.ts';
import type { Peers } from './peers.ts';
import { BATCH_MAX } from './sync.ts';
import { DIGESTS_PER_MESSAGE_MAX, differingServices, ownedDigests, SERVICES_PER_EXCHANGE_MAX } from './verify.ts';

const PEER: Policy = { kind: 'peer' };
const SNAPSHOT_LIMIT_MAX = 10_000;

/** What other members ask of this one. */
export function distroRoutes(distro: Distro, naming: NamingService, peers: Peers): Route[] {
  const { registry } = naming;
  return [
    post(DELTA_PATH, (message, from) => {
      // A datum may come with the verdict on a persistent instance of the same key.
      const datums = list(field(message, 'datums'), 'datums', 2 * BATCH_MAX).map(decodeDatum);
      return { newer: distro.merge(datums, from).map(encodeDatum) };
    }),
    post(DIGEST_PATH, (message, from) => {
      const mine = ownedDigests(registry, peers, { owner: from, peer: from });
      const theirs = field(message, 'digests');
      if (theirs === undefined) return { equal: field(message, 'total') === mine.total };
      const upTo = field(message, 'upTo');
      const range = { after: text(field(message, 'after'), 'after'), upTo: upTo === null ? null : text(upTo, 'upTo') };
      return {
        differing: differingServices(mine, list(theirs, 'digests', DIGESTS_PER_MESSAGE_MAX).map(digest), range),
      };
    }),
    post(EXCHANGE_PATH, (message, from) => {
      const services = list(field(message, 'services'), 'services', SERVICES_PER_EXCHANGE_MAX).map(serviceText);
      // What this member has is read first: the sender is to learn it even where its own data wins here.
      const mine = services.flatMap((service) => [...registry.datums(service)]);
      distro.merge(list(field(message, 'datums'), 'datums').map(decodeDatum), from);
      return { datums: mine.map(encodeDatum) };
    }),
    post(SNAPSHOT_PATH, (message) => {
      const after = text(field(message, 'after'), 'after');
      const limit = Math.min(count(field(message, 'limit'), 'limit'), SNAPSHOT_LIMIT_MAX);
      return {
        ...snapshotPage(registry.sharedServices(), (service) => registry.datums(service), after, limit),
        starting: distro.isStarting,
      };
    }),
    post(FORWARD_PATH, (message) => {
      const operations = list(field(message, 'operations'), 'operations', FORWARD_BATCH_MAX).map(decodeOperation);
      // Carried out here even if this member sees another owner: views differ for moments, stamps put it right.
      return { results: operations.map((operation) => encodeResult(naming.apply(operation))) };
    }),
  ];
}

/** Whole services in order of their keys, until there are `limit` datums. */
export function snapshotPage(
  services: Iterable<string>,
  datumsOf: (service: string) => Iterable<Datum>,
  after: string,
  limit: number,
): { readonly datums: readonly unknown[]; readonly next: string | null } {
  const rest = [...services].filter((service) => service > after).sort();
  const datums: unknown[] = [];
  for (const [index, service] of rest.entries()) {
    for (const datum of datumsOf(service)) datums.push(encodeDatum(datum));
    if (datums.length >= limit && index < rest.length - 1) return { datums, next: service };
  }
  return { datums, next: null };
}

/** `from` is the member that signed the request. */
function post(path: string, answer: (message: unknown, from: string) => unknown): Route {
  return {
    method: 'POST',
    path,
    policy: PEER,
    handler({ request }) {
      try {
        return json(answer(JSON.parse(new TextDecoder().decode(request.body)), request.headers[MEMBER_HEADER] ?? ''));
      } catch (error) {
        if (error instanceof BadMessageError || error instanceof SyntaxError) throw badRequest(error.message);
        throw error;
      }
    },
  };
}

function digest(value: unknown): readonly [string, string] {
  const [service, text_] = list(value, 'a digest', 2);
  return [serviceText(service), text(text_, 'a digest')];
}
