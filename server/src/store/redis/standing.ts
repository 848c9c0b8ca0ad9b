import { addressText, readAddress } from './connection.ts';

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
  /** Of who says it. */
  readonly id?: string;
  /** Who may know better: without its answer nothing has been said. */
  readonly awaits?: string | undefined;
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
    const sure = heard.filter(({ standing }) => standing !== 'unknown');
    const known = sure.filter(({ awaits }) => awaits === undefined || sure.some(({ id }) => id === awaits));
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
  /** `SENTINEL REPLICAS`: their places, and something else where there are more. */
  readonly replicas: readonly string[];
  /** `get-master-addr-by-name`: while the other replicas are being moved to the new master, only here it is named. */
  readonly named: string | undefined;
  /** `SENTINEL MYID`; empty where it may not be asked for. */
  readonly id: string;
  /** The Sentinel that it has elected to fail the master over, if that may not be over yet. */
  readonly elected: string | undefined;
}

/**
 * It names a replica only once that has told it that it is the master, up to a second after it is: so one that is being
 * failed over is doubted before. Only who does it knows of that; but it needs the votes of most.
 */
export function standingWithSentinel(place: string, view: SentinelView): SaidStanding {
  const replicas = view.replicas.filter((replica) => replica !== place);
  return { standing: standingIn(view, place), replicas, id: view.id, awaits: view.elected };
}

function standingIn({ watched, flags, named }: SentinelView, place: string): Standing {
  if (named === undefined) return 'unknown';
  if (named !== place) return 'doubted';
  if (watched !== place) return 'master';
  if (flags.includes('o_down') || flags.includes('failover_in_progress')) return 'doubted';
  // It alone does not reach it.
  return flags.includes('s_down') ? 'unknown' : 'master';
}

/** Answers of one node of a Redis Cluster. */
export interface ClusterView {
  /** `CLUSTER SLOTS`: the id of who has our slot, and the places of its replicas but for those that seem to have failed. */
  readonly owner: string;
  readonly replicas: readonly string[];
  /** `CLUSTER NODES`, empty where it may not be asked for. */
  readonly nodes: string;
}

/**
 * Masters vote for a replica once most take the master for failed. It stays so for longer than a replica may wait with what
 * it has been given votes for, be the master back or not.
 */
export function standingInCluster(id: string, { owner, replicas, nodes }: ClusterView): SaidStanding {
  const lines = nodes.split('\n').map((line) => line.split(' '));
  const own = lines.find(([name]) => name === id);
  if (own === undefined) return { standing: owner === id ? 'master' : 'doubted', replicas };
  const flags = own[2]!.split(',');
  const followers = lines.filter(([, , , master]) => master === id);
  return {
    standing: owner !== id || flags.includes('fail') ? 'doubted' : flags.includes('fail?') ? 'unknown' : 'master',
    // `ADDRESS:PORT@BUS`, and names.
    replicas: followers.map(([, place]) => {
      const { host, port } = readAddress(place!.split('@', 1)[0]!);
      return addressText(host, `${port}`);
    }),
  };
}

/** For being elected, and a reserve: the rest of a fail-over has bounds that are set. */
const ELECTION_MS = 15_000;

/** What a Sentinel has voted for: `IS-MASTER-DOWN-BY-ADDR` and `SENTINEL MASTER`. */
export interface SentinelVote {
  /** `*`: none, or it is over. */
  readonly leader: string;
  readonly epoch: number;
  /** Of the last fail-over that succeeded. */
  readonly configEpoch: number;
  readonly failoverTimeoutMs: number;
}

/** Votes for a fail-over that was given up are never taken back, so they are believed for as long as one can last. */
export class SentinelVotes {
  readonly #seen = new Map<string, { readonly vote: string; readonly sinceMs: number }>();

  /** Whom the Sentinel at that place has elected for what may still go on. */
  elected(place: string, { leader, epoch, configEpoch, failoverTimeoutMs }: SentinelVote, nowMs: number) {
    if (leader === '*' || epoch <= configEpoch) return undefined;
    const vote = `${leader} ${epoch}`;
    let seen = this.#seen.get(place);
    if (seen?.vote !== vote) {
      seen = { vote, sinceMs: nowMs };
      this.#seen.set(place, seen);
    }
    // As long for telling a replica that it is the master as for hearing that it is.
    return nowMs - seen.sinceMs > ELECTION_MS + 2 * failoverTimeoutMs ? undefined : leader;
  }
}
