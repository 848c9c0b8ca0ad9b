import type { MemberState } from '@nacos-kube/core/model/member.ts';
import type { Facts, Phase, Report } from './report.ts';
import { healthyAmong, type MembersView, memberOf, reachableAmong } from './view.ts';

export const REPORT_PERIOD_MS = 2_000;
/** Up to this share of the period is taken or added, so that members do not report in step. */
export const REPORT_JITTER = 0.1;
/** After a failure, and until a member that was down has proven itself. */
export const RETRY_MS = 500;
/** Failures that make a member DOWN; a refused connection counts double, since there is no process any more. */
export const FAILURES_TO_DOWN = 3;
export const REFUSED_WEIGHT = 2;
/** Answers in a row that make a member UP which was down without having been started anew. */
export const ANSWERS_TO_UP = 2;

export type FailureKind = 'refused' | 'unreachable' | 'timeout' | 'denied' | 'failed';

/** A member list that is to be obeyed; it holds this member. */
export interface ListInForce {
  readonly members: readonly string[];
  readonly generation: number | null;
  readonly hash: string;
}

export type MembersEvent =
  | { readonly kind: 'list'; readonly list: ListInForce }
  /** Time goes on; `isReady` is this member's own readiness. */
  | { readonly kind: 'tick'; readonly isReady: boolean }
  /** A peer answered our report with its own. */
  | { readonly kind: 'answered'; readonly peer: string; readonly report: Report; readonly isListed: boolean }
  | { readonly kind: 'failed'; readonly peer: string; readonly why: FailureKind }
  /** A peer reported to us. */
  | { readonly kind: 'reported'; readonly report: Report }
  /** A peer said that it goes. */
  | { readonly kind: 'left'; readonly peer: string }
  /** This member goes. */
  | { readonly kind: 'leave' };

export type MembersEffect =
  | { readonly kind: 'report'; readonly to: string }
  | { readonly kind: 'say goodbye'; readonly to: string }
  | {
      readonly kind: 'moved';
      readonly peer: string;
      readonly from: MemberState;
      readonly to: MemberState;
      readonly why: string;
    }
  | { readonly kind: 'changed'; readonly view: MembersView };

/** What is known of a peer beside its state. */
export interface PeerFacts {
  readonly failures: number;
  /** Monotonic ms of its last word, whoever asked. */
  readonly heardMs: number | undefined;
  readonly report: Report | undefined;
  /** Whether its own reports reach us, as it says: false while only one side sees the other. */
  readonly seesMe: boolean | undefined;
  /** Whether its list holds us. */
  readonly isListed: boolean | undefined;
  readonly hasLeft: boolean;
}

/**
 * How a member sees its peers. Each is DOWN until it answers, then STARTING or UP as it says of itself.
 *
 * - a report to it fails: UP > SUSPICIOUS, which still counts as healthy; `FAILURES_TO_DOWN` in a row > DOWN.
 *   STARTING > DOWN at once, for it owns nothing yet.
 * - it answers: STARTING or UP; out of DOWN only after `ANSWERS_TO_UP`, unless it was started anew or is new to us.
 * - it reports to us: it is believed if we have no failures against it, else it is asked at once. So a peer that we
 *   cannot reach never looks healthy because it reaches us.
 * - it says that it leaves: DOWN, until it says otherwise.
 */
export class MembersMachine {
  readonly #self: string;
  readonly #random: () => number;
  #peers: ReadonlyMap<string, Peer> = new Map();
  #phase: Phase = 'starting';
  #list: ListInForce | undefined;
  #view: MembersView;

  /** `random` is uniform in [0, 1). */
  constructor(self: string, random: () => number) {
    this.#self = self;
    this.#random = random;
    const members = [memberOf(self, 'STARTING')];
    this.#view = { version: 0, self, members, healthy: [self], reachable: [], generation: null, listHash: '' };
  }

  get view(): MembersView {
    return this.#view;
  }

  get list(): ListInForce | undefined {
    return this.#list;
  }

  get phase(): Phase {
    return this.#phase;
  }

  peer(address: string): PeerFacts | undefined {
    return this.#peers.get(address);
  }

  /** What this member tells its peers now. */
  report(run: string, version: string, facts: Facts): Report {
    const { generation, listHash, reachable: sees, self: from } = this.#view;
    return { from, run, version, phase: this.#phase, generation, listHash, sees, facts };
  }

  step(event: MembersEvent, nowMs: number): MembersEffect[] {
    const before = new Map([...this.#peers.values()].map(({ address, state }) => [address, state]));
    const effects = this.#decide(event, nowMs);
    for (const { address, state } of this.#peers.values()) {
      const from = before.get(address) ?? 'DOWN';
      if (from !== state) effects.push({ kind: 'moved', peer: address, from, to: state, why: whyOf(event) });
    }
    const view = this.#nextView();
    if (view !== undefined) {
      this.#view = view;
      effects.push({ kind: 'changed', view });
    }
    return effects;
  }

  #decide(event: MembersEvent, nowMs: number): MembersEffect[] {
    switch (event.kind) {
      case 'list':
        this.#obey(event.list, nowMs);
        return this.#dueReports(nowMs);
      case 'tick':
        if (event.isReady && this.#phase === 'starting') {
          this.#phase = 'running';
          for (const peer of this.#peers.values()) peer.nextReportMs = nowMs;
        }
        return this.#dueReports(nowMs);
      case 'answered': {
        const peer = this.#peers.get(event.peer);
        if (peer !== undefined) this.#answered(peer, event, nowMs);
        return [];
      }
      case 'failed': {
        const peer = this.#peers.get(event.peer);
        if (peer !== undefined) this.#failed(peer, event.why, nowMs);
        return [];
      }
      case 'reported': {
        const peer = this.#peers.get(event.report.from);
        if (peer !== undefined) this.#reported(peer, event.report, nowMs);
        return this.#dueReports(nowMs);
      }
      case 'left': {
        const peer = this.#peers.get(event.peer);
        if (peer !== undefined) markLeft(peer);
        return [];
      }
      case 'leave':
        if (this.#phase === 'leaving') return [];
        this.#phase = 'leaving';
        return this.#view.reachable.map((to) => ({ kind: 'say goodbye', to }));
    }
  }

  #obey(list: ListInForce, nowMs: number): void {
    this.#list = list;
    const peers = list.members.filter((address) => address !== this.#self).sort();
    this.#peers = new Map(peers.map((address) => [address, this.#peers.get(address) ?? newPeer(address, nowMs)]));
  }

  #dueReports(nowMs: number): MembersEffect[] {
    // Who leaves has said so; reports would only bring it back where the goodbye is forgotten.
    if (this.#phase === 'leaving') return [];
    const effects: MembersEffect[] = [];
    for (const peer of this.#peers.values()) {
      if (peer.isAsked || peer.nextReportMs > nowMs) continue;
      peer.isAsked = true;
      effects.push({ kind: 'report', to: peer.address });
    }
    return effects;
  }

  #answered(peer: Peer, { report, isListed }: MembersEvent & { kind: 'answered' }, nowMs: number): void {
    this.#heard(peer, report, nowMs);
    peer.isAsked = false;
    peer.isListed = isListed;
    peer.failures = 0;
    peer.answers++;
    if (report.phase === 'leaving') {
      markLeft(peer);
    } else if (peer.state !== 'DOWN' || peer.isNew || peer.answers >= ANSWERS_TO_UP) {
      peer.state = report.phase === 'starting' ? 'STARTING' : 'UP';
    }
    peer.nextReportMs = nowMs + this.#spread(peer.state === 'DOWN' && !peer.hasLeft ? RETRY_MS : REPORT_PERIOD_MS);
  }

  #failed(peer: Peer, why: FailureKind, nowMs: number): void {
    peer.isAsked = false;
    peer.answers = 0;
    peer.failures = Math.min(peer.failures + (why === 'refused' ? REFUSED_WEIGHT : 1), FAILURES_TO_DOWN);
    const isLost = peer.failures >= FAILURES_TO_DOWN || peer.state === 'STARTING';
    if (isLost && peer.state !== 'DOWN') {
      peer.state = 'DOWN';
      peer.isNew = false;
    } else if (peer.state === 'UP') {
      peer.state = 'SUSPICIOUS';
    }
    peer.nextReportMs = nowMs + this.#spread(peer.state === 'DOWN' ? REPORT_PERIOD_MS : RETRY_MS);
  }

  #reported(peer: Peer, report: Report, nowMs: number): void {
    this.#heard(peer, report, nowMs);
    if (report.phase === 'leaving') {
      markLeft(peer);
    } else if (peer.failures > 0) {
      // It lives; whether we reach it is another question, and worth asking now.
      peer.nextReportMs = nowMs;
    } else if (peer.state !== 'DOWN' || peer.isNew) {
      peer.state = report.phase === 'starting' ? 'STARTING' : 'UP';
    }
  }

  #heard(peer: Peer, report: Report, nowMs: number): void {
    if (isNews(peer, report)) peer.isNew = true;
    peer.heardMs = nowMs;
    peer.report = report;
    peer.seesMe = report.sees.includes(this.#self);
    if (report.phase !== 'leaving') peer.hasLeft = false;
  }

  #spread(periodMs: number): number {
    return Math.round(periodMs * (1 + REPORT_JITTER * (2 * this.#random() - 1)));
  }

  /** Undefined when nothing that others can see has changed. */
  #nextView(): MembersView | undefined {
    const { version, self, members: before, generation, listHash } = this.#view;
    const own = ({ starting: 'STARTING', running: 'UP', leaving: 'DOWN' } as const)[this.#phase];
    const states = new Map<string, MemberState>([[self, own]]);
    for (const { address, state } of this.#peers.values()) states.set(address, state);
    const list = this.#list ?? { generation: null, hash: '' };
    const isSame =
      states.size === before.length &&
      before.every(({ address, state }) => states.get(address) === state) &&
      list.generation === generation &&
      list.hash === listHash;
    if (isSame) return undefined;
    const members = [...states]
      .map(([address, state]) => memberOf(address, state))
      .sort((a, b) => (a.address < b.address ? -1 : 1));
    return {
      version: version + 1,
      self,
      members,
      healthy: healthyAmong(self, members),
      reachable: reachableAmong(self, members),
      generation: list.generation,
      listHash: list.hash,
    };
  }
}

interface Peer {
  readonly address: string;
  state: MemberState;
  failures: number;
  /** In a row. */
  answers: number;
  /** A report to it is under way. */
  isAsked: boolean;
  nextReportMs: number;
  /** This run of it has not failed us yet. */
  isNew: boolean;
  heardMs: number | undefined;
  report: Report | undefined;
  seesMe: boolean | undefined;
  isListed: boolean | undefined;
  hasLeft: boolean;
}

function newPeer(address: string, nowMs: number): Peer {
  return {
    address,
    state: 'DOWN',
    failures: 0,
    answers: 0,
    isAsked: false,
    nextReportMs: nowMs,
    isNew: true,
    heardMs: undefined,
    report: undefined,
    seesMe: undefined,
    isListed: undefined,
    hasLeft: false,
  };
}

/** Nothing was known of this run of the peer, or it had left and is back: it has not flapped, it has begun. */
function isNews({ report: known, hasLeft }: Peer, report: Report): boolean {
  return known === undefined || known.run !== report.run || (hasLeft && report.phase !== 'leaving');
}

function markLeft(peer: Peer): void {
  peer.state = 'DOWN';
  peer.hasLeft = true;
  peer.answers = 0;
}

function whyOf(event: MembersEvent): string {
  switch (event.kind) {
    case 'failed':
      return event.why;
    case 'answered':
    case 'reported':
      return `it is ${event.report.phase}`;
    case 'left':
      return 'it is leaving';
    case 'list':
    case 'tick':
    case 'leave':
      return event.kind;
  }
}
