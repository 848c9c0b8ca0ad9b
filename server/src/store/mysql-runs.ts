import type { ServerRun } from './mysql-session.ts';

/** Seconds by which the start that a server tells may differ from one time to the next. */
const ROUNDING_S = 3;
const SERVERS_MAX = 32;

/**
 * Notices that a server was started again, or that another one answers. InnoDB shows a commit before it is on disk, and a
 * replica that takes over may lack some; so after a crash what was read may be gone, and its ids are given to others.
 * Nothing that was read before can be gone on from then.
 */
export class MysqlRuns {
  /** Since when each one runs that was met. */
  readonly #startedS = new Map<string, number>();

  /** Of the first one: what is read of it now may be gone with it, before any change was asked for. */
  begin({ name, startedS }: ServerRun): void {
    if (this.#startedS.size === 0) this.#startedS.set(name, startedS);
  }

  /** Until it is said that this one was `met`: all has to be read again. */
  isAnother({ name, startedS }: ServerRun): boolean {
    if (this.#startedS.size === 0) return false;
    const known = this.#startedS.get(name);
    // Behind a balancer there may be several; more than these are not told apart.
    if (known === undefined) return this.#startedS.size < SERVERS_MAX;
    return Math.abs(known - startedS) > ROUNDING_S;
  }

  met({ name, startedS }: ServerRun): void {
    this.#startedS.set(name, startedS);
  }
}
