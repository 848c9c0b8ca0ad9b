import type { Host } from '@nacos-kube/core/host/host.ts';
import type { Operation } from './operation.ts';
import { type RollingEffect, type RollingEvent, RollingMachine } from './rolling.ts';
import { type MemberRow, stateOf } from './table.ts';
import { sightsOf } from './watch.ts';

const LOOK_PERIOD_MS = 200;

export interface TaskParts {
  readonly host: Host;
  readonly operation: Operation;
  readonly rows: () => readonly MemberRow[];
  /** Why it cannot go on; undefined while it can. */
  readonly stopReason: () => string | undefined;
}

export interface RestartParts extends TaskParts {
  readonly names: readonly string[];
  readonly backMs: number;
  /** Out of the VIP, and handed over; resolves with what was wrong. */
  readonly drain: (member: string) => Promise<string | undefined>;
  readonly restart: (member: string) => void;
}

/** Drives a rolling restart to its end. */
export async function rollingRestart(parts: RestartParts): Promise<void> {
  const { host, operation, names, backMs, drain, restart, rows, stopReason } = parts;
  const { promise: over, resolve } = Promise.withResolvers<string | undefined>();
  const machine = new RollingMachine(names, backMs, host.clock.monotonic());
  const step = (event: RollingEvent) => {
    for (const effect of machine.step(event, host.clock.monotonic())) perform(effect);
  };
  const drained = async (member: string) => {
    const problem = await drain(member);
    step({ kind: 'drained', member, ...(problem === undefined ? {} : { problem }) });
  };
  const perform = (effect: RollingEffect) => {
    switch (effect.kind) {
      case 'drain':
        host.background(`draining ${effect.member}`, drained(effect.member));
        return;
      case 'restart':
        restart(effect.member);
        return;
      case 'note':
        operation.tell(effect.text);
        return;
      case 'over':
        resolve(effect.problem);
    }
  };
  const timer = host.clock.every(LOOK_PERIOD_MS, () => {
    const reason = stopReason();
    if (reason === undefined) step({ kind: 'look', members: sightsOf(rows()) });
    else resolve(reason);
  });
  const problem = await over;
  timer.cancel();
  finish(operation, problem, `restarted ${names.length === 1 ? names[0] : `${names.length} members`}, all are up`);
}

export interface ScaledParts extends TaskParts {
  readonly replicas: number;
  readonly timeoutMs: number;
}

/** Waits until the members that are wanted are up and no others are left. */
export async function untilScaled({ host, operation, rows, stopReason, replicas, timeoutMs }: ScaledParts) {
  const untilMs = host.clock.monotonic() + timeoutMs;
  const told = new Map<string, string>();
  for (;;) {
    const now = rows();
    for (const row of now) {
      const text = `${row.name}: ${stateOf(row)}${row.isReady ? ', ready' : ''}`;
      if (told.get(row.name) !== text) operation.tell(text);
      told.set(row.name, text);
    }
    for (const name of told.keys()) {
      if (now.some((row) => row.name === name)) continue;
      operation.tell(`${name}: gone`);
      told.delete(name);
    }
    const missing = now.filter((row) => !row.isReady || stateOf(row) !== 'UP').map(({ name }) => name);
    if (missing.length === 0 && now.length === replicas)
      return finish(operation, undefined, replicas === 1 ? 'the member is up' : `${replicas} members are up`);
    const reason = stopReason();
    if (reason !== undefined) return finish(operation, reason, '');
    if (host.clock.monotonic() >= untilMs) {
      const why = missing.length > 0 ? `${missing.join(', ')} not up` : `${now.length} members are there`;
      return finish(operation, `not done in ${timeoutMs / 1_000} s (${why}), it goes on`, '');
    }
    await host.clock.sleep(LOOK_PERIOD_MS);
  }
}

export function finish(operation: Operation, problem: string | undefined, well: string): void {
  operation.tell(problem ?? well);
  operation.outcome = problem === undefined ? 'done' : 'failed';
}
