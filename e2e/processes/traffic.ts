/**
 * Clients that register, beat, list, publish, read and listen through one address without end, each on a connection that
 * it keeps. Whatever fails is kept with its moment, and so is every list without an instance that beats.
 */
import { delay } from '../kubernetes/processes.ts';
import { type Answer, KeepAliveCaller } from './keep-alive.ts';

const NS = '/nacos/v1/ns';
const CS = '/nacos/v1/cs';
const SERVICE = 'DEFAULT_GROUP@@beating';
const INSTANCES = 100;
const GROUP = 'ROLLING';
const HOLD_MS = 30_000;
const FAILURES_KEPT_MAX = 20;
const BEATEN = 10_200;

interface Kind {
  readonly name: string;
  readonly callers: number;
  /** Between two calls of a caller: clients that are idle for longer than a node that goes waits are among them. */
  readonly pauseMs: number;
  readonly call: (caller: KeepAliveCaller, turn: number, index: number) => Promise<void>;
}

export class Traffic {
  readonly calls = new Map<string, number>();
  readonly failures: string[] = [];
  /** Lists without an instance that beats. */
  readonly short: string[] = [];
  failed = 0;
  readonly #server: string;
  readonly #callers: KeepAliveCaller[] = [];
  readonly #running: Promise<void>[] = [];
  #isStopped = false;

  private constructor(server: string) {
    this.#server = server;
  }

  static async start(server: string): Promise<Traffic> {
    const traffic = new Traffic(server);
    const caller = traffic.#caller();
    for (let i = 0; i < INSTANCES; i += 1) await register(caller, SERVICE, ipOf(i));
    // A list of any member has them all before the first one that is judged.
    await delay(2_000);
    for (const kind of traffic.#kinds()) {
      for (let i = 0; i < kind.callers; i += 1) traffic.#running.push(traffic.#run(kind, i));
    }
    return traffic;
  }

  get total(): number {
    return [...this.calls.values()].reduce((sum, count) => sum + count, 0);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    // Polls that are held are not waited for.
    for (const caller of this.#callers) setTimeout(() => caller.close(), 1_000);
    await Promise.all(this.#running);
  }

  describe(): string {
    const calls = [...this.calls].map(([name, count]) => `${count} ${name}`).join(', ');
    return `${this.total} calls (${calls}), ${this.failed} failed, ${this.short.length} lists too short`;
  }

  #kinds(): readonly Kind[] {
    const list = async (caller: KeepAliveCaller) => {
      const answer = await caller.call('GET', `${NS}/instance/list?serviceName=${SERVICE}`);
      const { hosts } = JSON.parse(expect(answer)) as { hosts: readonly { healthy: boolean }[] };
      const healthy = hosts.filter((one) => one.healthy).length;
      if (healthy < INSTANCES) this.#keep(this.short, `${healthy} of ${INSTANCES}`);
    };
    const beatOf = (caller: KeepAliveCaller, i: number) => beat(caller, SERVICE, ipOf(i));
    return [
      { name: 'beats', callers: 5, pauseMs: 20, call: (caller, turn, i) => beatOf(caller, i * 20 + (turn % 20)) },
      // As a client with one instance, and as one that does hardly anything.
      { name: 'beats each 5 s', callers: 8, pauseMs: 5_000, call: (caller, _, i) => beatOf(caller, i) },
      { name: 'lists each 10 s', callers: 8, pauseMs: 10_000, call: list },
      { name: 'lists', callers: 3, pauseMs: 20, call: list },
      {
        name: 'registrations',
        callers: 2,
        pauseMs: 50,
        call: (caller, turn, i) => register(caller, `DEFAULT_GROUP@@new-${i}`, ipOf(turn % INSTANCES)),
      },
      {
        name: 'publishes',
        callers: 2,
        pauseMs: 100,
        async call(caller, turn, i) {
          const form = new URLSearchParams({ dataId: `rolling-${i}`, group: GROUP, content: `${turn}` });
          expectText(await caller.call('POST', `${CS}/configs`, form), 'true');
        },
      },
      {
        name: 'reads',
        callers: 2,
        pauseMs: 20,
        async call(caller, turn, i) {
          const { status, text } = await caller.call('GET', `${CS}/configs?dataId=rolling-${i}&group=${GROUP}`);
          if (status === 404 && turn < 100) return; // the first publish may come after the first read
          if (status !== 200 || !/^\d+$/.test(text)) throw new Error(`a read was answered ${status} ${text}`);
        },
      },
      {
        name: 'polls',
        callers: 4,
        pauseMs: 10,
        async call(caller, turn, i) {
          // Two hold: what they listen to never changes. Two are woken by each publish.
          const dataId = i < 2 ? `never-${i}` : `rolling-${i - 2}`;
          const md5 = i < 2 ? '' : `${turn}`.padStart(32, '0');
          const form = new URLSearchParams({ 'Listening-Configs': `${dataId}\u0002${GROUP}\u0002${md5}\u0001` });
          expect(await caller.call('POST', `${CS}/configs/listener`, form, HOLD_MS + 10_000));
          await delay(i < 2 ? 0 : 200);
        },
      },
    ];
  }

  async #run({ name, pauseMs, call }: Kind, index: number): Promise<void> {
    const caller = this.#caller();
    for (let turn = 0; !this.#isStopped; turn += 1) {
      try {
        await call(caller, turn, index);
        this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
      } catch (error) {
        if (this.#isStopped) return;
        this.failed += 1;
        this.#keep(this.failures, `${name}: ${(error as Error).message}`);
      }
      // In steps, so that a stop is not waited for.
      for (let leftMs = pauseMs; leftMs > 0 && !this.#isStopped; leftMs -= 200) await delay(Math.min(leftMs, 200));
    }
  }

  #caller(): KeepAliveCaller {
    const caller = new KeepAliveCaller(this.#server);
    this.#callers.push(caller);
    return caller;
  }

  #keep(list: string[], text: string): void {
    if (list.length < FAILURES_KEPT_MAX) list.push(`${new Date().toISOString()} ${text}`);
  }
}

export function ipOf(number: number): string {
  return `10.${20 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
}

export async function register(caller: KeepAliveCaller, serviceName: string, ip: string): Promise<void> {
  const query = new URLSearchParams({ serviceName, ip, port: '80' });
  expectText(await caller.call('POST', `${NS}/instance?${query}`), 'ok');
}

export async function beat(caller: KeepAliveCaller, serviceName: string, ip: string): Promise<void> {
  const beatText = JSON.stringify({ ip, port: 80, serviceName, cluster: 'DEFAULT' });
  const query = new URLSearchParams({ serviceName, beat: beatText });
  const { code } = JSON.parse(expect(await caller.call('PUT', `${NS}/instance/beat?${query}`))) as { code: number };
  if (code !== BEATEN) throw new Error(`a beat was answered with code ${code}`);
}

function expect({ status, text }: Answer): string {
  if (status !== 200) throw new Error(`answered ${status} ${text.slice(0, 200)}`);
  return text;
}

function expectText(answer: Answer, wanted: string): void {
  if (expect(answer) !== wanted) throw new Error(`answered ${answer.text.slice(0, 200)}`);
}
