/** What clients saw of a cluster while links were cut and nodes stopped, and what they should have seen. */

/** Times are of the monotonic clock, which all processes of a machine share. */
interface Timed {
  readonly startMs: number;
  readonly endMs: number;
}

/** A registration or a beat that a node took. */
export interface Sign extends Timed {
  readonly kind: 'sign';
  readonly node: string;
  readonly service: string;
  readonly instance: string;
}

/** The instance was deregistered, or tried to be. */
export interface Gone extends Timed {
  readonly kind: 'gone';
  readonly service: string;
  readonly instance: string;
}

/** A list that a node gave. */
export interface Look extends Timed {
  readonly kind: 'look';
  readonly node: string;
  readonly service: string;
  readonly healthy: readonly string[];
  readonly unhealthy: readonly string[];
}

/** A call that was not answered as it must be. */
export interface Failure extends Timed {
  readonly kind: 'failure';
  readonly node: string;
  readonly call: string;
  readonly message: string;
}

export type Event = Sign | Gone | Look | Failure;

/** What kept a node from hearing others. */
export type Fault =
  | { readonly kind: 'cut'; readonly between: readonly [string, string]; readonly fromMs: number; untilMs: number }
  | { readonly kind: 'stopped'; readonly node: string; readonly fromMs: number; untilMs: number };

const TTL_MS = 15_000;
/** P1: two seconds; the third is for a machine that does other things. */
const SPREAD_MS = 3_000;
/** More than that while some link is cut: the owner may not reach all, and digests go round each five seconds. */
const DETOUR_MS = 6_000;
/** P1 and P11: after this, what was cut is whole. */
const HEAL_MS = 15_000;

/**
 * Promise P3: a list holds, as healthy, every instance whose sign of life of the last time-out was taken by that node or
 * by one that it could hear all along. It does not ask for what a node can't know yet: it has known an instance since it
 * listed it, or could hear of a sign. Being stopped is no excuse for dropping what was known.
 */
export function findMisses(events: readonly Event[], faults: readonly Fault[]): string[] {
  const signs = Map.groupBy(
    events.filter((event) => event.kind === 'sign'),
    ({ service }) => service,
  );
  const goneMs = new Map<string, number>();
  for (const event of events)
    if (event.kind === 'gone') goneMs.set(`${event.service} ${event.instance}`, event.startMs);
  const looks = events.filter((event) => event.kind === 'look').sort((a, b) => a.endMs - b.endMs);
  const listed = new Map<string, Set<string>>();
  const misses: string[] = [];
  for (const look of looks) {
    const { node, service, startMs, endMs, healthy, unhealthy } = look;
    const known = listed.get(`${node} ${service}`) ?? new Set();
    listed.set(`${node} ${service}`, known);
    const fresh = new Map<string, Sign>();
    for (const sign of signs.get(service) ?? []) {
      if (sign.endMs + SPREAD_MS > startMs) continue;
      const isHere = sign.node === node;
      const hasArrived = sign.endMs + spreadMs(sign, faults) <= startMs;
      if (hasArrived && (isHere || !isHindered(sign, look, faults))) known.add(sign.instance);
      const isFresh = sign.startMs + TTL_MS > endMs;
      if (isFresh && (isHere || !isCutNear(sign, look, faults))) fresh.set(sign.instance, sign);
    }
    for (const [instance, sign] of fresh) {
      const isGone = (goneMs.get(`${service} ${instance}`) ?? Number.POSITIVE_INFINITY) <= endMs;
      if (isGone || !known.has(instance) || healthy.includes(instance)) continue;
      const how = unhealthy.includes(instance) ? 'had as unhealthy' : 'lacked';
      const age = `${sign.node} had taken a sign of it ${Math.round(startMs - sign.startMs)} ms before`;
      misses.push(`at ${Math.round(startMs)} ms the list of ${service} of ${node} ${how} ${instance}: ${age}`);
    }
    for (const instance of healthy) known.add(instance);
  }
  return misses;
}

/** The owner that it was handed to may be one that others can't hear. */
function spreadMs(sign: Sign, faults: readonly Fault[]): number {
  const isCut = faults.some(({ kind, fromMs, untilMs }) => {
    return kind === 'cut' && fromMs < sign.endMs + SPREAD_MS && untilMs > sign.startMs;
  });
  return isCut ? SPREAD_MS + DETOUR_MS : SPREAD_MS;
}

/** Whether the news of a sign could have been kept from the node, which then need not know of it. */
function isHindered(sign: Sign, { node }: Look, faults: readonly Fault[]): boolean {
  return faults.some((fault) => {
    const isOver = fault.untilMs <= sign.startMs || fault.fromMs >= sign.endMs + SPREAD_MS;
    return !isOver && (fault.kind === 'cut' ? isBetween(fault.between, sign.node, node) : fault.node === node);
  });
}

/** Whether the two were cut off from each other lately: one may have judged without the other. */
function isCutNear(sign: Sign, { node, endMs }: Look, faults: readonly Fault[]): boolean {
  return faults.some((fault) => {
    if (fault.kind !== 'cut' || !isBetween(fault.between, sign.node, node)) return false;
    return fault.untilMs > sign.startMs - HEAL_MS && fault.fromMs < endMs;
  });
}

function isBetween([one, other]: readonly [string, string], a: string, b: string): boolean {
  return (one === a && other === b) || (one === b && other === a);
}
