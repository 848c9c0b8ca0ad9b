import { Changes } from '@nacos-kube/core/changes.ts';
import type { Host, Log, Timer } from '@nacos-kube/core/host/host.ts';
import { badRequest } from '@nacos-kube/core/http/protocol-error.ts';
import type { Part } from '@nacos-kube/core/lifecycle.ts';
import { VERSION } from '../version.ts';
import type { ListSource } from './list-source.ts';
import { type MembersEffect, type MembersEvent, MembersMachine, type PeerFacts, REPORT_PERIOD_MS } from './machine.ts';
import { type PeerCall, PeerError } from './peer-client.ts';
import {
  checkedFacts,
  decodeReport,
  decodeReportAnswer,
  type Facts,
  type Report,
  type ReportAnswer,
} from './report.ts';
import type { MembersView } from './view.ts';

export const REPORT_PATH = '/peer/v1/report';
export const LEAVE_PATH = '/peer/v1/leave';

export const REPORT_TIMEOUT_MS = 1_500;
const GOODBYE_TIMEOUT_MS = 1_000;
const TICK_MS = 100;
/** A peer whose last word is older is not heard any more. */
const HEARD_MS = 3 * REPORT_PERIOD_MS;

export interface MembersOptions {
  readonly host: Host;
  readonly self: string;
  readonly list: ListSource;
  readonly call: PeerCall;
}

export interface MemberCounts {
  readonly reportsSent: number;
  readonly reportsFailed: number;
  readonly reportsReceived: number;
  /** Reports of members that our list does not hold. */
  readonly strangers: number;
  /** Changes of the state of a peer. */
  readonly moves: number;
  /** Peers that are down to this member but not to themselves or to another peer, or that do not see this one. */
  readonly partlySeen: number;
  /** Peers whose member list is not ours. */
  readonly otherLists: number;
}

/** Knows the members and how they are; what moves their states is in `machine.ts`. */
export class Members implements Part {
  readonly name = 'members';
  readonly changes = new Changes<MembersView>();
  readonly #host: Host;
  readonly #log: Log;
  readonly #list: ListSource;
  readonly #call: PeerCall;
  readonly #machine: MembersMachine;
  readonly #run: string;
  readonly #listed = Promise.withResolvers<void>();
  readonly #contributions: (() => Facts)[] = [];
  #timer: Timer | undefined;
  #sent = 0;
  #failed = 0;
  #received = 0;
  #strangers = 0;
  #moves = 0;
  #goodbyes: Promise<void>[] = [];

  constructor({ host, self, list, call }: MembersOptions) {
    this.#host = host;
    this.#log = host.log.area('members');
    this.#list = list;
    this.#call = call;
    this.#machine = new MembersMachine(self, () => host.random.float());
    this.#run = host.random.uuid();
  }

  get view(): MembersView {
    return this.#machine.view;
  }

  peer(address: string): PeerFacts | undefined {
    return this.#machine.peer(address);
  }

  /** Resolves once there is a list to obey. */
  untilListed(): Promise<void> {
    return this.#listed.promise;
  }

  /** What reports carry of the other parts; `isReady`, if any tells it, ends this member's starting. */
  contribute(facts: () => Facts): void {
    this.#contributions.push(facts);
  }

  start(): void {
    this.#list.start((list) => {
      this.#step({ kind: 'list', list });
      this.#listed.resolve();
    });
    this.#timer = this.#host.clock.every(TICK_MS, () => {
      // Only what is starting waits for it, and all parts are asked for it.
      const isReady = this.#machine.phase === 'starting' && this.#isReady();
      this.#step({ kind: 'tick', isReady });
    });
  }

  notReadyReason(): string | undefined {
    if (this.#machine.list !== undefined) return undefined;
    return `there is no member list to obey: ${this.#list.lastRefusal ?? 'it was not read yet'}`;
  }

  /** Tells the peers that this member owns nothing any more. */
  async drain(): Promise<void> {
    this.#step({ kind: 'leave' });
    await Promise.all(this.#goodbyes.splice(0));
  }

  stop(): void {
    this.#timer?.cancel();
    this.#list.stop();
  }

  /** What this member says of itself now. */
  ownReport(): Report {
    return this.#machine.report(this.#run, VERSION, this.#facts());
  }

  /** A report that came to the peer port; `from` is who signed it. */
  take(message: unknown, from: string): ReportAnswer {
    const report = decodeReport(message);
    if (report.from !== from) throw badRequest(`a report of ${report.from} was signed by ${from}`);
    const isListed = this.#machine.peer(from) !== undefined;
    if (isListed) this.#received++;
    else this.#strangers++;
    this.#step({ kind: 'reported', report });
    return { isListed, report: this.ownReport() };
  }

  /** A goodbye that came to the peer port. */
  takeGoodbye(from: string): void {
    this.#step({ kind: 'left', peer: from });
  }

  get counts(): MemberCounts {
    const { members, listHash, self } = this.view;
    const heard = members.flatMap(({ address, state }) => {
      const peer = this.#machine.peer(address);
      const isHeard = this.#host.clock.monotonic() - (peer?.heardMs ?? Number.NEGATIVE_INFINITY) <= HEARD_MS;
      return isHeard && peer?.report !== undefined && !peer.hasLeft ? [{ state, peer, report: peer.report }] : [];
    });
    const seen = new Set(heard.flatMap(({ report }) => [report.from, ...report.sees]));
    const unseen = members.filter(({ address, state }) => state === 'DOWN' && address !== self && seen.has(address));
    const unseeing = heard.filter(({ state, peer }) => state !== 'DOWN' && peer.seesMe === false);
    return {
      reportsSent: this.#sent,
      reportsFailed: this.#failed,
      reportsReceived: this.#received,
      strangers: this.#strangers,
      moves: this.#moves,
      partlySeen: unseen.length + unseeing.length,
      otherLists: heard.filter(({ report }) => report.listHash !== listHash).length,
    };
  }

  #step(event: MembersEvent): void {
    for (const effect of this.#machine.step(event, this.#host.clock.monotonic())) this.#act(effect);
  }

  #act(effect: MembersEffect): void {
    switch (effect.kind) {
      case 'report':
        this.#host.background('report to a peer', this.#report(effect.to));
        return;
      case 'say goodbye':
        this.#goodbyes.push(this.#sayGoodbye(effect.to));
        return;
      case 'moved': {
        const { peer, from, to, why } = effect;
        this.#moves++;
        const log = to === 'SUSPICIOUS' || to === 'DOWN' ? 'warn' : 'info';
        this.#log[log](`${peer} is ${to}, was ${from}: ${why}`);
        return;
      }
      case 'changed':
        this.changes.publish(effect.view);
        return;
    }
  }

  async #report(peer: string): Promise<void> {
    this.#sent++;
    try {
      const answer = await this.#call(peer, REPORT_PATH, this.ownReport(), REPORT_TIMEOUT_MS, { isUrgent: true });
      const { report, isListed } = decodeReportAnswer(answer);
      if (report.from !== peer) throw new PeerError('failed', `${peer} says that it is ${report.from}`);
      this.#step({ kind: 'answered', peer, report, isListed });
    } catch (error) {
      this.#failed++;
      const why = error instanceof PeerError ? error.kind : 'failed';
      // Once per silence: the rounds after it say the same.
      const log = (this.#machine.peer(peer)?.failures ?? 0) === 0 && why !== 'refused' ? 'info' : 'debug';
      this.#log[log]('a report was not taken', { peer, error });
      this.#step({ kind: 'failed', peer, why });
    }
  }

  async #sayGoodbye(peer: string): Promise<void> {
    try {
      await this.#call(peer, LEAVE_PATH, {}, GOODBYE_TIMEOUT_MS, { isUrgent: true });
    } catch (error) {
      this.#log.debug('a goodbye was not taken', { peer, error });
    }
  }

  #facts(): Facts {
    return checkedFacts(Object.assign({}, ...this.#contributions.map((facts) => facts())) as Facts);
  }

  #isReady(): boolean {
    return this.#machine.list !== undefined && this.#facts().isReady !== false;
  }
}
