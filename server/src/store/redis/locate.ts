import type { Host } from '@nacos-kube/core/host/host.ts';
import { StoreError } from '../store.ts';
import { ASKED_AT_ONCE_MS, Asking, SERVERS_MAX } from './asking.ts';
import { addressText, type RedisAddress, type RedisConnection, readAddress } from './connection.ts';
import { isAnswer, storeErrorOf, wordOf } from './errors.ts';
import { placeOf, type RedisSettings, tagged } from './settings.ts';
import {
  type SentinelView,
  type SentinelVote,
  SentinelVotes,
  type Standings,
  standingFrom,
  standingInCluster,
  standingWithSentinel,
} from './standing.ts';

/** What a node of a Redis Cluster knows: who has our slot, with which replicas, who has any, and all with theirs. */
interface Known {
  readonly owner: ClusterNode;
  readonly replicas: readonly string[];
  readonly masters: readonly ClusterNode[];
  readonly nodes: readonly string[];
}

/** As `CLUSTER SLOTS` names it. */
type SlotServer = readonly [host: string | null, port: number, id: string, more?: readonly string[]];

/** Nodes may know one another by other addresses than themselves; the id is the same for all. */
interface ClusterNode {
  readonly place: string;
  readonly id: string;
}

/** Finds the one server that takes our writes: all our keys are in one slot. */
export class RedisLocator {
  readonly #host: Host;
  readonly #settings: RedisSettings;
  readonly #place: string;
  /** The node that was right last comes first. */
  #nodes: readonly string[];
  /** Of all our keys. */
  #slot: number | undefined;
  readonly #asking: Asking;
  readonly #votes = new SentinelVotes();

  constructor(host: Host, settings: RedisSettings) {
    this.#host = host;
    this.#settings = settings;
    this.#place = placeOf(settings);
    this.#nodes = settings.addresses;
    this.#asking = new Asking(host, settings);
  }

  /** Ends what is kept; it can go on with new connections. */
  close(): void {
    this.#asking.close();
  }

  /** Rejects with `StoreError`. */
  async find(): Promise<RedisAddress> {
    switch (this.#settings.mode) {
      case 'single':
        return readAddress(this.#settings.addresses[0]!);
      case 'sentinel':
        return this.#askSentinels();
      case 'cluster':
        return this.#askNodes();
    }
  }

  /** What those that decide on fail-overs say now: one that hung while another took its place does not know it itself. */
  async standingOf(connection: RedisConnection): Promise<Standings> {
    const { address } = connection;
    switch (this.#settings.mode) {
      case 'single':
        return { standing: 'master', replicas: undefined };
      case 'sentinel': {
        const { addresses } = this.#settings;
        const place = addressText(address.host, `${address.port}`);
        const asked = addresses.map((sentinel) => ({
          isSlow: this.#asking.isSilent(sentinel),
          answer: this.#viewOf(sentinel).then((view) => standingWithSentinel(place, view)),
        }));
        return standingFrom(asked, Math.floor(addresses.length / 2) + 1);
      }
      case 'cluster': {
        const known = await this.#slots(connection).catch(() => undefined);
        if (known === undefined) return { standing: 'unknown', replicas: undefined };
        const viewOf = async (asked: RedisConnection, { owner, replicas }: Known) => {
          const nodes = `${await orIfRefused(asked.command('CLUSTER', 'NODES'), '')}`;
          return standingInCluster(address.id ?? '', { owner: owner.id, replicas, nodes });
        };
        const asked = known.masters
          .filter(({ id }) => id !== address.id)
          .map(({ place }) => ({
            isSlow: this.#asking.isSilent(place),
            answer: this.#askNode(readAddress(place), this.#asking.patienceWith(place), async (other) =>
              viewOf(other, await this.#slots(other)),
            ),
          }));
        const own = { isSlow: false, answer: viewOf(connection, known) };
        return standingFrom([own, ...asked], Math.floor(known.masters.length / 2) + 1);
      }
    }
  }

  /** All of them at once: one alone may hang, or may be cut off and still name the old master. */
  async #askSentinels(): Promise<RedisAddress> {
    const { addresses, master } = this.#settings;
    const votes = new Map<string, number>();
    const { promise: agreed, resolve: agree } = Promise.withResolvers<void>();
    const asked = addresses.map(async (place) => {
      const named = await this.#askSentinel(readAddress(place));
      if (named === undefined) return;
      votes.set(named, (votes.get(named) ?? 0) + 1);
      // What most of them say is not changed by those that do not answer.
      if (votes.get(named)! > addresses.length / 2) agree();
    });
    const all = Promise.allSettled(asked);
    await Promise.race([agreed, all]);
    const [named] = [...votes].sort((a, b) => b[1] - a[1]);
    if (named !== undefined) return readAddress(named[0]);
    const failure = (await all).find((answer) => answer.status === 'rejected');
    if (failure !== undefined) throw storeErrorOf(failure.reason, this.#place);
    throw new StoreError('misconfigured', `${this.#place}: the Sentinels watch no master of this name: ${master}`);
  }

  #askSentinel(address: RedisAddress): Promise<string | undefined> {
    return this.#asking.ask({
      ...{ address, withLogin: false, withinMs: ASKED_AT_ONCE_MS },
      ask: (connection) => this.#withLogin(connection, () => this.#named(connection)),
    });
  }

  async #named(connection: RedisConnection): Promise<string | undefined> {
    const answer = await connection.command('SENTINEL', 'get-master-addr-by-name', this.#settings.master);
    if (answer === null) return undefined;
    const [host, port] = answer as [string, string];
    return addressText(host, port);
  }

  #viewOf(sentinel: string): Promise<SentinelView> {
    return this.#asking.ask({
      ...{ address: readAddress(sentinel), withLogin: false, withinMs: this.#asking.patienceWith(sentinel) },
      ask: async (connection) => {
        const ask = () => connection.command('SENTINEL', 'MASTER', this.#settings.master);
        const facts = (await this.#withLogin(connection, ask)) as string[];
        const question = connection.command('SENTINEL', 'REPLICAS', this.#settings.master);
        const [listed, id, vote, named] = await Promise.all([
          orIfRefused(question, []) as Promise<string[][]>,
          orIfRefused(connection.command('SENTINEL', 'MYID'), '') as Promise<string>,
          this.#voteOf(connection, facts),
          // Last: a vote is over for who has heard of the new master.
          this.#named(connection),
        ]);
        // One may be chosen that is told to nobody (`replica-announced no`), or that we may not be told of.
        const hidden = Number(factIn(facts, 'num-slaves')) > listed.length ? ['another'] : [];
        return {
          ...{ watched: placeIn(facts), flags: factIn(facts, 'flags').split(',') },
          replicas: [...listed.map(placeIn), ...hidden],
          ...{ named, id, elected: this.#votes.elected(sentinel, vote, this.#host.clock.monotonic()) },
        };
      },
    });
  }

  /** Asked as one Sentinel asks another for its vote, for an election that has long been. */
  async #voteOf(connection: RedisConnection, facts: readonly string[]): Promise<SentinelVote> {
    const question = ['IS-MASTER-DOWN-BY-ADDR', factIn(facts, 'ip'), factIn(facts, 'port'), 0, 'nacos-kube'];
    const [, leader, epoch] = (await orIfRefused(connection.command('SENTINEL', ...question), [0, '*', 0])) as [
      number,
      string,
      number,
    ];
    const number = (name: string) => Number(factIn(facts, name));
    return { leader, epoch, configEpoch: number('config-epoch'), failoverTimeoutMs: number('failover-timeout') };
  }

  /** Sentinels often want no login, or the same password as the servers. */
  async #withLogin<T>(connection: RedisConnection, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      const { password } = this.#settings;
      if (wordOf(error) !== 'NOAUTH' || password === undefined) throw error;
      await connection.command('AUTH', password);
      return ask();
    }
  }

  async #askNodes(): Promise<RedisAddress> {
    let failure: unknown;
    for (const node of this.#nodes) {
      try {
        const found = await this.#askNode(readAddress(node), ASKED_AT_ONCE_MS, (connection) => this.#slots(connection));
        const { place, id } = found.owner;
        const known = [...this.#settings.addresses, ...found.nodes].filter((other) => other !== place);
        this.#nodes = [...new Set([place, ...known])].slice(0, SERVERS_MAX);
        return { ...readAddress(place), id };
      } catch (error) {
        failure ??= error;
      }
    }
    // Whoever was asked first last time is asked last the next time.
    this.#nodes = [...this.#nodes.slice(1), ...this.#nodes.slice(0, 1)];
    throw storeErrorOf(failure, this.#place);
  }

  async #askNode<T>(
    address: RedisAddress,
    withinMs: number,
    ask: (connection: RedisConnection) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#asking.ask({ address, withLogin: true, withinMs, ask });
    } catch (error) {
      if (isAnswer(error) && /cluster support disabled/.test(error.message)) {
        throw new StoreError('misconfigured', `${this.#place}: the server is no node of a Redis Cluster`);
      }
      throw error;
    }
  }

  async #slots(connection: RedisConnection): Promise<Known> {
    this.#slot ??= Number(await connection.command('CLUSTER', 'KEYSLOT', tagged(this.#settings.prefix)));
    const slot = this.#slot;
    const ranges = (await connection.command('CLUSTER', 'SLOTS')) as [number, number, ...SlotServer[]][];
    const nodeOf = ([host, port, id]: SlotServer): ClusterNode => {
      // A node that does not know its own address leaves it out.
      return { place: addressText(host || connection.address.host, `${port}`), id };
    };
    const mine = ranges.find(([from, to]) => from <= slot && slot <= to);
    if (mine === undefined) {
      throw new StoreError('unavailable', `${this.#place}: no node has the slot ${slot} of our keys`);
    }
    const masters = new Map(ranges.map(([, , first]) => [first![2], nodeOf(first!)]));
    const nodes = ranges.flatMap(([, , ...servers]) => servers.map((server) => nodeOf(server).place));
    const [, , owner, ...others] = mine;
    // By the address that the owner knows it by, where another name is given out.
    const replicas = others.map(([host, port, , more = []]) =>
      addressText(factIn(more, 'ip') || host || '', `${port}`),
    );
    return { owner: nodeOf(owner!), replicas, masters: [...masters.values()], nodes };
  }
}

/** Of an answer that is names and values by turns; empty when it is not there. */
function factIn(facts: readonly string[], name: string): string {
  return facts.find((_, i) => i % 2 === 1 && facts[i - 1] === name) ?? '';
}

function placeIn(facts: readonly string[]): string {
  return addressText(factIn(facts, 'ip'), factIn(facts, 'port'));
}

/** An older server may not know the question, or not allow it. */
async function orIfRefused<T>(answer: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!isAnswer(error)) throw error;
    return otherwise;
  }
}
