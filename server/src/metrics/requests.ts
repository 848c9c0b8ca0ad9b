import { type SampleCollector, summaryCollectors } from './samples.ts';

/** How often, and how long, the answers of one route with one status took. */
interface Figures {
  readonly method: string;
  readonly uri: string;
  readonly status: number;
  count: number;
  seconds: number;
  secondsMax: number;
  /** Of the window before, which a scrape shows as well. */
  secondsMaxBefore: number;
}

/** The highest duration that is shown is that of the last one to two of these. */
export const MAX_WINDOW_MS = 60_000;

/** Anything may stand in a request line; labels must stay few. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']);

/**
 * Counts answers under the names that dashboards for Nacos 1.4 know. On each request there is one look-up and no text is
 * made, as a counter of the metrics library would make for its labels.
 */
export class RequestFigures {
  readonly #now: () => number;
  readonly #byPath = new Map<string, Map<string, Map<number, Figures>>>();
  #windowMs: number;

  /** `now`: monotonic, ms. */
  constructor(now: () => number) {
    this.#now = now;
    this.#windowMs = now();
  }

  observe(path: string, method: string, status: number, durationMs: number): void {
    const figures = this.#byPath.get(path)?.get(method)?.get(status) ?? this.#add(path, method, status);
    const seconds = durationMs / 1_000;
    figures.count++;
    figures.seconds += seconds;
    if (seconds > figures.secondsMax) figures.secondsMax = seconds;
  }

  /** Answers with this status of routes that begin so. */
  count(prefix: string, status: number): number {
    let count = 0;
    for (const figures of this.#all()) {
      if (figures.uri.startsWith(prefix) && figures.status === status) count += figures.count;
    }
    return count;
  }

  /** For the library, read when somebody scrapes. */
  collectors(): SampleCollector[] {
    return summaryCollectors(
      'http_server_requests_seconds',
      'answers of the public port and the time they took, by route; the longest is that of the last one to two minutes',
      () => {
        this.#turnWindow();
        return [...this.#all()].map((figures) => {
          const { method, uri, status, count, seconds, secondsMax, secondsMaxBefore } = figures;
          const labels = { method, outcome: outcomeOf(status), status, uri };
          return { labels, of: { count, seconds, secondsMax: Math.max(secondsMax, secondsMaxBefore) } };
        });
      },
    );
  }

  *#all(): Iterable<Figures> {
    for (const byMethod of this.#byPath.values()) {
      for (const byStatus of byMethod.values()) yield* byStatus.values();
    }
  }

  #turnWindow(): void {
    const windows = Math.floor((this.#now() - this.#windowMs) / MAX_WINDOW_MS);
    if (windows < 1) return;
    this.#windowMs += windows * MAX_WINDOW_MS;
    for (const figures of this.#all()) {
      figures.secondsMaxBefore = windows === 1 ? figures.secondsMax : 0;
      figures.secondsMax = 0;
    }
  }

  #add(path: string, said: string, status: number): Figures {
    const method = METHODS.has(said) ? said : 'other';
    const byMethod = this.#byPath.get(path) ?? new Map<string, Map<number, Figures>>();
    this.#byPath.set(path, byMethod);
    const byStatus = byMethod.get(method) ?? new Map<number, Figures>();
    byMethod.set(method, byStatus);
    const known = byStatus.get(status);
    if (known !== undefined) return known;
    const figures = { method, uri: path, status, count: 0, seconds: 0, secondsMax: 0, secondsMaxBefore: 0 };
    byStatus.set(status, figures);
    return figures;
  }
}

function outcomeOf(status: number): string {
  if (status < 200) return 'INFORMATIONAL';
  if (status < 300) return 'SUCCESS';
  if (status < 400) return 'REDIRECTION';
  return status < 500 ? 'CLIENT_ERROR' : 'SERVER_ERROR';
}
