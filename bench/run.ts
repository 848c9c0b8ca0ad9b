/** `npm run bench`: see `options.ts` for what it takes, `rows.ts` and `scenes.ts` for what it measures. */
import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { CEILINGS, Ceiling } from './ceilings.ts';
import { HELP, OptionError, type Options, parseOptions } from './options.ts';
import { writeReadme } from './readme.ts';
import { lineOf, machineOf, type Report, type SceneResult, sceneLines, tablesOf } from './report.ts';
import { type Requests, requestsFor } from './requests.ts';
import { rowsOf } from './rows.ts';
import { SCENES } from './scenes/all.ts';
import type { Scene } from './scenes.ts';
import { type Server, startNode } from './server.ts';
import { InterruptedError, Stage } from './stage.ts';
import { measureRow, type RowResult } from './throughput.ts';

const READY_MS_MAX = 20_000;
const WARM_MS = 200;
const QUICK_WARM_MS = 100;
/** Of one row, beside its rounds: preparing and cleaning. */
const ROW_GRACE_MS = 120_000;
const [FAILED, MISUSED, INTERRUPTED] = [1, 2, 130];

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options.isHelp) {
    console.log(HELP);
    return 0;
  }
  const run = new Run(options);
  if (options.isList) {
    console.log(run.names.join('\n'));
    return 0;
  }
  if (!run.names.some((name) => run.isWanted(name))) {
    throw new OptionError(`no row is named so; there are:\n  ${run.names.join('\n  ')}`);
  }
  return run.perform();
}

class Run {
  readonly #options: Options;
  readonly #stage = new Stage();
  /** Unique, so that nothing of a server in use collides. */
  readonly #prefix = `bench-${randomInt(36 ** 6).toString(36)}-`;
  readonly #rows: RowResult[] = [];
  readonly #scenes: SceneResult[] = [];
  #isCompiled = false;
  readonly #startedMs = performance.now();
  #begun = 0;
  readonly #failures: { readonly name: string; readonly message: string }[] = [];

  readonly names: readonly string[];
  readonly #rowNames: readonly string[];

  constructor(options: Options) {
    this.#options = options;
    this.#rowNames = rowsOf(requestsFor('', '', '')).map(({ name }) => name);
    this.names = [...this.#rowNames, ...SCENES.filter((scene) => this.#isPossible(scene)).map(({ name }) => name)];
  }

  isWanted(name: string): boolean {
    const { only, from } = this.#options;
    if (from === undefined) return only.length === 0 || only.some((text) => name.includes(text));
    const first = this.names.findIndex((one) => one.includes(from));
    return first >= 0 && this.names.indexOf(name) >= first;
  }

  async perform(): Promise<number> {
    const interrupt = (): void => {
      if (this.#stage.isInterrupted) process.exit(INTERRUPTED);
      console.error('\ninterrupted: ending what was started (again: leave at once)');
      this.#stage.interrupt();
    };
    process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
    try {
      await this.#measureRows();
      for (const scene of SCENES) if (this.#isPossible(scene)) await this.#measureScene(scene);
    } finally {
      await this.#stage.close();
      process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    }
    if (this.#stage.isInterrupted) return INTERRUPTED;
    return this.#tell();
  }

  async #measureRows(): Promise<void> {
    const { isQuick, seconds, rounds, target } = this.#options;
    if (!this.#rowNames.some((name) => this.isWanted(name))) return;
    await this.#guarded('rows', async () => {
      const server = await this.#server();
      const ceilings =
        target === undefined ? await Promise.all(CEILINGS.map((kind) => Ceiling.start(this.#stage, kind))) : [];
      const timing = { warmMs: isQuick ? QUICK_WARM_MS : WARM_MS, roundMs: seconds * 1_000, rounds };
      const deadlineMs = ROW_GRACE_MS + rounds * (1 + ceilings.length) * 3 * (timing.warmMs + timing.roundMs);
      for (const row of rowsOf(this.#requests(server)).filter(({ name }) => this.isWanted(name))) {
        await this.#guarded(row.name, async () => {
          this.#progress(row.name);
          const measured = await within(deadlineMs, measureRow(this.#stage, server, ceilings, row, timing));
          this.#rows.push(measured);
          console.log(lineOf(measured));
          this.#keep({ rows: [measured], scenes: [] });
        });
      }
      await this.#stage.endAll();
    });
  }

  async #measureScene(scene: Scene): Promise<void> {
    if (!this.isWanted(scene.name)) return;
    await this.#guarded(scene.name, async () => {
      this.#progress(scene.name);
      const { isQuick, rounds } = this.#options;
      const context = {
        stage: this.#stage,
        rounds,
        isQuick,
        server: () => this.#server(),
        requests: (server: Server) => this.#requests(server),
      };
      try {
        const result = await within(scene.deadlineMs, scene.run(context));
        this.#scenes.push(result);
        console.log(sceneLines(result));
        this.#keep({ rows: [], scenes: [result] });
      } finally {
        await this.#stage.endAll();
      }
    });
  }

  #progress(name: string): void {
    const wanted = this.names.filter((one) => this.isWanted(one)).length;
    const seconds = Math.round((performance.now() - this.#startedMs) / 1_000);
    const gone = `${Math.floor(seconds / 60)}:${`${seconds % 60}`.padStart(2, '0')}`;
    this.#begun += 1;
    console.error(`${gone.padStart(5)}  ${this.#begun} of ${wanted}: ${name}`);
  }

  /** A row that fails is told and the next one is measured. */
  async #guarded(name: string, work: () => Promise<void>): Promise<void> {
    if (this.#stage.isInterrupted) return;
    try {
      await work();
    } catch (error) {
      if (this.#stage.isInterrupted || error instanceof InterruptedError) return;
      const message = error instanceof Error ? error.message : String(error);
      this.#failures.push({ name, message });
      console.error(`${name} failed: ${message}`);
    }
  }

  #isPossible({ needsOwnNode }: Scene): boolean {
    return this.#options.target === undefined || !needsOwnNode;
  }

  async #server(): Promise<Server> {
    const { target } = this.#options;
    if (target !== undefined) return { ...target, isOurs: false };
    const start = () => startNode(this.#stage, this.#stage.folder(), READY_MS_MAX);
    // The first start from a checkout strips types, and keeps 50 MB of what that takes; later ones find what it left.
    if (!this.#isCompiled) await this.#stage.end((await start()).child);
    this.#isCompiled = true;
    return start();
  }

  #requests({ contextPath, host, port }: Server): Requests {
    return requestsFor(contextPath, `${host}:${port}`, this.#prefix);
  }

  /** At once: a run that is cut short has not been for nothing. */
  #keep(measured: Pick<Report, 'rows' | 'scenes'>): void {
    if (this.#options.isReadme) writeReadme(this.#reportOf(measured), false);
  }

  #reportOf(measured: Pick<Report, 'rows' | 'scenes'>): Report {
    const { seconds, rounds, isQuick, target } = this.#options;
    const address = target === undefined ? null : `${target.host}:${target.port}${target.contextPath}`;
    return { ...machineOf(), seconds, rounds, isQuick, target: address, ...measured, failures: this.#failures };
  }

  #tell(): number {
    const { json, isReadme, only, from } = this.#options;
    const failures = this.#failures;
    const report = this.#reportOf({ rows: this.#rows, scenes: this.#scenes });
    console.log(`\n${tablesOf(report)}`);
    if (report.target !== null) console.log(`\n${leftBehind(report.target)}`);
    if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
    if (isReadme) writeReadme(report, only.length === 0 && from === undefined);
    if (failures.length === 0) return 0;
    console.error(`\nfailed: ${failures.map(({ name }) => name).join(', ')}`);
    return FAILED;
  }
}

function leftBehind(address: string): string {
  return `Left behind on ${address}: the history of configurations that were published and removed. Instances that were not taken away, since a row failed, end by themselves after at most an hour.`;
}

async function within<T>(deadlineMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`npm run bench: ${error instanceof OptionError ? error.message : (error as Error).stack}`);
  process.exitCode = error instanceof OptionError ? MISUSED : FAILED;
}
