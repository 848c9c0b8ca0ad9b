/** A Prometheus that scrapes the sidecars. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type OwnCluster, until } from '../cluster.ts';
import { HUB_ADDRESS } from '../node-config.ts';
import { restartsOf } from './installation.ts';
import { pidIn } from './pod-processes.ts';
import { NAME, type Three } from './three.ts';

const PORT = 9090;
const METRICS_PORT = 9100;
const SCRAPED_MS_MAX = 60_000;
const CHANGES = 30;

interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

export function metrics(stage: () => Three): void {
  describe('a Prometheus that scrapes the sidecars', () => {
    let prometheus: Prometheus;
    before(async () => {
      const pods = await stage().pods();
      prometheus = await Prometheus.start(
        stage().cluster,
        pods.map(({ status }) => `${status.podIP}:${METRICS_PORT}`),
      );
    });
    after(async () => {
      await prometheus?.stop();
    });

    test('has the state of each member as each member sees it', async () => {
      assert.equal((await prometheus.seen('up{job="members"} == 1', 3)).length, 3);
      const series = await prometheus.seen('nacos_kube_member_state{state="UP"} == 1', 9);
      const pairs = series.map(({ metric }) => `${metric.member} ${metric.peer}`).sort();
      const all = stage().addresses(3);
      assert.deepEqual(pairs, all.flatMap((member) => all.map((peer) => `${member} ${peer}`)).sort());
    });

    test('has the sync lag of each member to each of its peers, in seconds and in entries', async () => {
      for (const name of ['nacos_kube_sync_lag_seconds', 'nacos_kube_sync_lag_entries']) {
        const series = await prometheus.seen(name, 6);
        for (const { metric, value } of series) {
          assert.notEqual(metric.member, metric.peer);
          assert.ok(Number(value[1]) >= 0);
        }
      }
    });

    test('has probes and member lists', async () => {
      await prometheus.seen('sum by (instance) (nacos_kube_probe_results_total)', 3);
      await prometheus.seen('count(nacos_kube_probe_duration_seconds_count) > 0', 1);
      const lists = await prometheus.seen('nacos_kube_member_list_generation', 6);
      assert.equal(new Set(lists.map(({ value }) => value[1])).size, 1, 'file and node agree everywhere');
    });

    test('shows a member that hangs, and that changes wait for it', async (t) => {
      const three = stage();
      const hung = await three.pod(2);
      const pid = pidIn(hung, 'nacos-kube.ts server');
      const others = await Promise.all([three.node(0), three.node(1)]);
      const series = `member!~"${hung.metadata.name}.*",peer=~"${hung.metadata.name}.*"`;
      process.kill(pid, 'SIGSTOP');
      try {
        // So many that each of the others owns some.
        const services = Array.from({ length: CHANGES }, (_, i) => `waiting-${i}`);
        await Promise.all(services.map((service, i) => others[i % 2]?.register(service, '10.9.3.1', 8080)));
        const state = `max by (member) (max_over_time(nacos_kube_member_state{${series},state!="UP"}[2m])) == 1`;
        await prometheus.seen(state, 2);
        await prometheus.seen(`max by (member) (max_over_time(nacos_kube_sync_lag_entries{${series}}[2m])) > 0`, 2);
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      await prometheus.seen(`nacos_kube_member_state{${series},state="UP"} == 1`, 2);
      await prometheus.seen(`nacos_kube_sync_lag_entries{${series}} == 0`, 2);
      const [longest] = await prometheus.query(`max(max_over_time(nacos_kube_sync_lag_seconds{${series}}[2m]))`);
      t.diagnostic(`longest lag that was scraped: ${longest?.value[1]} s`);
      await three.installation.ready(NAME, 3);
      assert.equal(restartsOf(await three.pod(2)), restartsOf(hung));
    });
  });
}

/** Debian's, in the hub's network. */
class Prometheus {
  readonly #program: { stop(): Promise<void>; output(): string };
  readonly #folder: string;
  readonly #base: string;

  private constructor(program: { stop(): Promise<void>; output(): string }, folder: string, port: number) {
    this.#program = program;
    this.#folder = folder;
    this.#base = `http://127.0.0.1:${port}`;
  }

  static async start(cluster: OwnCluster, targets: readonly string[]): Promise<Prometheus> {
    const folder = await mkdtemp(join(tmpdir(), 'nacos-kube-prometheus-'));
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s' },
      scrape_configs: [{ job_name: 'members', static_configs: [{ targets }] }],
    };
    // JSON is YAML, too.
    await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(config));
    const program = cluster.start('hub', 'prometheus', [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${HUB_ADDRESS}:${PORT}`,
    ]);
    const { port } = await cluster.forward({ host: HUB_ADDRESS, port: PORT });
    return new Prometheus(program, folder, port);
  }

  /** Waits until a query has so many series, and gives them. */
  async seen(query: string, count: number): Promise<readonly Series[]> {
    let found: readonly Series[] = [];
    const look = async () => {
      found = await this.query(query);
      return found.length === count && found;
    };
    try {
      return await until(`${count} series of ${query}`, look, { timeoutMs: SCRAPED_MS_MAX, everyMs: 300 });
    } catch (cause) {
      throw new Error(`it has ${JSON.stringify(found)}\n${this.#program.output().slice(-2_000)}`, { cause });
    }
  }

  async query(query: string): Promise<readonly Series[]> {
    const response = await fetch(`${this.#base}/api/v1/query?${new URLSearchParams({ query })}`);
    const { data } = (await response.json()) as { readonly data: { readonly result: readonly Series[] } };
    return data.result;
  }

  async stop(): Promise<void> {
    await this.#program.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
