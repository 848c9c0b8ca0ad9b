import type { Host } from '@nacos-kube/core/host/host.ts';
import { StoreError } from '../store.ts';
import { addressText, connect, type RedisAddress, type RedisConnection } from './connection.ts';
import { isAnswer } from './errors.ts';
import { placeOf, type RedisSettings } from './settings.ts';

export const ASKED_AT_ONCE_MS = 1000;
/** Who did not answer the last time holds others up for no longer. */
const SILENT_MS = 200;
/** Of servers that are known, beside those of the settings. */
export const SERVERS_MAX = 100;

export interface Asked<T> {
  readonly address: RedisAddress;
  readonly withLogin: boolean;
  readonly withinMs: number;
  ask(connection: RedisConnection): Promise<T>;
}

/**
 * Questions to servers and Sentinels, each over a connection that is kept for the next one: one for each write would leave
 * more closed ones behind than there are ports.
 */
export class Asking {
  readonly #host: Host;
  readonly #settings: RedisSettings;
  readonly #place: string;
  readonly #idle = new Map<string, RedisConnection>();
  /** Who did not answer the last time. */
  readonly #silent = new Set<string>();
  #closings = 0;

  constructor(host: Host, settings: RedisSettings) {
    this.#host = host;
    this.#settings = settings;
    this.#place = placeOf(settings);
  }

  isSilent(place: string): boolean {
    return this.#silent.has(place);
  }

  patienceWith(place: string): number {
    return this.#silent.has(place) ? SILENT_MS : ASKED_AT_ONCE_MS;
  }

  /** Rejects as the question does, with an error of the network, or with `StoreError` when there is no answer in time. */
  async ask<T>(asked: Asked<T>): Promise<T> {
    const place = addressText(asked.address.host, `${asked.address.port}`);
    try {
      const answer = await this.#answer(place, asked);
      this.#silent.delete(place);
      return answer;
    } catch (error) {
      if (this.#silent.size >= SERVERS_MAX) this.#silent.clear();
      this.#silent.add(place);
      throw error;
    }
  }

  /** Those that are in use are closed after their answers. */
  close(): void {
    this.#closings += 1;
    for (const connection of this.#idle.values()) connection.close();
    this.#idle.clear();
  }

  async #answer<T>(place: string, asked: Asked<T>): Promise<T> {
    const kept = this.#idle.get(place);
    if (kept !== undefined) {
      this.#idle.delete(place);
      try {
        return await this.#over(kept, place, asked);
      } catch (error) {
        // It was closed at the other end meanwhile.
        if (isAnswer(error) || error instanceof StoreError) throw error;
      }
    }
    const { address, withLogin, withinMs } = asked;
    return this.#over(await connect(this.#host, this.#settings, address, { withLogin, withinMs }), place, asked);
  }

  /** One that hangs takes connections too. */
  async #over<T>(connection: RedisConnection, place: string, { ask, withinMs }: Asked<T>): Promise<T> {
    const closings = this.#closings;
    const late = Promise.withResolvers<never>();
    const timer = this.#host.clock.after(withinMs, () => {
      late.reject(new StoreError('unavailable', `${this.#place}: ${place} does not answer`));
    });
    try {
      const answer = await Promise.race([ask(connection), late.promise]);
      if (closings === this.#closings) this.#keep(place, connection);
      else connection.close();
      return answer;
    } catch (error) {
      connection.close();
      throw error;
    } finally {
      timer.cancel();
    }
  }

  #keep(place: string, connection: RedisConnection): void {
    if (this.#idle.has(place) || this.#idle.size >= SERVERS_MAX) {
      connection.close();
      return;
    }
    this.#idle.set(place, connection);
    connection.onEnd(() => {
      if (this.#idle.get(place) === connection) this.#idle.delete(place);
    });
  }
}
