/** Three members of etcd, each on a host of its own, and nodes on another one that follow nothing but their store. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { run, until } from '../kubernetes/processes.ts';
import { Network } from '../processes/namespaces.ts';
import { freePorts } from '../processes/ports.ts';
import { NacosKubeProcess } from '../processes/program.ts';
import { type Etcd, startEtcd } from './etcd.ts';
import type { Answer, Question } from './relay.ts';

export const MEMBERS = ['e0', 'e1', 'e2'] as const;
const NODES_HOST = 'n0';
const NODES = 2;
const READY_MS_MAX = 30_000;

export class EtcdNetwork implements AsyncDisposable {
  readonly network: Network;
  readonly nodes: readonly number[];
  readonly #processes: NacosKubeProcess[] = [];
  readonly #relay: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #questions = 0;
  #etcd: Etcd | undefined;

  static async start(): Promise<EtcdNetwork> {
    const all = new EtcdNetwork(await Network.start([...MEMBERS, NODES_HOST]), await freePorts(NODES));
    try {
      await all.#start();
      return all;
    } catch (error) {
      await all[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(network: Network, ports: readonly number[]) {
    this.network = network;
    this.nodes = ports;
    const [program, ...args] = network.command(NODES_HOST, [process.execPath, join(import.meta.dirname, 'relay.ts')]);
    this.#relay = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: this.#relay.stdout! }).on('line', (line) => {
      const answer = JSON.parse(line) as Answer;
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
  }

  /** The host whose member leads, as the members say. */
  async leader(): Promise<(typeof MEMBERS)[number]> {
    const leader = await this.#etcd!.leader();
    return MEMBERS.find((_, i) => this.#etcd!.members[i]!.name === leader.name)!;
  }

  ask(node: number, method: string, path: string, form?: Readonly<Record<string, string>>): Promise<Answer> {
    this.#questions += 1;
    const question: Question = {
      ...{ id: this.#questions, method, url: `http://127.0.0.1:${node}/nacos${path}` },
      form: form === undefined ? undefined : `${new URLSearchParams(form)}`,
    };
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.#waiting.set(question.id, resolve);
    this.#relay.stdin!.write(`${JSON.stringify(question)}\n`);
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#processes) await process.kill9();
    // Without a word to each other, for which they would wait.
    await this.#etcd?.kill();
    await this.#etcd?.stop();
    const ended = once(this.#relay, 'close');
    this.#relay.stdin!.end();
    await ended;
    await this.network[Symbol.asyncDispose]();
  }

  async #start(): Promise<void> {
    const { network } = this;
    this.#etcd = await startEtcd({
      members: 3,
      addressOf: (index) => network.address(MEMBERS[index]!),
      runner: (command, index) => network.command(MEMBERS[index]!, command),
      probe: async (url, index) => {
        const [program, ...args] = network.command(MEMBERS[index]!, ['curl', '-s', '--max-time', '1', url]);
        return run(program, args).catch(() => undefined);
      },
    });
    const storage = ['--storage', 'etcd', '--etcd-endpoints', this.#etcd.endpoints.join(',')];
    for (const port of this.nodes) {
      const flags = { mode: 'standalone', port: `${port}`, listen: '127.0.0.1', data: join(network.folder, `${port}`) };
      const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
      const runner = (command: readonly [string, ...string[]]) => network.command(NODES_HOST, command);
      this.#processes.push(new NacosKubeProcess(['server', ...args, ...storage], {}, runner));
    }
    for (const [i, port] of this.nodes.entries()) {
      const isReady = async () => (await this.ask(port, 'GET', '/v1/console/health/readiness')).status === 200;
      await until('a node is ready', isReady, { timeoutMs: READY_MS_MAX }).catch((error: Error) => {
        throw new Error(`${error.message}\n${this.#processes[i]!.log.slice(-4_000)}`);
      });
    }
  }
}
