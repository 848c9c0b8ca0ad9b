import { startWorker, type WorkerThread } from '@nacos-kube/core/host/node/worker.ts';
import type { ScenarioSettings } from './scenario.ts';
import type { SeedAnswer, SeedReport } from './seeds-worker.ts';

export type { SeedReport } from './seeds-worker.ts';

export interface SeedRange {
  readonly from: number;
  readonly seeds: number;
  /** So many run at a time, each in a thread of its own. */
  readonly threads: number;
  readonly settings?: Omit<ScenarioSettings, 'seed' | 'echo'>;
  /** Told of each run as it ends, in any order. */
  readonly onReport?: (report: SeedReport) => void;
}

export interface SeedTotals {
  readonly seeds: number;
  /** In the order of the seeds; at most `FAILED_KEPT`. */
  readonly failed: readonly SeedReport[];
  readonly failures: number;
  readonly events: number;
  readonly simulatedMs: number;
  readonly histories: number;
  readonly operations: number;
}

export const FAILED_KEPT = 100;

type Thread = WorkerThread<ScenarioSettings, SeedAnswer>;

/** Runs of many seeds, each its own world, on several cores. */
export class Seeds {
  readonly finished: Promise<SeedTotals>;
  readonly #range: SeedRange;
  readonly #done = Promise.withResolvers<SeedTotals>();
  readonly #threads = new Set<Thread>();
  readonly #failed: SeedReport[] = [];
  readonly #totals = { seeds: 0, failures: 0, events: 0, simulatedMs: 0, histories: 0, operations: 0 };
  #next: number;

  constructor(range: SeedRange) {
    this.#range = range;
    this.#next = range.from;
    this.finished = this.#done.promise;
    for (let n = 0; n < Math.min(range.threads, range.seeds); n++) this.#start();
    if (this.#threads.size === 0) this.#done.resolve(this.totals());
  }

  /** What has run by now. */
  totals(): SeedTotals {
    return { ...this.#totals, failed: this.#failed.toSorted((one, other) => one.seed - other.seed) };
  }

  /** What is under way is dropped; `finished` then has what was done. */
  async stop(): Promise<void> {
    this.#next = Number.POSITIVE_INFINITY;
    await Promise.all([...this.#threads].map((thread) => thread.stop()));
  }

  #start(): void {
    const thread: Thread = startWorker(new URL('seeds-worker.ts', import.meta.url), undefined);
    this.#threads.add(thread);
    thread.onMessage((answer) => {
      this.#count(answer);
      this.#give(thread);
    });
    thread.onExit((error) => {
      this.#threads.delete(thread);
      if (error !== undefined) this.#done.reject(error);
      else if (this.#threads.size === 0) this.#done.resolve(this.totals());
    });
    this.#give(thread);
  }

  #give(thread: Thread): void {
    const seed = this.#next;
    if (seed >= this.#range.from + this.#range.seeds) {
      void thread.stop();
      return;
    }
    this.#next++;
    thread.post({ seed, ...this.#range.settings });
  }

  #count(answer: SeedAnswer): void {
    const totals = this.#totals;
    totals.seeds++;
    const report = 'report' in answer ? answer.report : brokenReport(answer);
    totals.events += report.events;
    totals.simulatedMs += report.simulatedMs;
    totals.histories += report.histories;
    totals.operations += report.operations;
    if (hasFailed(report)) {
      totals.failures++;
      if (this.#failed.length < FAILED_KEPT) this.#failed.push(report);
    }
    this.#range.onReport?.(report);
  }
}

export function hasFailed({ violations, problems }: SeedReport): boolean {
  return violations.length + problems.length > 0;
}

/** The run itself broke: that is a failure like any other, with a seed to see it again. */
function brokenReport({ seed, broke }: Extract<SeedAnswer, { broke: string }>): SeedReport {
  const nothing = { nodes: 0, events: 0, samples: 0, simulatedMs: 0, histories: 0, operations: 0 };
  return { seed, violations: [], problems: [broke], story: [], ...nothing };
}
