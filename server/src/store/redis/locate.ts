import type { Host } from '@nacos-kube/core/host/host.ts';
import { StoreError } from '../store.ts';
import { connect, type RedisAddress, type RedisConnection, readAddress } from './connection.ts';
import { isAnswer, storeErrorOf, wordOf } from './errors.ts';
import { placeOf, type RedisSettings, tagged } from './settings.ts';

const ASKED_AT_ONCE_MS = 1000;
/** Of nodes that a Redis Cluster names beside those of the settings. */
const NODES_MAX = 100;

/** What a node of a Redis Cluster knows: who has our slot, who has any, and all with their replicas. */
interface Known {
  readonly owner: string;
  readonly masters: readonly string[];
  readonly nodes: readonly string[];
}

/** Finds the one server that takes our writes: all our keys are in one slot. */
export class RedisLocator {
  readonly #host: Host;
  readonly #settings: RedisSettings;
  readonly #place: string;
  /** The node that was right last comes first. */
  #nodes: readonly string[];

  constructor(host: Host, settings: RedisSettings) {
    this.#host = host;
    this.#settings = settings;
    this.#place = placeOf(settings);
    this.#nodes = settings.addresses;
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

  /**
   * Whether those that decide on fail-overs say now that it is the one: most of them, and none that another is. One that
   * hung while another took its place does not know it itself. Never rejects; who does not answer has not said so.
   */
  async isMaster({ host, port }: RedisAddress): Promise<boolean> {
    const place = addressText(host, `${port}`);
    const { mode, addresses } = this.#settings;
    if (mode === 'single') return true;
    if (mode === 'sentinel') {
      const named = addresses.map((sentinel) => this.#askSentinel(readAddress(sentinel)));
      return areAgreed(place, named, Math.floor(addresses.length / 2) + 1);
    }
    const known = await this.#askNode({ host, port }).catch(() => undefined);
    if (known?.owner !== place) return false;
    const others = known.masters.filter((node) => node !== place);
    const named = others.map(async (node) => (await this.#askNode(readAddress(node))).owner);
    return areAgreed(place, named, Math.floor(known.masters.length / 2));
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
    return this.#ask(address, false, async (connection) => {
      const ask = () => connection.command('SENTINEL', 'get-master-addr-by-name', this.#settings.master);
      const answer = (await this.#withLogin(connection, ask)) as [string, string] | null;
      return answer === null ? undefined : addressText(answer[0], answer[1]);
    });
  }

  /** Sentinels often want no login, or the same password as the servers. */
  async #withLogin(connection: RedisConnection, ask: () => Promise<unknown>): Promise<unknown> {
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
        const found = await this.#askNode(readAddress(node));
        const known = [...this.#settings.addresses, ...found.nodes].filter((other) => other !== found.owner);
        this.#nodes = [...new Set([found.owner, ...known])].slice(0, NODES_MAX);
        return readAddress(found.owner);
      } catch (error) {
        failure ??= error;
      }
    }
    // Whoever was asked first last time is asked last the next time.
    this.#nodes = [...this.#nodes.slice(1), ...this.#nodes.slice(0, 1)];
    throw storeErrorOf(failure, this.#place);
  }

  async #askNode(address: RedisAddress): Promise<Known> {
    try {
      return await this.#ask(address, true, (connection) => this.#slots(connection));
    } catch (error) {
      if (isAnswer(error) && /cluster support disabled/.test(error.message)) {
        throw new StoreError('misconfigured', `${this.#place}: the server is no node of a Redis Cluster`);
      }
      throw error;
    }
  }

  async #slots(connection: RedisConnection): Promise<Known> {
    const slot = Number(await connection.command('CLUSTER', 'KEYSLOT', tagged(this.#settings.prefix)));
    const ranges = (await connection.command('CLUSTER', 'SLOTS')) as [number, number, ...[string | null, number][]][];
    // A node that does not know its own address leaves it out.
    const text = ([host, port]: [string | null, number]) => addressText(host || connection.address.host, `${port}`);
    const mine = ranges.find(([from, to]) => from <= slot && slot <= to);
    if (mine === undefined) {
      throw new StoreError('unavailable', `${this.#place}: no node has the slot ${slot} of our keys`);
    }
    const masters = [...new Set(ranges.map(([, , first]) => text(first!)))];
    return { owner: text(mine[2]!), masters, nodes: ranges.flatMap(([, , ...servers]) => servers.map(text)) };
  }

  /** On a connection of its own. */
  async #ask<T>(
    address: RedisAddress,
    withLogin: boolean,
    ask: (connection: RedisConnection) => Promise<T>,
  ): Promise<T> {
    const connection = await connect(this.#host, this.#settings, address, { withLogin, withinMs: ASKED_AT_ONCE_MS });
    const late = Promise.withResolvers<never>();
    // One that hangs takes connections too.
    const timer = this.#host.clock.after(ASKED_AT_ONCE_MS, () => {
      const place = addressText(address.host, `${address.port}`);
      late.reject(new StoreError('unavailable', `${this.#place}: ${place} does not answer`));
    });
    try {
      return await Promise.race([ask(connection), late.promise]);
    } finally {
      timer.cancel();
      connection.close();
    }
  }
}

/** At least so many answer, and all that do name that one. */
async function areAgreed(
  place: string,
  asked: readonly Promise<string | undefined>[],
  needed: number,
): Promise<boolean> {
  const named = (await Promise.allSettled(asked)).filter((answer) => answer.status === 'fulfilled');
  return named.length >= needed && named.every(({ value }) => value === place);
}

function addressText(host: string, port: string): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
