/** What the suites on three replicas share: the NacosCluster `three` from its example, with a MariaDB in the hub's network. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Mariadb, startMariadb } from '../../engines/mariadb.ts';
import { asOwn, type OwnCluster, until } from '../cluster.ts';
import { HUB_ADDRESS } from '../node-config.ts';
import { EXAMPLES, Installation, isReady, type PodObject } from './installation.ts';
import { Registry } from './registry.ts';

export const NAME = 'three';
/** All that a change in one member needs to be seen by all: the feed, a hint or the next look. */
const SEEN_MS_MAX = 30_000;

export class Three {
  readonly installation: Installation;
  readonly cluster: OwnCluster;
  readonly vip: Registry;
  readonly #mariadb: Mariadb;

  private constructor(installation: Installation, mariadb: Mariadb, vip: Registry) {
    this.installation = installation;
    this.cluster = asOwn(installation.cluster);
    this.vip = vip;
    this.#mariadb = mariadb;
  }

  static async open(namespace: string): Promise<Three> {
    const installation = await Installation.open(namespace);
    const cluster = asOwn(installation.cluster);
    let mariadb: Mariadb | undefined;
    try {
      mariadb = await startMariadb({
        bindAddress: HUB_ADDRESS,
        runner: (command) => cluster.inNetwork('hub', command),
      });
      const objects = await installation.objectsOf(join(EXAMPLES, 'three-mysql.yaml'));
      const [secret, nacosCluster] = ['Secret', NACOS_CLUSTER].map((kind) => objects.find((one) => one.kind === kind));
      secret.stringData = { user: mariadb.user, password: mariadb.password };
      Object.assign(nacosCluster.spec.storage.mysql, { host: HUB_ADDRESS, port: mariadb.port });
      await installation.apply(objects);
      await installation.ready(NAME, 3, 180_000);
      const vip = await Registry.of(cluster, { service: NAME, namespace, port: 8848 });
      return new Three(installation, mariadb, vip);
    } catch (error) {
      await mariadb?.stop();
      await installation.close();
      throw error;
    }
  }

  podName(ordinal: number): string {
    return `${NAME}-${ordinal}`;
  }

  address(ordinal: number): string {
    return `${NAME}-${ordinal}.${NAME}-headless.${this.installation.namespace}.svc.cluster.local:8848`;
  }

  addresses(count: number): string[] {
    return Array.from({ length: count }, (_, ordinal) => this.address(ordinal));
  }

  pod(ordinal: number): Promise<PodObject> {
    return this.installation.pod(this.podName(ordinal));
  }

  async pods(count = 3): Promise<readonly PodObject[]> {
    return await Promise.all(Array.from({ length: count }, (_, ordinal) => this.pod(ordinal)));
  }

  async readyPod(ordinal: number): Promise<PodObject> {
    return await until(`${this.podName(ordinal)} is ready`, async () => {
      const pod = await this.pod(ordinal);
      return isReady(pod) && pod;
    });
  }

  /** The node of a pod as it is now: after a restart it has another address. */
  async node(ordinal: number): Promise<Registry> {
    return await Registry.of(this.cluster, { host: (await this.pod(ordinal)).status.podIP, port: 8848 });
  }

  async nodes(count = 3): Promise<readonly Registry[]> {
    return await Promise.all(Array.from({ length: count }, (_, ordinal) => this.node(ordinal)));
  }

  /** Text of a sidecar's metrics. */
  async metricsOf(ordinal: number): Promise<string> {
    const { port } = await this.cluster.forward({ host: (await this.pod(ordinal)).status.podIP, port: 9100 });
    const response = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { connection: 'close' } });
    return await response.text();
  }

  /** The very cluster.conf of a pod, read without a process in it: fast enough to be timed. */
  async memberList(pod: PodObject): Promise<string> {
    const volume = `var/lib/kubelet/pods/${pod.metadata.uid}/volumes/kubernetes.io~empty-dir/shared`;
    return await readFile(`/proc/${this.cluster.pidOf('node1')}/root/${volume}/cluster.conf`, 'utf8');
  }

  /** Waits until every node says so. */
  async everyNode(what: string, ask: (node: Registry) => Promise<boolean>, count = 3): Promise<void> {
    const nodes = await this.nodes(count);
    const answers = async () => (await Promise.all(nodes.map(ask))).every(Boolean);
    await until(`${what}, on every node`, answers, { timeoutMs: SEEN_MS_MAX, everyMs: 200 });
  }

  async close(): Promise<void> {
    await this.installation.close();
    await this.#mariadb.stop();
  }
}

const NACOS_CLUSTER = 'NacosCluster';

/** Addresses in a cluster.conf. */
export function membersIn(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}
