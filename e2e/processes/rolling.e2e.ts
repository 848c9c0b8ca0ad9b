/** Members that are restarted in turn while clients go on, and all of them killed at once. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { missingForJava } from '../clients/java/build.ts';
import { delay, until } from '../kubernetes/processes.ts';
import { requireOrFail } from '../kubernetes/require.ts';
import { KeepAliveCaller } from './keep-alive.ts';
import { type LocalCluster, type Member, startLocalCluster } from './local-cluster.ts';
import { BusyClient } from './rolling-clients.ts';
import { beat, ipOf, register, Traffic } from './traffic.ts';

const withoutJava = requireOrFail('the Java client', missingForJava());

const CALM_MS = 2_000;
const RESTART_MS_MAX = 300_000;
const READY_MS_MAX = 60_000;
const SERVICES = 100;
const OF_EACH = 100;
const BEATERS = 40;
const BEAT_PERIOD_MS = 5_000;
/** A time-out, and a while. */
const WATCH_MS = 18_000;

describe('three members behind the VIP', () => {
  let cluster: LocalCluster;
  before(async () => {
    cluster = await startLocalCluster(3);
  });
  after(async () => {
    await cluster?.stop();
  });

  test('a rolling restart loses no request of clients that know the VIP alone, and no instance that beats', async (context) => {
    const pids = cluster.members.map(({ name }) => cluster.pidOf(name));
    const target = { name: 'the VIP', servers: [cluster.vip], contextPath: '/nacos' };
    await using npm = await BusyClient.start('npm', target, '10.77.0.2');
    await using java = withoutJava === false ? await BusyClient.start('java', target, '10.77.0.1') : undefined;
    const traffic = await Traffic.start(cluster.vip);
    await delay(CALM_MS);
    const { code, output, tookMs } = await cluster.command(['restart'], RESTART_MS_MAX);
    await delay(CALM_MS);
    const clients = [npm, ...(java === undefined ? [] : [java])];
    await Promise.all([traffic, ...clients].map((one) => one.stop()));
    context.diagnostic(`${traffic.describe()}; the restart took ${(tookMs / 1_000).toFixed(1)} s`);
    for (const client of clients) context.diagnostic(client.describe());
    if (withoutJava !== false) context.diagnostic(`without the Java client: ${withoutJava}`);
    assert.equal(code, 0, output);
    assert.match(output, /restarted 3 members, all are up\n$/);
    const after = cluster.members.map(({ name }) => cluster.pidOf(name));
    assert.ok(
      pids.every((pid, i) => pid !== after[i]),
      'each is another process',
    );
    assert.ok(traffic.total > 2_000, traffic.describe());
    assert.deepEqual(traffic.short, []);
    assert.deepEqual(traffic.failures, []);
    for (const client of clients) {
      assert.ok(client.calls > 50, client.describe());
      assert.deepEqual(client.failures, []);
    }
  });

  test('members that are killed all at once are ready soon, and from then on miss nobody who beats', async (context) => {
    const beating = await Beating.start(cluster);
    const listers = cluster.members.map((member) => new Lister(member));
    for (const lister of listers) await until(`${lister.name} lists all`, async () => (await lister.missing()) === 0);

    const killedMs = performance.now();
    const killed = cluster.members.map((_, i) => cluster.kill9Member(i, READY_MS_MAX));
    const watched = listers.map((lister) => lister.watch());
    await Promise.all(killed.map(({ back }) => back()));
    const readyMs = performance.now() - killedMs;
    await delay(WATCH_MS);
    const seen = await Promise.all(watched.map((stop) => stop()));
    const looks = seen.reduce((sum, one) => sum + one.looks, 0);
    await beating.stop();
    context.diagnostic(
      `${SERVICES * OF_EACH} beating instances: all ready ${(readyMs / 1_000).toFixed(1)} s after the kill, first lists ` +
        `after ${seen.map(({ firstMs }) => ((firstMs - killedMs) / 1_000).toFixed(1)).join(', ')} s; ${looks} lists, ` +
        `0 short; each beat once in ${(beating.periodMs / 1_000).toFixed(1)} s`,
    );
    assert.ok(looks > 3 * SERVICES, `only ${looks} lists`);
    assert.deepEqual(
      seen.flatMap(({ short }) => short),
      [],
    );
    assert.ok(readyMs < READY_MS_MAX);
  });
});

/** Instances of many services, registered and beaten by the members' own addresses. */
class Beating {
  readonly #servers: readonly string[];
  readonly #running: Promise<void>[];
  #isStopped = false;
  #rounds = 0;
  readonly #startedMs = performance.now();

  private constructor(servers: readonly string[]) {
    this.#servers = servers;
    this.#running = Array.from({ length: BEATERS }, (_, i) => this.#beatShare(i));
  }

  static async start(cluster: LocalCluster): Promise<Beating> {
    const servers = cluster.members.map(({ address }) => address);
    await Promise.all(
      Array.from({ length: BEATERS }, async (_, i) => {
        const caller = new KeepAliveCaller(servers[i % servers.length]!);
        for (const [service, ip] of shareOf(i)) await register(caller, service, ip);
        caller.close();
      }),
    );
    return new Beating(servers);
  }

  /** How long it took, on the average, until an instance was beaten again. */
  get periodMs(): number {
    return ((performance.now() - this.#startedMs) * BEATERS) / Math.max(1, this.#rounds);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }

  async #beatShare(index: number): Promise<void> {
    let server = index;
    let caller = new KeepAliveCaller(this.#servers[server % this.#servers.length]!);
    const share = shareOf(index);
    const pauseMs = BEAT_PERIOD_MS / share.length;
    while (!this.#isStopped) {
      for (const [service, ip] of share) {
        const startedMs = performance.now();
        try {
          await beat(caller, service, ip);
        } catch {
          // As clients do: the next member, soon.
          caller.close();
          server += 1;
          caller = new KeepAliveCaller(this.#servers[server % this.#servers.length]!);
        }
        await delay(Math.max(0, pauseMs - (performance.now() - startedMs)));
        if (this.#isStopped) break;
      }
      this.#rounds += 1;
    }
    caller.close();
  }
}

function shareOf(index: number): readonly (readonly [service: string, ip: string])[] {
  const numbers = Array.from({ length: SERVICES * OF_EACH }, (_, i) => i);
  return numbers.filter((i) => i % BEATERS === index).map((i) => [serviceOf(i % SERVICES), ipOf(i)]);
}

function serviceOf(number: number): string {
  return `DEFAULT_GROUP@@crowd-${number}`;
}

/** Looks at the lists of one member while that says that it is ready. */
class Lister {
  readonly name: string;
  readonly #caller: KeepAliveCaller;
  readonly #probe: KeepAliveCaller;

  constructor({ name, address }: Member) {
    this.name = name;
    this.#caller = new KeepAliveCaller(address);
    this.#probe = new KeepAliveCaller(address);
  }

  /** How many instances its lists lack. */
  async missing(): Promise<number> {
    let missing = 0;
    for (let i = 0; i < SERVICES; i += 1) missing += OF_EACH - (await this.#healthyIn(i));
    return missing;
  }

  watch() {
    const short: string[] = [];
    let looks = 0;
    let firstMs = Number.NaN;
    let isStopped = false;
    const watching = (async () => {
      for (let i = 0; !isStopped; i += 1) {
        try {
          const { status } = await this.#probe.call('GET', '/nacos/v1/console/health/readiness');
          if (status !== 200) throw new Error('not ready');
          const healthy = await this.#healthyIn(i % SERVICES);
          looks += 1;
          if (looks === 1) firstMs = performance.now();
          if (healthy < OF_EACH)
            short.push(`${new Date().toISOString()} ${this.name} ${serviceOf(i % SERVICES)}: ${healthy}`);
        } catch {
          await delay(50);
        }
        await delay(10);
      }
    })();
    return async () => {
      isStopped = true;
      await watching;
      this.#caller.close();
      this.#probe.close();
      return { short, looks, firstMs };
    };
  }

  async #healthyIn(service: number): Promise<number> {
    const answer = await this.#caller.call('GET', `/nacos/v1/ns/instance/list?serviceName=${serviceOf(service)}`);
    const { hosts } = JSON.parse(answer.text) as { hosts: readonly { healthy: boolean }[] };
    return hosts.filter(({ healthy }) => healthy).length;
  }
}
