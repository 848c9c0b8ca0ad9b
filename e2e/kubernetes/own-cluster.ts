/** Our own Kubernetes: a hub with the control plane and one to three nodes, each a machine of its own on this computer. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildPrograms, type Report } from './build.ts';
import type { Cluster, ImageReference, Target } from './cluster.ts';
import { describeCluster } from './describe.ts';
import { type Forward, openForward } from './door.ts';
import { awaitApi, routeServicesBy, startApiServer, startControllers, startHub } from './hub.ts';
import { inside, isProgramAlive, killMachine, logFile, logTail, signalProgram } from './machine.ts';
import { manifestText } from './manifest.ts';
import { importImage, importSystemImages, powerOn, startKubelet, tagImage } from './node.ts';
import { API_PORT, HUB_ADDRESS, kubeconfig } from './node-config.ts';
import { findProgram, identify, type RunOptions, until } from './processes.ts';
import { productImageName, writeProductImage } from './product-image.ts';
import { type InsideOptions, type MachineName, nodeMachine, Site } from './site.ts';
import { type Description, describeState, refuseTaken, removeCluster, stateFolder } from './state.ts';

export interface StartOptions {
  readonly nodes?: 1 | 2 | 3;
  /** The folder of every trace: NACOS_KUBE_STATE, or one below /tmp with a name made from the checkout's. */
  readonly state?: string;
  /** True: the cluster goes on when this process has ended (`main.ts up`). */
  readonly outlives?: boolean;
}

/** A program inside that goes on. */
export interface Running {
  readonly isAlive: boolean;
  output(): string;
  signal(name: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL after 10 s. */
  stop(): Promise<void>;
}

const WAIT_TIMEOUT_MS = 120_000;
const TERM_TIMEOUT_MS = 10_000;

export class OwnCluster implements Cluster {
  readonly kind = 'own';
  readonly #site: Site;
  readonly #report: Report;
  readonly #isMine: boolean;
  readonly #forwards = new Set<Forward>();
  readonly #nodesAway = new Set<number>();
  #kubeconfig = '';
  #started = 0;
  #onSignal: (() => void) | undefined;

  private constructor(site: Site, report: Report, isMine: boolean) {
    this.#site = site;
    this.#report = report;
    this.#isMine = isMine;
  }

  static async start(options: StartOptions = {}, report: Report = () => {}): Promise<OwnCluster> {
    const missing = missingForMachines();
    if (missing.length > 0) throw new Error(`no Kubernetes can run here; missing: ${missing.join('; ')}`);
    const { nodes = 1, outlives = false } = options;
    const folder = stateFolder(options.state);
    refuseTaken(folder);
    const programs = await buildPrograms(report);
    await removeCluster(folder);
    const description: Description = { nodes, isBound: !outlives, programs, starter: identify(process.pid) };
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'cluster.json'), JSON.stringify(description));
    const cluster = new OwnCluster(new Site(folder, description), report, true);
    if (!outlives) cluster.#stopOnSignals();
    try {
      await cluster.#startAll();
    } catch (error) {
      const logs = cluster.#logsOfDead();
      await cluster.stop();
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`the Kubernetes in ${folder} did not start: ${why}\n${logs}`, { cause: error });
    }
    return cluster;
  }

  /** A cluster that another process started and that outlives it. `stop` then only closes what was opened here. */
  static async attach(state?: string, report: Report = () => {}): Promise<OwnCluster> {
    const folder = stateFolder(state);
    const description = describeState(folder);
    if (!description) throw new Error(`no cluster runs in ${folder}; start one: npx node e2e/kubernetes/main.ts up`);
    const cluster = new OwnCluster(new Site(folder, description), report, false);
    cluster.#site.machine('hub');
    await cluster.#openApi();
    return cluster;
  }

  get nodes(): number {
    return this.#site.nodes;
  }

  get folder(): string {
    return this.#site.folder;
  }

  get kubeconfig(): string {
    return this.#kubeconfig;
  }

  kubectl(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return this.on('hub', 'kubectl', ['--kubeconfig', this.#site.files.adminKubeconfig, ...args], options);
  }

  helm(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const home = join(this.folder, 'helm');
    const env = { ...process.env, ...options.env, HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home, HELM_DATA_HOME: home };
    return this.on('hub', 'helm', ['--kubeconfig', this.#site.files.adminKubeconfig, ...args], { ...options, env });
  }

  /** The command line of kubectl or helm, for one who hands the terminal to it. */
  commandLine(program: 'kubectl' | 'helm', args: readonly string[]): string[] {
    const { files, programs } = this.#site;
    const all = ['--kubeconfig', files.adminKubeconfig, ...args];
    return inside(this.#site.machine('hub'), 'network', join(programs.bin, program), all);
  }

  apply(manifest: string | readonly object[], args: readonly string[] = []): Promise<string> {
    return this.kubectl(['apply', ...args, '-f', '-'], { input: manifestText(manifest) });
  }

  // biome-ignore lint/suspicious/noExplicitAny: what kubectl answers has no type here.
  async get<T = any>(...args: readonly string[]): Promise<T> {
    return JSON.parse(await this.kubectl(['get', ...args, '-o', 'json'])) as T;
  }

  async productImage(tag = 'e2e'): Promise<ImageReference> {
    const tar = join(this.folder, 'images/nacos-kube.tar');
    await writeProductImage(this.#site.programs, [tag], tar);
    await this.importImage(tar);
    return { image: productImageName(tag), pullPolicy: 'Never' };
  }

  async importImage(tar: string): Promise<void> {
    await Promise.all(this.#site.nodeIndexes.map((index) => importImage(this.#site, index, tar)));
  }

  /** A second name of an image that the nodes have; costs next to nothing. */
  async tagImage(image: string, added: string): Promise<void> {
    await Promise.all(this.#site.nodeIndexes.map((index) => tagImage(this.#site, index, image, added)));
  }

  async forward(target: Target): Promise<Forward> {
    const { host, port } = await this.addressOf(target);
    return this.#keep(await openForward(this.#site.door, host, port));
  }

  /** Address and port inside the cluster, as its machines and pods reach it. */
  async addressOf(target: Target): Promise<{ readonly host: string; readonly port: number }> {
    if ('host' in target) return target;
    const { namespace = 'default', port } = target;
    const isService = 'service' in target;
    const object = isService ? `service/${target.service}` : `pod/${target.pod}`;
    const path = isService ? '{.spec.clusterIP}' : '{.status.podIP}';
    const host = (await this.kubectl(['-n', namespace, 'get', object, '-o', `jsonpath=${path}`])).trim();
    if (host === '' || host === 'None') throw new Error(`${object} in ${namespace} has no address of its own`);
    return { host, port };
  }

  /** Runs a program to its end in a machine's network and gives its output. */
  on(machine: MachineName, program: string, args: readonly string[] = [], options?: InsideOptions): Promise<string> {
    return this.#site.on(machine, program, args, options);
  }

  /** Starts a program in a machine's network that goes on: a database, a scraper, a client that waits to be pushed. */
  start(machine: MachineName, program: string, args: readonly string[] = [], options: InsideOptions = {}): Running {
    this.#started += 1;
    const name = `${machine}-own-${process.pid}-${this.#started}`;
    this.#site.start(machine, name, program, args, { ...options, namespaces: options.namespaces ?? 'network' });
    return this.#running(name, program);
  }

  /** The command line that runs a program in a machine's network, for one who starts it and speaks with it himself. */
  inNetwork(machine: MachineName, [program, ...args]: readonly [string, ...string[]]): [string, ...string[]] {
    return this.#site.inNetwork(machine, program, args);
  }

  /** PID 1 of a machine as this computer counts, for one who looks at its namespaces. */
  pidOf(machine: MachineName): number {
    return this.#site.machine(machine).init.pid;
  }

  /** Power off: everything on the node ends at once; its disk stays. */
  async killNode(index: number): Promise<void> {
    await this.#setAway(index, true);
    await killMachine(this.#site.machine(nodeMachine(index)));
  }

  /** Power on: the disk as it was, /run empty. Images are on the disk. */
  async startNode(index: number): Promise<void> {
    await powerOn(this.#site, index);
    await importSystemImages(this.#site, index);
    startKubelet(this.#site, index);
    await this.#setAway(index, false);
  }

  /** The kubelet hangs, the pods go on. */
  freezeKubelet(index: number): void {
    signalProgram(this.#site.state, `${nodeMachine(index)}-kubelet`, 'SIGSTOP');
  }

  thawKubelet(index: number): void {
    signalProgram(this.#site.state, `${nodeMachine(index)}-kubelet`, 'SIGCONT');
  }

  /** Off the network, but alive: its pods still reach each other. */
  async cutNode(index: number): Promise<void> {
    await this.#setAway(index, true);
    await this.on('hub', 'ip', ['link', 'set', nodeMachine(index), 'down']);
  }

  async healNode(index: number): Promise<void> {
    await this.on('hub', 'ip', ['link', 'set', nodeMachine(index), 'up']);
    await this.#setAway(index, false);
  }

  async killApiServer(): Promise<void> {
    signalProgram(this.#site.state, 'kube-apiserver', 'SIGKILL');
    const isGone = async () => !isProgramAlive(this.#site.state, 'kube-apiserver');
    await until('the API server is gone', isGone, { everyMs: 20 });
  }

  async startApiServer(): Promise<void> {
    startApiServer(this.#site);
    await awaitApi(this.#site);
  }

  describe(): Promise<string> {
    return describeCluster(this);
  }

  /** Ends and removes everything of this cluster; only what was opened here when another process started it. */
  async stop(): Promise<void> {
    for (const forward of [...this.#forwards]) await forward.close();
    if (this.#onSignal) process.off('SIGINT', this.#onSignal).off('SIGTERM', this.#onSignal);
    this.#onSignal = undefined;
    if (this.#isMine) await removeCluster(this.folder);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #startAll(): Promise<void> {
    const site = this.#site;
    const startedMs = performance.now();
    await startHub(site);
    for (const index of site.nodeIndexes) await powerOn(site, index);
    await routeServicesBy(site, 1);
    await Promise.all([
      awaitApi(site).then(() => startControllers(site)),
      ...site.nodeIndexes.map((index) => importSystemImages(site, index)),
    ]);
    for (const index of site.nodeIndexes) startKubelet(site, index);
    await this.#openApi();
    await this.kubectl(['apply', '-f', join(import.meta.dirname, 'base.yaml')]);
    await this.#awaitNodes();
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    this.#report(`Kubernetes with ${this.nodes} node${this.nodes === 1 ? '' : 's'} is ready after ${seconds} s`);
  }

  async #awaitNodes(): Promise<void> {
    const nodes = this.#site.nodeIndexes.map((index) => `node/${nodeMachine(index)}`);
    const wait = (args: readonly string[]) => this.kubectl([...args, '--timeout=60s'], { timeoutMs: WAIT_TIMEOUT_MS });
    // `kubectl wait --for=create` of several objects gives up when one of them isn't there at once.
    await until('all nodes are known', () => this.kubectl(['get', ...nodes]));
    await wait(['wait', '--for=condition=Ready', ...nodes]);
    await wait(['-n', 'kube-system', 'rollout', 'status', 'deployment/coredns']);
  }

  async #openApi(): Promise<void> {
    const { door, files } = this.#site;
    const { port } = this.#keep(await openForward(door, HUB_ADDRESS, API_PORT));
    this.#kubeconfig = join(this.folder, 'conf', `computer-${process.pid}.kubeconfig`);
    // The certificate names localhost, not 127.0.0.1.
    writeFileSync(this.#kubeconfig, kubeconfig(`https://localhost:${port}`, files.authority, 'admin-token'));
  }

  async #setAway(index: number, isAway: boolean): Promise<void> {
    if (isAway) this.#nodesAway.add(index);
    else this.#nodesAway.delete(index);
    const there = this.#site.nodeIndexes.find((other) => !this.#nodesAway.has(other));
    if (there !== undefined) await routeServicesBy(this.#site, there);
  }

  #running(name: string, program: string): Running {
    const { state } = this.#site;
    const isGone = async () => !isProgramAlive(state, name);
    return {
      get isAlive() {
        return isProgramAlive(state, name);
      },
      output: () => readFileSync(logFile(state, name), 'utf8'),
      signal: (what) => signalProgram(state, name, what),
      stop: async () => {
        if (await isGone()) return;
        signalProgram(state, name, 'SIGTERM');
        await until(`${program} has ended`, isGone, { timeoutMs: TERM_TIMEOUT_MS, everyMs: 20 }).catch(async () => {
          signalProgram(state, name, 'SIGKILL');
          await until(`${program} is killed`, isGone, { timeoutMs: TERM_TIMEOUT_MS, everyMs: 20 });
        });
      },
    };
  }

  #keep(forward: Forward): Forward {
    const kept: Forward = {
      port: forward.port,
      close: async () => {
        this.#forwards.delete(kept);
        await forward.close();
      },
    };
    this.#forwards.add(kept);
    return kept;
  }

  #logsOfDead(): string {
    const { state, nodeIndexes } = this.#site;
    const names = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'hostpath', 'door'];
    for (const index of nodeIndexes)
      names.push(...['containerd', 'kubelet', 'kube-proxy'].map((program) => `${nodeMachine(index)}-${program}`));
    const dead = names.filter((name) => existsSync(logFile(state, name)) && !isProgramAlive(state, name));
    return dead.map((name) => `--- ${name} has ended:\n${logTail(state, name)}`).join('\n');
  }

  #stopOnSignals(): void {
    this.#onSignal = () => {
      this.#report('stopping Kubernetes');
      void this.stop().finally(() => process.exit(130));
    };
    process.once('SIGINT', this.#onSignal).once('SIGTERM', this.#onSignal);
  }
}

/** What this computer lacks for running one; `missingForBuild` tells what building needs. */
export function missingForMachines(): string[] {
  if (process.platform !== 'linux') return ['Linux'];
  const missing = [];
  if (process.getuid?.() !== 0) missing.push('root, for namespaces, mounts and network links');
  for (const name of ['unshare', 'nsenter', 'setpriv', 'mount', 'ip', 'env', 'bash'])
    if (!findProgram(name)) missing.push(`${name} (util-linux, iproute2, coreutils, bash)`);
  if (!existsSync('/proc/sys/net/bridge')) missing.push('the kernel module br_netfilter (modprobe br_netfilter)');
  if (!readFileSync('/proc/filesystems', 'utf8').includes('\toverlay')) missing.push('overlayfs (modprobe overlay)');
  return missing;
}
