/** A persistent instance whose health is to be found out. */
export interface ProbeTarget {
  /** `namespace##GROUP@@service` */
  readonly service: string;
  /** `ip:port:cluster` */
  readonly key: string;
  readonly ip: string;
  /** Where to ask, which need not be the port of the instance. */
  readonly port: number;
  readonly check: Check;
  /** As the node shows it now. */
  readonly healthy: boolean;
}

/** How to ask; what the cluster of the instance says (spec/naming.md 5). */
export type Check =
  | { readonly kind: 'TCP' }
  /** `headers` as users write them: `K:V|K2:V2`. */
  | { readonly kind: 'HTTP'; readonly path: string; readonly headers: string }
  | { readonly kind: 'MYSQL'; readonly user: string; readonly password: string; readonly command: string };

export type CheckKind = Check['kind'];
export const CHECK_KINDS: readonly CheckKind[] = ['TCP', 'HTTP', 'MYSQL'];

/**
 * - `ok`: it does what it is there for
 * - `timeout`, `busy` (it says so itself), `failed`: a sign, which takes some in a row to count
 * - `down`: no doubt, such as a refused connection: the machine is there and says that nobody listens
 */
export type ProbeOutcome = 'ok' | 'timeout' | 'busy' | 'failed' | 'down';
export const PROBE_OUTCOMES: readonly ProbeOutcome[] = ['ok', 'timeout', 'busy', 'failed', 'down'];

export interface ProbeResult {
  readonly outcome: ProbeOutcome;
  readonly tookMs: number;
}

export interface ProbeVerdict {
  readonly service: string;
  readonly key: string;
  readonly healthy: boolean;
}

export type TargetId = string;

export function targetId({ service, key }: Pick<ProbeTarget, 'service' | 'key'>): TargetId {
  return `${service}##${key}`;
}

/** The same question: counters of the one count for the other. */
export function sameQuestion(a: ProbeTarget, b: ProbeTarget): boolean {
  return a.ip === b.ip && a.port === b.port && sameCheck(a.check, b.check);
}

export function sameTarget(a: ProbeTarget, b: ProbeTarget): boolean {
  return a.healthy === b.healthy && sameQuestion(a, b);
}

function sameCheck(a: Check, b: Check): boolean {
  switch (a.kind) {
    case 'TCP':
      return b.kind === 'TCP';
    case 'HTTP':
      return b.kind === 'HTTP' && a.path === b.path && a.headers === b.headers;
    case 'MYSQL':
      return b.kind === 'MYSQL' && a.user === b.user && a.password === b.password && a.command === b.command;
  }
}
