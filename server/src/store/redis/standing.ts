/**
 * What those that decide on fail-overs say of a server: `alone` is the master when no replica is known that could take its
 * place; `doubted` one that another has replaced, or soon may.
 */
export type Standing = 'master' | 'alone' | 'doubted' | 'unknown';

/**
 * One that doubts decides, at once. Else all are waited for, since the one that has replaced it knows it before the others;
 * who does not answer has said nothing. Never rejects.
 */
export function standingFrom(asked: readonly Promise<Standing>[], needed: number): Promise<Standing> {
  const { promise, resolve } = Promise.withResolvers<Standing>();
  const heard = asked.map(async (answer) => {
    const said = await answer;
    if (said === 'doubted') resolve(said);
    return said;
  });
  void Promise.allSettled(heard).then((answers) => {
    const said = answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : 'unknown'));
    const known = said.filter((standing) => standing !== 'unknown');
    if (known.length < needed) resolve('unknown');
    else resolve(known.every((standing) => standing === 'alone') ? 'alone' : 'master');
  });
  return promise;
}

/** Answers of one Sentinel, in the order in which it is asked. */
export interface SentinelView {
  /** `SENTINEL MASTER`: the place, and what goes on with it. */
  readonly watched: string;
  readonly flags: readonly string[];
  readonly replicas: number;
  /** `get-master-addr-by-name`: while the other replicas are being moved to the new master, only here it is named. */
  readonly named: string | undefined;
}

/**
 * It names a replica only once that has told it that it is the master, up to a second after it is: so one that is being
 * failed over is doubted before.
 */
export function standingWithSentinel(place: string, { watched, flags, replicas, named }: SentinelView): Standing {
  if (named === undefined) return 'unknown';
  if (named !== place) return 'doubted';
  if (watched !== place) return 'master';
  if (flags.includes('o_down') || flags.includes('failover_in_progress')) return 'doubted';
  // It alone does not reach it.
  if (flags.includes('s_down')) return 'unknown';
  return replicas === 0 ? 'alone' : 'master';
}
