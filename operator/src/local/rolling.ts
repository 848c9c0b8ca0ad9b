/** What is seen of a member at a moment. */
export interface MemberSight {
  readonly name: string;
  /** Of its node, while that runs. */
  readonly pid: number | undefined;
  /** It may be given traffic. */
  readonly isReady: boolean;
  /** Ready, and up in the eyes of all that are. */
  readonly isUp: boolean;
  /** Nothing waits to be sent to the others, and all that it owns was compared with them. */
  readonly isSettled: boolean;
}

export type RollingEvent =
  | { readonly kind: 'look'; readonly members: readonly MemberSight[] }
  /** Its clients have moved and it has handed over; or it could not, and why. */
  | { readonly kind: 'drained'; readonly member: string; readonly problem?: string };

export type RollingEffect =
  /** Out of the VIP, and handing over. */
  | { readonly kind: 'drain'; readonly member: string }
  | { readonly kind: 'restart'; readonly member: string }
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'over'; readonly problem: string | undefined };

/** A member whose turn it is and that is not ready may only be slow for a moment. */
export const WAIT_FOR_ITSELF_MS = 10_000;
/** For others that are missing when a turn comes. */
export const WAIT_FOR_OTHERS_MS = 30_000;

type Turn =
  | { readonly phase: 'waiting'; readonly sinceMs: number }
  | { readonly phase: 'draining'; readonly sinceMs: number; readonly pid: number | undefined }
  | { readonly phase: 'restarting'; readonly sinceMs: number; readonly pid: number | undefined };

/**
 * Restarts members one at a time. Each goes
 *
 *   waiting --all others are up and settled--> draining --drained--> restarting --back, up and settled--> done
 *
 * A member that is not ready for long serves nobody: its turn needs no other, and nothing is drained. The first that does
 * not come back ends it all, so at most one member is ever missing by it.
 */
export class RollingMachine {
  readonly #names: readonly string[];
  readonly #backMs: number;
  #at = 0;
  #turn: Turn;
  #isOver = false;

  /** `backMs` is how long a member may take from its end until it is up and settled. */
  constructor(names: readonly string[], backMs: number, nowMs: number) {
    this.#names = names;
    this.#backMs = backMs;
    this.#turn = { phase: 'waiting', sinceMs: nowMs };
  }

  step(event: RollingEvent, nowMs: number): RollingEffect[] {
    const name = this.#names[this.#at];
    if (this.#isOver || name === undefined) return [];
    if (event.kind === 'drained') return event.member === name ? this.#drained(name, event.problem, nowMs) : [];
    const member = event.members.find((one) => one.name === name);
    if (member === undefined) return this.#end(`${name} is no member any more`);
    const others = event.members.filter((one) => one !== member);
    switch (this.#turn.phase) {
      case 'waiting':
        return this.#wait(member, others, nowMs - this.#turn.sinceMs, nowMs);
      case 'draining':
        return [];
      case 'restarting':
        return this.#return(member, others, nowMs - this.#turn.sinceMs, nowMs);
    }
  }

  #wait(member: MemberSight, others: readonly MemberSight[], waitedMs: number, nowMs: number): RollingEffect[] {
    const { name, pid } = member;
    if (!member.isReady) {
      if (waitedMs < WAIT_FOR_ITSELF_MS) return [];
      this.#turn = { phase: 'restarting', sinceMs: nowMs, pid };
      return [note(`${this.#place(name)} is not ready, restarting`), { kind: 'restart', member: name }];
    }
    const missing = others.filter((one) => !one.isUp || !one.isSettled);
    if (missing.length === 0) {
      this.#turn = { phase: 'draining', sinceMs: nowMs, pid };
      const text =
        others.length > 0 ? 'draining' : 'draining; it is the only member, so nobody answers until it is back';
      return [note(`${this.#place(name)}: ${text}`), { kind: 'drain', member: name }];
    }
    if (waitedMs < WAIT_FOR_OTHERS_MS) return [];
    return this.#end(`${name} was left alone, since ${missing.map(whyMissing).join(', ')}`);
  }

  #drained(name: string, problem: string | undefined, nowMs: number): RollingEffect[] {
    if (this.#turn.phase !== 'draining') return [];
    const how = problem === undefined ? 'drained' : `did not drain (${problem})`;
    const took = seconds(nowMs - this.#turn.sinceMs);
    this.#turn = { phase: 'restarting', sinceMs: nowMs, pid: this.#turn.pid };
    return [note(`${this.#place(name)}: ${how} in ${took}, restarting`), { kind: 'restart', member: name }];
  }

  #return(member: MemberSight, others: readonly MemberSight[], awayMs: number, nowMs: number): RollingEffect[] {
    const { name, pid } = member;
    const isAnother = this.#turn.phase === 'restarting' && pid !== undefined && pid !== this.#turn.pid;
    const isBack = isAnother && member.isUp && member.isSettled && others.every(({ isUp }) => isUp);
    if (isBack) {
      const done = note(`${this.#place(name)}: back after ${seconds(awayMs)}, pid ${pid}`);
      this.#at++;
      this.#turn = { phase: 'waiting', sinceMs: nowMs };
      return this.#at < this.#names.length ? [done] : [done, ...this.#end(undefined)];
    }
    if (awayMs < this.#backMs) return [];
    const why = !isAnother
      ? `${name} does not run`
      : [member, ...others]
          .filter((one) => isMissing(one, one === member))
          .map(whyMissing)
          .join(', ');
    const left = this.#names.slice(this.#at + 1);
    const rest = left.length === 0 ? '' : `; ${left.join(', ')} left alone`;
    return this.#end(`${name} has not come back in ${seconds(this.#backMs)}: ${why}${rest}`);
  }

  #end(problem: string | undefined): RollingEffect[] {
    this.#isOver = true;
    return [{ kind: 'over', problem }];
  }

  #place(name: string): string {
    return `[${this.#at + 1}/${this.#names.length}] ${name}`;
  }
}

function isMissing({ isUp, isSettled }: MemberSight, isItself: boolean): boolean {
  return !isUp || (isItself && !isSettled);
}

function whyMissing({ name, isUp }: MemberSight): string {
  return isUp ? `${name} has not yet compared all with the others` : `${name} is not up`;
}

function note(text: string): RollingEffect {
  return { kind: 'note', text };
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
