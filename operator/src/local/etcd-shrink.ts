import { type Endpoint, type Host, NetworkError } from '@nacos-kube/core/host/host.ts';
import { EtcdError, type EtcdGateway, type EtcdLogin, type EtcdMember, type EtcdStatus } from '../etcd/gateway.ts';
import type { MemberPlace } from '../etcd/prepare.ts';
import type { EtcdOrder } from '../plan/actions.ts';
import { type LeavingView, nextLeaving } from '../plan/etcd-leaving.ts';

/** A member, be it one that stays or one that leaves. */
export interface ShrinkPlace extends MemberPlace {
  readonly ordinal: number;
}

export interface ShrinkOptions {
  readonly gateway: EtcdGateway;
  readonly login: EtcdLogin;
  /** All that may be members, by ordinal; those that do not run give no answer. */
  readonly places: readonly ShrinkPlace[];
  /** So many stay, the first ones. */
  readonly wanted: number;
  readonly isOver: () => boolean;
  /** It is no member any more. */
  readonly onRemoved: (ordinal: number) => Promise<void>;
}

/** etcd refuses in the first seconds of its life, and a learner has to catch up before. */
const WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 500;

interface View extends LeavingView {
  readonly at: Endpoint;
}

/** Has members leave until none is there that shall be none. Resolves with why it could not. */
export async function shrinkEtcd(host: Host, options: ShrinkOptions): Promise<string | undefined> {
  const { gateway, login, places, wanted, isOver, onRemoved } = options;
  const startedMs = host.clock.monotonic();
  let why = '';
  while (!isOver() && host.clock.monotonic() - startedMs < WITHIN_MS) {
    const views = await viewsOf(host, gateway, login, places);
    for (const { id, ordinal } of views ?? []) if (id === undefined && ordinal >= wanted) await onRemoved(ordinal);
    const step = views && nextLeaving(wanted, views);
    switch (step?.kind) {
      case 'gone':
        return undefined;
      case 'joining':
        why = `${step.member.name} has to copy what the others have first`;
        break;
      case 'blocked':
        why = step.why;
        break;
      case 'order':
        why = (await carryOut(step.by, step.order)) ?? why;
        break;
      case undefined:
        why = 'no member answers with a quorum';
    }
    await host.clock.sleep(LOOK_EVERY_MS);
  }
  return why;

  /** Resolves with why it was refused. */
  async function carryOut({ at }: View, order: EtcdOrder): Promise<string | undefined> {
    try {
      if (order.do === 'move-leader') await gateway.moveLeader(at, login, order.to);
      if (order.do === 'remove-member') await gateway.removeMember(at, login, order.id);
      return undefined;
    } catch (error) {
      if (!isExpected(error)) throw error;
      return error.message;
    }
  }
}

async function viewsOf(
  host: Host,
  gateway: EtcdGateway,
  login: EtcdLogin,
  places: readonly ShrinkPlace[],
): Promise<readonly View[] | undefined> {
  const answers = await Promise.all(places.map((place) => ask(place)));
  const members = answers.find((answer) => answer?.isMember)?.members;
  return members && places.map((place, i) => viewOf(place, answers[i], members));

  async function ask({ client }: ShrinkPlace): Promise<Answer | undefined> {
    try {
      const [status, known] = [await gateway.status(client, login), await gateway.members(client, login)];
      return { status, members: known, isMember: known.some(({ id }) => id === status.memberId) };
    } catch (error) {
      if (!isExpected(error)) throw error;
      host.log.debug('a member of etcd was not heard', { port: client.port, error });
      return undefined;
    }
  }
}

interface Answer {
  readonly status: EtcdStatus;
  readonly members: readonly EtcdMember[];
  readonly isMember: boolean;
}

function viewOf(place: ShrinkPlace, answer: Answer | undefined, members: readonly EtcdMember[]): View {
  const member = members.find(({ peerUrls }) => peerUrls.includes(place.peerUrl));
  const isLearner = member?.isLearner === true;
  return {
    name: place.name,
    ordinal: place.ordinal,
    at: place.client,
    id: member?.id,
    isLearner,
    isUp: answer?.isMember === true && member !== undefined && !isLearner,
    isLeader: answer?.isMember === true && answer.status.leaderId === answer.status.memberId,
  };
}

function isExpected(error: unknown): error is NetworkError | EtcdError {
  return error instanceof NetworkError || error instanceof EtcdError;
}
