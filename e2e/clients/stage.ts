/** What a step has at hand: both clients open on the target, names of this run, and ways to wait for what is reported. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../kubernetes/processes.ts';
import type { ClientProgram, Instance } from './program.ts';
import { type ClientName, startClient, type Target } from './start.ts';

/** A port that persistent instances can be checked at, from where the members are. */
export interface Listener {
  readonly ip: string;
  readonly port: number;
  close(): Promise<void>;
  open(): Promise<void>;
}

export interface ScenarioTarget extends Target {
  /** True where datagrams of the servers reach the clients; behind source NAT they can't, and polls must do. */
  readonly isPushed: boolean;
  /** Absent where the members can't reach this machine: the step with it is skipped. */
  readonly listener?: Listener;
}

/**
 * By the slowest way everything has been told within this: lists by a poll each 10 s, configurations by the second long
 * poll, since both clients take a new listener into account only when the poll of 30 s that is held has ended.
 */
const TOLD_MS_MAX = 40_000;
/** Below the five equal requests a second that the Java client allows itself. */
const ASK_AGAIN_MS = 300;

export const GROUP = 'E2E';

export class Stage {
  readonly target: ScenarioTarget;
  readonly java: ClientProgram;
  readonly npm: ClientProgram;
  readonly #home: string;
  readonly #run = randomBytes(4).toString('hex');
  readonly #others: ClientProgram[] = [];
  /** When the instances were registered that the clients beat for to the end. */
  registeredMs = Number.NaN;
  /** Pushes that the servers gave up before this run. */
  failedPushes = 0;

  private constructor(target: ScenarioTarget, home: string, java: ClientProgram, npm: ClientProgram) {
    this.target = target;
    this.#home = home;
    this.java = java;
    this.npm = npm;
  }

  static async open(target: ScenarioTarget): Promise<Stage> {
    const home = await mkdtemp(join(tmpdir(), 'nacos-kube-clients-'));
    const started: ClientProgram[] = [];
    try {
      for (const name of ['java', 'npm'] as const) started.push(await startClient(name, target, join(home, name)));
      return new Stage(target, home, started[0]!, started[1]!);
    } catch (error) {
      await Promise.all(started.map((program) => program.kill()));
      await rm(home, { recursive: true, force: true });
      throw error;
    }
  }

  get both(): readonly ClientProgram[] {
    return [this.java, this.npm];
  }

  otherThan(program: ClientProgram): ClientProgram {
    return program === this.java ? this.npm : this.java;
  }

  /** A name that no other run uses: the target may keep what an earlier one left. */
  name(stem: string): string {
    return `${stem}-${this.#run}`;
  }

  /** A further client, ended with the stage. */
  async start(name: ClientName, namespace?: string): Promise<ClientProgram> {
    const home = join(this.#home, `${name}-${this.#others.length}`);
    const target = namespace === undefined ? this.target : { ...this.target, namespace };
    const program = await startClient(name, target, home);
    this.#others.push(program);
    return program;
  }

  async close(): Promise<void> {
    await Promise.all([...this.both, ...this.#others].map((program) => program.stop()));
    await rm(this.#home, { recursive: true, force: true });
  }
}

export async function told<T>(what: string, look: () => T | false | undefined): Promise<T> {
  return await until(what, async () => look(), { timeoutMs: TOLD_MS_MAX, everyMs: 50 });
}

export async function eventually<T>(what: string, ask: () => Promise<T | false | undefined>): Promise<T> {
  return await until(what, ask, { timeoutMs: TOLD_MS_MAX, everyMs: ASK_AGAIN_MS });
}

/** Until a read satisfies the assertion; the error is the last one that it gave. */
export async function eventuallyEqual(ask: () => Promise<unknown>, expected: unknown): Promise<void> {
  let actual: unknown;
  try {
    await eventually('equal', async () => {
      actual = await ask();
      return JSON.stringify(actual) === JSON.stringify(expected);
    });
  } catch {
    assert.deepEqual(actual, expected);
  }
}

/** Waits until the latest list that a subscriber was told has these addresses, and gives that list. */
export async function toldList(
  program: ClientProgram,
  service: string,
  expected: readonly string[],
): Promise<readonly Instance[]> {
  const wanted = [...expected].sort().join();
  const lists = () => listsOf(program, service).map(({ instances }) => instances);
  try {
    return await told('', () => {
      const latest = lists().at(-1);
      return latest && addresses(latest).join() === wanted && latest;
    });
  } catch {
    const seen = lists().map((instances) => addresses(instances).join(' ') || 'nothing');
    assert.fail(`${program.name} was to be told [${wanted}] of ${service} at last, and was told: ${seen.join('; ')}`);
  }
}

export function listsOf(program: ClientProgram, service: string, since = 0) {
  return program.reportsOf('instances', since).filter((report) => report.service === service);
}

export function addresses(instances: readonly Instance[]): string[] {
  return instances.map(({ ip, port }) => `${ip}:${port}`).sort();
}

/** Waits until a listener has been told this content. */
export async function toldContent(
  program: ClientProgram,
  dataId: string,
  content: string | null,
  since = 0,
): Promise<void> {
  const contents = () => contentsOf(program, dataId, since);
  try {
    await told('', () => contents().includes(content));
  } catch {
    const seen = contents().map((text) => JSON.stringify(text)?.slice(0, 200));
    assert.fail(`${program.name} was not told ${JSON.stringify(content)?.slice(0, 200)}, but: ${seen.join('; ')}`);
  }
}

export function contentsOf(program: ClientProgram, dataId: string, since = 0): (string | null)[] {
  const reports = program.reportsOf('config', since).filter((report) => report.dataId === dataId);
  return reports.map(({ content }) => content);
}
