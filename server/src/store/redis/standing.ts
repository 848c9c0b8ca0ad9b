/** What those that decide on fail-overs say of a server: `doubted` is one that another has replaced, or soon may. */
export type Standing = 'master' | 'doubted' | 'unknown';

export interface Standings {
  readonly standing: Standing;
  /** Places of those that could take its place, by all that have said so; undefined when nobody has. */
  readonly replicas: ReadonlySet<string> | undefined;
}

/** Of one of them. */
export interface SaidStanding {
  readonly standing: Standing;
  readonly replicas: readonly string[];
}

export interface Question {
  readonly answer: Promise<SaidStanding>;
  /** Of one that did not answer the last time: it is not waited for when enough others have answered. */
  readonly isSlow: boolean;
}

/**
 * One that doubts decides, at once. Else all are waited for, since the one that has replaced it knows it before the others;
 * who does not answer has said nothing. Never rejects.
 */
export function standingFrom(asked: readonly Question[], needed: number): Promise<Standings> {
  const { promise, resolve } = Promise.withResolvers<Standings>();
  const heard: SaidStanding[] = [];
  const hear = async ({ answer }: Question) => {
    const said = await answer;
    heard.push(said);
    if (said.standing === 'doubted') resolve({ standing: 'doubted', replicas: undefined });
  };
  const decide = (isLast: boolean) => {
    const known = heard.filter(({ standing }) => standing !== 'unknown');
    if (known.length < needed && !isLast) return;
    const replicas = heard.length === 0 ? undefined : new Set(heard.flatMap((said) => said.replicas));
    resolve({ standing: known.length < needed ? 'unknown' : 'master', replicas });
  };
  const [slow, others] = [
    asked.filter(({ isSlow }) => isSlow).map(hear),
    asked.filter(({ isSlow }) => !isSlow).map(hear),
  ];
  void Promise.allSettled(others).then(() => decide(false));
  void Promise.allSettled([...others, ...slow]).then(() => decide(true));
  return promise;
}

/** Answers of one Sentinel, in the order in which it is asked. */
export interface SentinelView {
  /** `SENTINEL MASTER`: the place, and what goes on with it. */
  readonly watched: string;
  readonly flags: readonly string[];
  /** `SENTINEL REPLICAS`: their places. */
  readonly replicas: readonly string[];
  /** `get-master-addr-by-name`: while the other replicas are being moved to the new master, only here it is named. */
  readonly named: string | undefined;
}

/**
 * It names a replica only once that has told it that it is the master, up to a second after it is: so one that is being
 * failed over is doubted before.
 */
export function standingWithSentinel(place: string, view: SentinelView): SaidStanding {
  return { standing: standingIn(view, place), replicas: view.replicas.filter((replica) => replica !== place) };
}

function standingIn({ watched, flags, named }: SentinelView, place: string): Standing {
  if (named === undefined) return 'unknown';
  if (named !== place) return 'doubted';
  if (watched !== place) return 'master';
  if (flags.includes('o_down') || flags.includes('failover_in_progress')) return 'doubted';
  // It alone does not reach it.
  return flags.includes('s_down') ? 'unknown' : 'master';
}
