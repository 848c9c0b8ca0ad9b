import type { Random } from '@nacos-kube/core/host/host.ts';
import { type Host, NetworkError, type Timer } from '@nacos-kube/core/host/host.ts';
import { instanceKey } from '@nacos-kube/core/model/instance.ts';
import { groupedName, serviceKey } from '@nacos-kube/core/model/names.ts';
import { PUBLIC_PORT } from './cluster.ts';

const BEAT_MS = 5_000;
const TIMEOUT_MS = 3_000;
const PORT = 80;

/** More than any checker looks back. */
const ACKS_KEPT = 100;

/** A sign of life that a node acknowledged. */
export interface Ack {
  readonly atMs: number;
  readonly by: string;
}

/** A program that registers itself and beats, as the SDKs do: it stays with a server until that fails. */
export class SimulatedClient {
  readonly service: string;
  readonly ip: string;
  /** Where nodes hold it. */
  readonly serviceKey: string;
  readonly instanceKey: string;
  readonly acks: Ack[] = [];
  /** `wanted`: it is to be found; `leaving`: it said goodbye; `dead`: it stopped without a word. */
  state: 'wanted' | 'leaving' | 'dead' = 'wanted';
  readonly #host: Host;
  readonly #servers: readonly string[];
  readonly #nowMs: () => number;
  readonly #random: Random;
  #current: number;
  #isBusy = false;
  #isRegistered = false;
  #timer: Timer | undefined;

  constructor(host: Host, servers: readonly string[], service: string, ip: string, nowMs: () => number) {
    this.#host = host;
    this.#servers = servers;
    this.service = service;
    this.ip = ip;
    this.serviceKey = serviceKey({ namespaceId: 'public', name: groupedName('DEFAULT_GROUP', service) });
    this.instanceKey = instanceKey({ ip, port: PORT, cluster: 'DEFAULT' });
    this.#nowMs = nowMs;
    this.#random = host.random;
    this.#current = host.random.int(servers.length);
  }

  start(): void {
    this.#timer = this.#host.clock.every(BEAT_MS, () => this.#live());
    this.#live();
  }

  /** Stops beating, without a word. */
  die(): void {
    this.state = 'dead';
    this.#timer?.cancel();
  }

  /** Deregisters, again and again until a node confirms it. */
  leave(): void {
    this.state = 'leaving';
  }

  #live(): void {
    if (this.#isBusy || this.state === 'dead') return;
    this.#isBusy = true;
    this.#host.background(
      'a sign of life',
      this.#sign().finally(() => {
        this.#isBusy = false;
      }),
    );
  }

  async #sign(): Promise<void> {
    if (this.state === 'leaving') {
      if ((await this.#ask('DELETE', '/v1/ns/instance')) !== undefined) this.die();
      return;
    }
    if (this.#isRegistered) {
      const beaten = await this.#ask('PUT', '/v1/ns/instance/beat');
      if (beaten === undefined) return;
      if (!beaten.includes('20404')) {
        this.#acked();
        return;
      }
    }
    if ((await this.#ask('POST', '/v1/ns/instance')) === undefined) return;
    this.#isRegistered = true;
    this.#acked();
  }

  #acked(): void {
    if (this.state !== 'wanted') return;
    this.acks.push({ atMs: this.#nowMs(), by: this.#servers[this.#current]! });
    if (this.acks.length > 2 * ACKS_KEPT) this.acks.splice(0, this.acks.length - ACKS_KEPT);
  }

  /** Tries each server once; the text of the answer, or undefined when none gave one. */
  async #ask(method: string, path: string): Promise<string | undefined> {
    for (let tries = 0; tries < this.#servers.length; tries++) {
      try {
        const answer = await this.#host.network.request({
          address: this.#servers[this.#current]!,
          port: PUBLIC_PORT,
          method,
          path: `/nacos${path}?serviceName=${this.service}&ip=${this.ip}&port=${PORT}`,
          timeoutMs: TIMEOUT_MS,
        });
        if (answer.status === 200) return new TextDecoder().decode(answer.body);
      } catch (error) {
        if (!(error instanceof NetworkError)) throw error;
      }
      this.#current = (this.#current + 1 + this.#random.int(this.#servers.length - 1)) % this.#servers.length;
    }
    return undefined;
  }
}
