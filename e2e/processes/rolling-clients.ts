/** Real clients that go on registering, listing, publishing and reading; whatever they are told is wrong is kept. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClientProgram, Instance } from '../clients/program.ts';
import { type ClientName, startClient, type Target } from '../clients/start.ts';
import { delay, until } from '../kubernetes/processes.ts';

/** Within the five equal requests a second that the Java client allows itself. */
const PAUSE_MS = 250;
const GROUP = 'ROLLING';
const LISTED_MS_MAX = 15_000;

export class BusyClient implements AsyncDisposable {
  readonly name: ClientName;
  readonly failures: string[] = [];
  calls = 0;
  readonly #program: ClientProgram;
  readonly #home: string;
  readonly #service: string;
  readonly #own: Instance;
  #running: Promise<void> = Promise.resolve();
  #isStopped = false;

  /** Resolves when its own instance, which the client beats for, is listed. */
  static async start(name: ClientName, target: Target, ip: string): Promise<BusyClient> {
    const home = await mkdtemp(join(tmpdir(), `nacos-kube-${name}-`));
    try {
      const program = await startClient(name, target, home);
      const client = new BusyClient(name, { program, home, ip });
      await client.#begin();
      return client;
    } catch (error) {
      await rm(home, { recursive: true, force: true });
      throw error;
    }
  }

  private constructor(name: ClientName, { program, home, ip }: { program: ClientProgram; home: string; ip: string }) {
    this.name = name;
    this.#program = program;
    this.#home = home;
    this.#service = `${name}-beats`;
    this.#own = { ip, port: 8080 };
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  describe(): string {
    return `${this.calls} calls of the ${this.name} client, ${this.failures.length} failed`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#program.stop();
    await rm(this.#home, { recursive: true, force: true });
  }

  get #named() {
    return { service: this.#service, group: GROUP };
  }

  async #begin(): Promise<void> {
    await this.#program.call('naming.register', { ...this.#named, instance: this.#own });
    const isListed = async () => (await this.#list()).some(({ ip }) => ip === this.#own.ip);
    await until(`${this.#service} is listed`, isListed, { timeoutMs: LISTED_MS_MAX });
    this.#running = this.#go();
  }

  async #go(): Promise<void> {
    const passing = { service: `${this.name}-passing`, group: GROUP };
    const config = { dataId: this.name, group: GROUP };
    for (let turn = 0; !this.#isStopped; turn += 1) {
      const instance: Instance = { ip: this.#own.ip, port: 20_000 + (turn % 1_000) };
      await this.#attempt('a registration', () => this.#program.call('naming.register', { ...passing, instance }));
      await this.#attempt('a list', async () => {
        const list = await this.#list();
        const isThere = list.some(({ ip, healthy }) => ip === this.#own.ip && healthy !== false);
        if (!isThere) throw new Error(`it is ${JSON.stringify(list)}`);
      });
      await this.#attempt('a deregistration', () => this.#program.call('naming.deregister', { ...passing, instance }));
      await this.#attempt('a publish', async () => {
        const isDone = await this.#program.call('config.publish', { ...config, content: `${turn}` });
        if (isDone === false) throw new Error('it was answered false');
      });
      await this.#attempt('a read', async () => {
        const content = await this.#program.call<string | null>('config.get', config);
        if (!/^\d+$/.test(content ?? '')) throw new Error(`it was answered ${JSON.stringify(content)}`);
      });
      await delay(PAUSE_MS);
    }
  }

  #list(): Promise<readonly Instance[]> {
    return this.#program.call('naming.instances', { ...this.#named, subscribe: false });
  }

  async #attempt(what: string, call: () => Promise<unknown>): Promise<void> {
    const startedMs = performance.now();
    try {
      await call();
      this.calls += 1;
    } catch (error) {
      const tookMs = Math.round(performance.now() - startedMs);
      const why = (error as Error).message;
      this.failures.push(`${new Date().toISOString()} ${this.name}, ${what}, after ${tookMs} ms: ${why}`);
    }
  }
}
