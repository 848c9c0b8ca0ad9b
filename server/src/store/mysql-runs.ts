import type { ServerRun } from './mysql-session.ts';

/** Seconds by which the start that a server tells may differ from one time to the next. */
const ROUNDING_S = 3;
/** Behind a balancer there may be several. One that was forgotten costs a reading of everything when it is met again. */
export const SERVERS_MAX = 32;

/**
 * Notices that a server was started again, or that another one answers. InnoDB shows a commit before it is on disk, and a
 * replica that takes over may lack some; so after a crash what was read may be gone, and its ids are given to others.
 * Nothing that was read before can be gone on from then.
 */
export class MysqlRuns {
  /** Since when each one runs that was met, the one that answered last at the end. */
  readonly #startedS = new Map<string, number>();

  /** Before something is read of it. Of the first one that may be gone with it, before any change was asked for. */
  begin(server: ServerRun): void {
    if (!this.isAnother(server)) this.#keep(server.name, this.#startedS.get(server.name) ?? server.startedS);
  }

  /** Until it is said that this one was `met`: all has to be read again. */
  isAnother({ name, startedS }: ServerRun): boolean {
    if (this.#startedS.size === 0) return false;
    const known = this.#startedS.get(name);
    return known === undefined || Math.abs(known - startedS) > ROUNDING_S;
  }

  met({ name, startedS }: ServerRun): void {
    this.#keep(name, startedS);
  }

  #keep(name: string, startedS: number): void {
    this.#startedS.delete(name);
    this.#startedS.set(name, startedS);
    const [oldest] = this.#startedS.keys();
    if (this.#startedS.size > SERVERS_MAX) this.#startedS.delete(oldest!);
  }
}
