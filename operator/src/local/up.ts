import { dirname } from 'node:path';
import { DiskError, type Host, type Timer } from '@nacos-kube/core/host/host.ts';
import type { NacosCluster } from '../generated/nacos-cluster.ts';
import { Children, type Launcher } from './children.ts';
import { takenPorts, writeMemberList, writeSecrets } from './files.ts';
import { askNode, isSidecarReady, NO_HEALTH, type NodeHealth } from './health.ts';
import { hints } from './hints.ts';
import {
  type ClusterLayout,
  type LayoutOptions,
  layoutOf,
  type MemberLayout,
  portProblems,
  portsOf,
} from './layout.ts';
import { type OwnProcess, releaseLock, takeLock } from './lock.ts';
import { type LocalEffect, type LocalEvent, LocalMachine } from './machine.ts';
import { type LocalManifest, ManifestError, readManifest } from './manifest.ts';
import { Screen, type Terminal } from './screen.ts';
import { type ClusterView, isAllUp, type MemberRow, plainLine, summary, tableLines } from './table.ts';
import { Vip } from './vip.ts';

const TICK_MS = 100;
const HEALTH_PERIOD_MS = 500;
/** A terminal signals npm and its child, and npm may pass it on to the child: that is one Ctrl-C. */
const SAME_SIGNAL_MS = 300;

export interface UpOptions extends LayoutOptions {
  readonly manifestFile: string;
  readonly crdYaml: string;
  readonly withHints: boolean;
}

export interface UpEnvironment {
  readonly launcher: Launcher;
  readonly terminal: Terminal;
  readonly own: OwnProcess;
}

/** Why the cluster cannot be started on this machine, in words for whoever asked for it. */
export class UpError extends Error {
  override readonly name = 'UpError';
}

/**
 * The operator's work on one machine: files for ConfigMap and Secret, processes for pods, a TCP proxy for the Service.
 * The machine decides what runs; this carries it out and looks at how the members are.
 */
export class LocalCluster {
  readonly #host: Host;
  readonly #options: UpOptions;
  readonly #own: OwnProcess;
  readonly #machine = new LocalMachine();
  readonly #children: Children;
  readonly #screen: Screen;
  readonly #over = Promise.withResolvers<void>();
  readonly #timers: Timer[] = [];
  readonly #health = new Map<string, NodeHealth>();
  readonly #asking = new Set<string>();
  /** Also of members that are on their way out. */
  readonly #layouts = new Map<string, MemberLayout>();
  #manifest: LocalManifest | undefined;
  #layout: ClusterLayout | undefined;
  #vip: Vip | undefined;
  #isHinted = false;
  #stoppingSinceMs: number | undefined;
  #rereading = Promise.resolve();
  #rejected = '';

  constructor(host: Host, options: UpOptions, { launcher, terminal, own }: UpEnvironment) {
    this.#host = host;
    this.#options = options;
    this.#own = own;
    this.#children = new Children(host, launcher, (event) => this.#step(event));
    this.#screen = new Screen(terminal, () => host.clock.now());
  }

  /** Rejects, with nothing left running, when the cluster cannot be started. */
  async start(): Promise<void> {
    const manifest = await this.#readManifest();
    const layout = layoutOf(manifest.cluster, this.#options);
    await takeLock(this.#host, layout.lockFile, this.#own);
    try {
      const taken = [...portProblems(layout), ...(await takenPorts(this.#host, portsOf(layout)))];
      if (taken.length > 0) throw new UpError(taken.join('\n  '));
      await writeSecrets(this.#host, layout, manifest.database);
      this.#vip = new Vip(this.#host, layout.vipPort);
      await this.#vip.start();
    } catch (error) {
      await releaseLock(this.#host, layout.lockFile, this.#own);
      throw error;
    }
    for (const document of manifest.skipped) this.#screen.note(`${document} means nothing on this machine, skipped`);
    this.#manifest = manifest;
    await this.#apply(layout);
    this.#timers.push(
      this.#host.clock.every(TICK_MS, () => this.#step({ kind: 'tick' })),
      this.#host.clock.every(HEALTH_PERIOD_MS, () => this.#look()),
      this.#host.disk.watch(dirname(this.#options.manifestFile), () => this.#manifestChanged()),
    );
  }

  /** Resolves when nothing of it runs any more. */
  whenOver(): Promise<void> {
    return this.#over.promise;
  }

  /** In good order; asked a second time, at once. */
  stop(): void {
    const nowMs = this.#host.clock.monotonic();
    if (this.#stoppingSinceMs === undefined) {
      this.#stoppingSinceMs = nowMs;
      this.#screen.note('stopping: nodes hand over and end, a second Ctrl-C kills');
      this.#vip?.close();
      this.#step({ kind: 'stop' });
    } else if (nowMs - this.#stoppingSinceMs >= SAME_SIGNAL_MS) {
      this.#screen.note('killing what still runs');
      this.#step({ kind: 'kill' });
    }
  }

  async #apply(layout: ClusterLayout): Promise<void> {
    this.#layout = layout;
    for (const member of layout.members) this.#layouts.set(member.name, member);
    // Before anyone starts or stops: a member that is not in the list is refused by the others.
    await writeMemberList(
      this.#host,
      layout.listFile,
      layout.members.map(({ address }) => address),
    );
    this.#step({ kind: 'wanted', members: layout.members.map(({ name }) => name) });
  }

  #step(event: LocalEvent): void {
    if (event.kind === 'ended' && event.job === 'node') this.#setHealth(event.member, NO_HEALTH);
    for (const effect of this.#machine.step(event, this.#host.clock.monotonic())) this.#perform(effect);
    if (event.kind !== 'tick') this.#draw();
  }

  #perform(effect: LocalEffect): void {
    switch (effect.kind) {
      case 'start': {
        const layout = this.#layouts.get(effect.member);
        if (layout !== undefined) this.#children.start(effect, layout[effect.job]);
        return;
      }
      case 'signal':
        this.#children.signal(effect, effect.signal);
        return;
      case 'note':
        this.#screen.note(effect.text);
        return;
      case 'over':
        this.#host.background('ending', this.#end());
    }
  }

  async #end(): Promise<void> {
    for (const timer of this.#timers) timer.cancel();
    await this.#vip?.stop();
    await this.#children.closeLogs();
    if (this.#layout !== undefined) await releaseLock(this.#host, this.#layout.lockFile, this.#own);
    this.#screen.finish('stopped, no process is left');
    this.#over.resolve();
  }

  // ------------------------------------------------------------------------------------------ how they are

  #look(): void {
    for (const { member, job, phase } of this.#machine.processes()) {
      const layout = this.#layouts.get(member);
      const id = `${member} ${job}`;
      if (layout === undefined || phase !== 'running' || this.#asking.has(id)) continue;
      this.#asking.add(id);
      const asked = job === 'node' ? this.#lookAtNode(layout) : this.#lookAtSidecar(layout);
      this.#host.background(
        `asking ${id}`,
        asked.finally(() => this.#asking.delete(id)),
      );
    }
    this.#draw();
  }

  async #lookAtNode({ name, port }: MemberLayout): Promise<void> {
    const health = await askNode(this.#host, port);
    const isRunning = this.#machine.processes().some((one) => {
      return one.member === name && one.job === 'node' && one.phase === 'running';
    });
    this.#setHealth(name, isRunning ? health : NO_HEALTH);
  }

  async #lookAtSidecar({ name, metricsPort }: MemberLayout): Promise<void> {
    if (await isSidecarReady(this.#host, metricsPort)) this.#step({ kind: 'prepared', member: name });
  }

  #setHealth(member: string, health: NodeHealth): void {
    this.#health.set(member, health);
    const ready = [...this.#health].filter(([, { isReady }]) => isReady).map(([name]) => this.#layouts.get(name)?.port);
    this.#vip?.setReady(ready.filter((port) => port !== undefined));
  }

  #draw(): void {
    const view = this.#view();
    if (view === undefined) return;
    const plain = new Map(view.rows.map((row) => [row.name, plainLine(row)]));
    this.#screen.show(tableLines(view), plain.set('', summary(view)));
    if (this.#isHinted || !this.#options.withHints || !isAllUp(view)) return;
    this.#isHinted = true;
    this.#screen.note(hints(view.vip));
  }

  #view(): ClusterView | undefined {
    const layout = this.#layout;
    if (layout === undefined) return undefined;
    const processes = this.#machine.processes();
    const names = new Set([...layout.members.map(({ name }) => name), ...processes.map(({ member }) => member)]);
    const rows = [...names].flatMap((name): MemberRow[] => {
      const member = this.#layouts.get(name);
      if (member === undefined) return [];
      return [
        {
          name,
          address: member.address,
          node: processes.find((one) => one.member === name && one.job === 'node'),
          sidecar: processes.find((one) => one.member === name && one.job === 'sidecar'),
          isReady: this.#health.get(name)?.isReady === true,
          states: this.#statesOf(member.address),
        },
      ];
    });
    return {
      name: layout.name,
      vip: `http://127.0.0.1:${layout.vipPort}/nacos`,
      logs: layout.logs,
      rows,
      nowMs: this.#host.clock.monotonic(),
    };
  }

  #statesOf(address: string): readonly string[] {
    const seen = [...this.#health.values()].flatMap(({ members }) => members);
    return seen.filter((member) => member.address === address).map(({ state }) => state);
  }

  // ---------------------------------------------------------------------------------------------- the manifest

  async #readManifest(): Promise<LocalManifest> {
    const { manifestFile, crdYaml } = this.#options;
    try {
      return readManifest(manifestFile, new TextDecoder().decode(await this.#host.disk.read(manifestFile)), crdYaml);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      throw new UpError(`the manifest cannot be read: ${error.message}`, { cause: error });
    }
  }

  #manifestChanged(): void {
    this.#rereading = this.#rereading.then(() => this.#reread());
    this.#host.background('reading the manifest again', this.#rereading);
  }

  /** Scales at once; all else needs processes with other arguments. A bad manifest changes nothing. */
  async #reread(): Promise<void> {
    const [before, running] = [this.#layout, this.#manifest];
    if (before === undefined || running === undefined || this.#stoppingSinceMs !== undefined) return;
    try {
      const { cluster, database } = await this.#readManifest();
      const scaled = withReplicas(running.cluster, cluster.spec.replicas);
      const isMore = JSON.stringify([scaled, running.database]) !== JSON.stringify([cluster, database]);
      if (isMore) this.#reject('the manifest changed in more than spec.replicas: start up again for the rest of it');
      else this.#rejected = '';
      if (scaled.spec.replicas === running.cluster.spec.replicas) return;
      await this.#scale(before, { ...running, cluster: scaled });
    } catch (error) {
      if (!(error instanceof ManifestError || error instanceof UpError)) throw error;
      this.#reject(`${error.message}\n  the cluster stays as it is`);
    }
  }

  async #scale(before: ClusterLayout, manifest: LocalManifest): Promise<void> {
    const layout = layoutOf(manifest.cluster, this.#options);
    const known = new Set(portsOf(before).map(({ port }) => port));
    const added = portsOf(layout).filter(({ port }) => !known.has(port));
    const problems = [...portProblems(layout), ...(await takenPorts(this.#host, added))];
    if (problems.length > 0) throw new UpError(problems.join('\n  '));
    this.#screen.note(`scaling from ${before.members.length} to ${layout.members.length} members`);
    this.#manifest = manifest;
    await this.#apply(layout);
  }

  /** Once each: the file is looked at more often than it changes. */
  #reject(text: string): void {
    if (text !== this.#rejected) this.#screen.note(text);
    this.#rejected = text;
  }
}

function withReplicas(cluster: NacosCluster, replicas: number): NacosCluster {
  return { ...cluster, spec: { ...cluster.spec, replicas } };
}
