import { json } from '@nacos-kube/core/http/answers.ts';
import { badRequest, ProtocolError } from '@nacos-kube/core/http/protocol-error.ts';
import type { Policy, Route } from '@nacos-kube/core/http/route.ts';
import { instanceKey } from '@nacos-kube/core/model/instance.ts';
import { serviceKey } from '@nacos-kube/core/model/names.ts';
import { MEMBER_HEADER, TIME_HEADER } from '../http/peer-auth.ts';
import type { Datum } from '../naming/datum.ts';
import type { Operation } from '../naming/operation.ts';
import type { Registry } from '../naming/registry.ts';
import type { NamingService } from '../naming/service.ts';
import {
  BadMessageError,
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
import { datumChars, inMessages } from './message-size.ts';
import { datumPage, decodeCursor, PAGE_DATUMS_MAX, Snapshots } from './pages.ts';
import { DELTA_PATH, DIGEST_PATH, EXCHANGE_PATH, FORWARD_PATH, SNAPSHOT_PATH } from './paths.ts';
import type { Peers } from './peers.ts';
import { BATCH_MAX, NEWER_MAX, type Place } from './sync.ts';
import { DIGESTS_PER_MESSAGE_MAX, differingServices, ownedDigests, SERVICES_PER_EXCHANGE_MAX } from './verify.ts';

const PEER: Policy = { kind: 'peer' };

/** What other members ask of this one. */
export function distroRoutes(distro: Distro, naming: NamingService, peers: Peers): Route[] {
  const { registry } = naming;
  const snapshots = new Snapshots(registry);
  const post = (path: string, answer: (message: unknown, from: string, isLate: boolean) => unknown) =>
    route(path, distro, answer);
  return [
    post(DELTA_PATH, (message, from) => {
      // A datum may come with the verdict on a persistent instance of the same key.
      const datums = list(field(message, 'datums'), 'datums', 2 * BATCH_MAX).map(decodeDatum);
      // What does not fit is left to the digests.
      const [newer = []] = inMessages(distro.merge(datums, from), datumChars, NEWER_MAX);
      return { newer: newer.map(encodeDatum) };
    }),
    post(DIGEST_PATH, (message, from) => {
      const mine = ownedDigests(registry, peers, { owner: from, peer: from });
      const theirs = field(message, 'digests');
      if (theirs === undefined) return { equal: text(field(message, 'total'), 'a total') === mine.total };
      const upTo = field(message, 'upTo');
      const range = { after: text(field(message, 'after'), 'after'), upTo: upTo === null ? null : text(upTo, 'upTo') };
      return {
        differing: differingServices(mine, list(theirs, 'digests', DIGESTS_PER_MESSAGE_MAX).map(digest), range),
      };
    }),
    post(EXCHANGE_PATH, (message) => {
      const services = list(field(message, 'services'), 'services', SERVICES_PER_EXCHANGE_MAX).map(serviceText);
      const { datums, next } = datumPage(registry, services.sort(), decodeCursor(field(message, 'after')));
      return { datums: datums.map(encodeDatum), next };
    }),
    post(SNAPSHOT_PATH, (message, from) => {
      const { datums, next } = snapshots.page(from, decodeCursor(field(message, 'after')), PAGE_DATUMS_MAX);
      return { datums: datums.map(encodeDatum), next };
    }),
    post(FORWARD_PATH, (message, _from, isLate) => {
      // The sender has carried them out itself since, and its clients may have asked for other things.
      if (isLate) throw new ProtocolError(503, 'these operations came too late');
      const operations = list(field(message, 'operations'), 'operations', FORWARD_BATCH_MAX).map(decodeOperation);
      const unknown = new Set(list(field(message, 'unknown') ?? [], 'unknown', operations.length));
      const places = operations.flatMap((operation, index) => placesTold(registry, operation, unknown.has(index)));
      // Carried out here even if this member sees another owner: views differ for moments, stamps put it right.
      const results = operations.map((operation) => encodeResult(naming.apply(operation)));
      // What does not fit comes with the delta.
      const [datums = []] = inMessages(datumsOf(registry, places), datumChars, 2 * FORWARD_BATCH_MAX);
      return { results, ...(datums.length > 0 && { datums: datums.map(encodeDatum) }) };
    }),
  ];
}

/** `from` is the member that signed the request; what breaks the schema is refused whole, and counted. */
function route(
  path: string,
  distro: Distro,
  answer: (message: unknown, from: string, isLate: boolean) => unknown,
): Route {
  return {
    method: 'POST',
    path,
    policy: PEER,
    handler({ request }) {
      const { [MEMBER_HEADER]: from = '', [TIME_HEADER]: sentMs } = request.headers;
      const isLate = distro.isLate(from, Number(sentMs));
      try {
        return json(answer(JSON.parse(new TextDecoder().decode(request.body)), from, isLate));
      } catch (error) {
        if (!(error instanceof BadMessageError || error instanceof SyntaxError)) throw error;
        distro.badMessages++;
        throw badRequest(error.message);
      }
    },
  };
}

/** What an operation is about to write, or a beat is about that the sender does not know. */
function placesTold(registry: Registry, operation: Operation, isUnknown: boolean): readonly Place[] {
  const service = serviceKey(operation.service);
  switch (operation.kind) {
    case 'register':
      return [{ service, key: instanceKey(operation.instance) }];
    case 'deregister':
    case 'change':
    case 'judge':
      return [{ service, key: operation.key }];
    case 'clear': {
      const { instances = [] } = registry.view(service) ?? {};
      return instances.filter(({ ephemeral }) => ephemeral).map((one) => ({ service, key: instanceKey(one) }));
    }
    case 'beat':
      return isUnknown ? [{ service, key: operation.key }] : [];
  }
}

function* datumsOf(registry: Registry, places: readonly Place[]): Iterable<Datum> {
  for (const { service, key } of places) yield* registry.datumsOfInstance(service, key);
}

function digest(value: unknown): readonly [string, string] {
  const [service, text_] = list(value, 'a digest', 2);
  return [serviceText(service), text(text_, 'a digest')];
}
