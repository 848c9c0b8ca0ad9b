import { doubledMs } from '@nacos-kube/core/back-off.ts';

export type Job = 'node' | 'sidecar';

/** One process of a member. */
export interface ProcessName {
  readonly member: string;
  readonly job: Job;
}

export type Phase = 'waiting' | 'starting' | 'running' | 'stopping' | 'gone';

export interface ProcessView extends ProcessName {
  readonly phase: Phase;
  readonly pid: number | undefined;
  /** Starts after the first. */
  readonly restarts: number;
  readonly sinceMs: number;
}

export type LocalEvent =
  /** These members shall run, and no others. */
  | { readonly kind: 'wanted'; readonly members: readonly string[] }
  | ({ readonly kind: 'started'; readonly pid: number } & ProcessName)
  | ({ readonly kind: 'ended'; readonly how: string } & ProcessName)
  /** The sidecar has written cluster.conf. */
  | { readonly kind: 'prepared'; readonly member: string }
  /** Node and sidecar end in good order and start again. */
  | { readonly kind: 'restart'; readonly member: string }
  | { readonly kind: 'tick' }
  /** All shall end in good order. */
  | { readonly kind: 'stop' }
  /** All shall end now. */
  | { readonly kind: 'kill' };

export type LocalEffect =
  | ({ readonly kind: 'start' } & ProcessName)
  | ({ readonly kind: 'signal'; readonly signal: 'SIGTERM' | 'SIGKILL' } & ProcessName)
  | { readonly kind: 'note'; readonly text: string }
  /** Nothing runs any more, and nothing shall. */
  | { readonly kind: 'over' };

export const RESTART_FIRST_MS = 500;
export const RESTART_MAX_MS = 30_000;
/** Who ran for so long is well: the next restart comes soon again. */
export const WELL_MS = 60_000;
/** A node drains for 20 s and stops for 10 s at most; who takes longer hangs. */
export const STOP_MAX_MS = 35_000;
/** A node starts without cluster.conf rather than never. */
export const PREPARE_MAX_MS = 15_000;

interface Process extends ProcessName {
  phase: Phase;
  pid: number | undefined;
  restarts: number;
  failures: number;
  sinceMs: number;
  dueMs: number;
  isKilled: boolean;
}

interface Member {
  isWanted: boolean;
  isPrepared: boolean;
  /** Wanted, but its processes end first. */
  isRestarting: boolean;
  firstMs: number;
  readonly node: Process;
  readonly sidecar: Process;
}

/**
 * Which processes of the members run on this machine. Each goes
 *
 *   waiting --due--> starting --started--> running --ended--> waiting (after 0.5 s to 30 s)
 *                                             |
 *                                       not wanted --> stopping --ended--> gone
 *
 * A node waits for its sidecar the first time, as in a pod, and a sidecar stops only once its node is gone. A member that
 * is restarted goes all the way to gone and begins anew.
 */
export class LocalMachine {
  readonly #members = new Map<string, Member>();
  #isStopping = false;
  #isOver = false;

  step(event: LocalEvent, nowMs: number): LocalEffect[] {
    const effects: LocalEffect[] = [];
    switch (event.kind) {
      case 'wanted':
        this.#want(event.members, nowMs);
        break;
      case 'started':
        this.#started(event, nowMs, effects);
        break;
      case 'ended':
        this.#ended(event, nowMs, effects);
        break;
      case 'prepared': {
        const member = this.#members.get(event.member);
        if (member !== undefined) member.isPrepared = true;
        break;
      }
      case 'restart': {
        const member = this.#members.get(event.member);
        if (member?.isWanted === true) member.isRestarting = true;
        break;
      }
      case 'tick':
        break;
      case 'stop':
      case 'kill':
        this.#isStopping = true;
        for (const member of this.#members.values()) member.isWanted = false;
        if (event.kind === 'kill') this.#killAll(effects);
        break;
    }
    this.#proceed(nowMs, effects);
    return effects;
  }

  /** In order of members, the node of each before its sidecar. */
  processes(): readonly ProcessView[] {
    return [...this.#members.values()].flatMap(({ node, sidecar }) => [{ ...node }, { ...sidecar }]);
  }

  #want(names: readonly string[], nowMs: number): void {
    if (this.#isStopping) return;
    for (const name of names) {
      const known = this.#members.get(name);
      if (known === undefined) this.#members.set(name, freshMember(name, nowMs));
      else wantAgain(known);
    }
    for (const [name, member] of this.#members) if (!names.includes(name)) member.isWanted = false;
  }

  #started({ member, job, pid }: ProcessName & { pid: number }, nowMs: number, effects: LocalEffect[]): void {
    const process = this.#members.get(member)?.[job];
    if (process === undefined) return;
    process.pid = pid;
    process.sinceMs = nowMs;
    if (process.isKilled) effects.push({ kind: 'signal', member, job, signal: 'SIGKILL' });
    if (process.phase === 'starting') process.phase = 'running';
  }

  #ended({ member, job, how }: ProcessName & { how: string }, nowMs: number, effects: LocalEffect[]): void {
    const owner = this.#members.get(member);
    const process = owner?.[job];
    if (owner === undefined || process === undefined) return;
    const isExpected = process.phase === 'stopping' || process.isKilled;
    const wasWell = process.phase === 'running' && nowMs - process.sinceMs >= WELL_MS;
    process.failures = wasWell ? 0 : process.failures;
    const delayMs = isExpected ? 0 : doubledMs(process.failures++, RESTART_FIRST_MS, RESTART_MAX_MS);
    process.phase = owner.isWanted && !owner.isRestarting ? 'waiting' : 'gone';
    process.pid = undefined;
    process.sinceMs = nowMs;
    process.dueMs = nowMs + delayMs;
    process.isKilled = false;
    if (isExpected) return;
    process.restarts++;
    effects.push({ kind: 'note', text: `${member} ${job} ${how}, starting it again in ${delayMs / 1000} s` });
  }

  #proceed(nowMs: number, effects: LocalEffect[]): void {
    for (const [name, member] of this.#members) {
      if (!member.isWanted || member.isRestarting) {
        const isGone = this.#stopMember(member, nowMs, effects);
        if (isGone && !member.isWanted) this.#members.delete(name);
        if (isGone && member.isWanted) beginAnew(member, nowMs);
      }
      if (member.isWanted && !member.isRestarting) this.#proceedWanted(member, nowMs, effects);
    }
    if (this.#isStopping && this.#members.size === 0 && !this.#isOver) {
      this.#isOver = true;
      effects.push({ kind: 'over' });
    }
  }

  #proceedWanted(member: Member, nowMs: number, effects: LocalEffect[]): void {
    const { sidecar, node, isPrepared, firstMs } = member;
    const mayNodeStart = isPrepared || nowMs - firstMs >= PREPARE_MAX_MS;
    for (const process of mayNodeStart ? [sidecar, node] : [sidecar]) {
      if (process.phase !== 'waiting' || nowMs < process.dueMs) continue;
      process.phase = 'starting';
      process.sinceMs = nowMs;
      effects.push({ kind: 'start', member: process.member, job: process.job });
    }
  }

  /** Whether it is gone. */
  #stopMember({ node, sidecar }: Member, nowMs: number, effects: LocalEffect[]): boolean {
    this.#stopOne(node, nowMs, effects);
    if (node.phase === 'gone') this.#stopOne(sidecar, nowMs, effects);
    return node.phase === 'gone' && sidecar.phase === 'gone';
  }

  /** A process that is still being started is stopped once it has a pid. */
  #stopOne(process: Process, nowMs: number, effects: LocalEffect[]): void {
    const { member, job } = process;
    if (process.phase === 'waiting') {
      process.phase = 'gone';
    } else if (process.phase === 'running') {
      process.phase = 'stopping';
      process.sinceMs = nowMs;
      effects.push({ kind: 'signal', member, job, signal: 'SIGTERM' });
    } else if (process.phase === 'stopping' && !process.isKilled && nowMs - process.sinceMs >= STOP_MAX_MS) {
      process.isKilled = true;
      effects.push({ kind: 'note', text: `${member} ${job} does not end, killing it` });
      effects.push({ kind: 'signal', member, job, signal: 'SIGKILL' });
    }
  }

  #killAll(effects: LocalEffect[]): void {
    for (const { node, sidecar } of this.#members.values()) {
      for (const process of [node, sidecar]) {
        if (process.phase === 'waiting' || process.phase === 'gone' || process.isKilled) continue;
        process.isKilled = true;
        if (process.pid === undefined) continue;
        effects.push({ kind: 'signal', member: process.member, job: process.job, signal: 'SIGKILL' });
      }
    }
  }
}

function freshMember(name: string, nowMs: number): Member {
  const process = (job: Job): Process => ({
    member: name,
    job,
    phase: 'waiting',
    pid: undefined,
    restarts: 0,
    failures: 0,
    sinceMs: nowMs,
    dueMs: nowMs,
    isKilled: false,
  });
  const state = { isWanted: true, isPrepared: false, isRestarting: false, firstMs: nowMs };
  return { ...state, node: process('node'), sidecar: process('sidecar') };
}

function beginAnew(member: Member, nowMs: number): void {
  member.isRestarting = false;
  member.isPrepared = false;
  member.firstMs = nowMs;
  for (const process of [member.node, member.sidecar]) {
    process.phase = 'waiting';
    process.restarts++;
    process.failures = 0;
    process.sinceMs = nowMs;
    process.dueMs = nowMs;
  }
}

/** A member that comes back before it was gone: what has ended starts again, what is ending does once it has. */
function wantAgain(member: Member): void {
  member.isWanted = true;
  if (member.isRestarting) return;
  for (const process of [member.node, member.sidecar]) if (process.phase === 'gone') process.phase = 'waiting';
}
