import { dirname } from 'node:path';
import type { Host, Timer } from '@nacos-kube/core/host/host.ts';
import { Children, type Launcher } from './children.ts';
import { Control } from './control.ts';
import { drainNode } from './drain.ts';
import { LocalEtcd } from './etcd.ts';
import { takenPorts, writeMemberList, writeSecrets } from './files.ts';
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
import { type LocalManifest, ManifestError } from './manifest.ts';
import { ManifestFile, ManifestFileError, type Rewrite, withReplicas } from './manifest-file.ts';
import { Screen, type Terminal } from './screen.ts';
import { type Steered, Steering } from './steering.ts';
import { type ClusterView, isAllUp, type MemberRow, plainLine, summary, tableLines } from './table.ts';
import { Vip } from './vip.ts';
import { Watch } from './watch.ts';

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
  readonly rewrite: Rewrite;
}

/** Why the cluster cannot be started on this machine, in words for whoever asked for it. */
export class UpError extends Error {
  override readonly name = 'UpError';
}

/**
 * The operator's work on one machine: files for ConfigMap and Secret, processes for pods, a TCP proxy for the Service.
 * The machine decides what runs; this carries it out and looks at how the members are.
 */
export class LocalCluster implements Steered {
  readonly #host: Host;
  readonly #options: UpOptions;
  readonly #own: OwnProcess;
  readonly #launcher: Launcher;
  readonly #file: ManifestFile;
  readonly #machine = new LocalMachine();
  readonly #children: Children;
  readonly #screen: Screen;
  readonly #watch: Watch;
  readonly #over = Promise.withResolvers<void>();
  readonly #timers: Timer[] = [];
  /** Also of members that are on their way out. */
  readonly #layouts = new Map<string, MemberLayout>();
  #manifest: LocalManifest | undefined;
  #layout: ClusterLayout | undefined;
  #vip: Vip | undefined;
  #etcd: LocalEtcd | undefined;
  #control: Control | undefined;
  #isHinted = false;
  #stoppingSinceMs: number | undefined;
  #rereading: Promise<string | undefined> = Promise.resolve(undefined);
  #rejected = '';

  constructor(host: Host, options: UpOptions, { launcher, terminal, own, rewrite }: UpEnvironment) {
    this.#host = host;
    this.#options = options;
    this.#own = own;
    this.#launcher = launcher;
    this.#file = new ManifestFile(host, options.manifestFile, options.crdYaml, rewrite);
    this.#children = new Children(host, launcher, (event) => this.#step(event));
    this.#screen = new Screen(terminal, () => host.clock.now());
    this.#watch = new Watch(host, {
      processes: () => this.#machine.processes(),
      layoutOf: (member) => this.#layouts.get(member),
      onPrepared: (member) => this.#step({ kind: 'prepared', member }),
      onReady: (ports) => this.#vip?.setReady(ports),
      onSilent: (port) => this.#vip?.memberIsSilent(port),
    });
  }

  /** Rejects, with nothing left running, when the cluster cannot be started. */
  async start(): Promise<void> {
    const manifest = await this.#file.read();
    const layout = layoutOf(manifest.cluster, this.#options);
    await takeLock(this.#host, layout.lockFile, this.#own);
    try {
      const taken = [...portProblems(layout), ...(await takenPorts(this.#host, portsOf(layout)))];
      if (taken.length > 0) throw new UpError(taken.join('\n  '));
      await writeSecrets(this.#host, layout, manifest.database);
      this.#etcd = new LocalEtcd(this.#host, layout, this.#launcher.processes, (text) => this.#screen.note(text));
      const problem = await this.#etcd.start();
      if (problem !== undefined) throw new UpError(problem);
      this.#vip = new Vip(this.#host, layout.vipPort);
      await this.#vip.start();
    } catch (error) {
      await this.#etcd?.stop();
      await releaseLock(this.#host, layout.lockFile, this.#own);
      throw error;
    }
    for (const document of manifest.skipped) this.#screen.note(`${document} means nothing on this machine, skipped`);
    this.#manifest = manifest;
    await this.#apply(layout);
    this.#timers.push(
      this.#host.clock.every(TICK_MS, () => this.#step({ kind: 'tick' })),
      this.#host.clock.every(HEALTH_PERIOD_MS, () => this.#look()),
      this.#host.disk.watch(dirname(this.#file.path), () => {
        this.#host.background('reading the manifest again', this.#manifestChanged());
      }),
    );
    this.#control = new Control(this.#host, layout.controlFile, new Steering(this.#host, this));
    await this.#control.start(this.#own.pid);
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
      this.#etcd?.kill();
      this.#step({ kind: 'kill' });
    }
  }

  // -------------------------------------------------------------------------------- what it can be asked for

  layout(): ClusterLayout {
    if (this.#layout === undefined) throw new Error('the cluster was not started');
    return this.#layout;
  }

  rows(): readonly MemberRow[] {
    const wanted = this.layout().members.map(({ name }) => name);
    return this.#watch.rowsOf(new Set([...wanted, ...this.#machine.processes().map(({ member }) => member)]));
  }

  facts() {
    const { members = 0, openConnections: connections = 0 } = this.#vip ?? {};
    return { manifest: this.#file.path, pid: this.#own.pid, vip: { url: this.#vipUrl(), members, connections } };
  }

  endReason(): string | undefined {
    return this.#stoppingSinceMs === undefined ? undefined : 'the cluster is being stopped';
  }

  async drain(member: string): Promise<string | undefined> {
    const layout = this.#layouts.get(member);
    if (layout === undefined) return 'it is no member';
    this.#watch.sendAway(member);
    return drainNode(this.#host, layout);
  }

  restart(member: string): void {
    this.#step({ kind: 'restart', member });
  }

  setReplicas(replicas: number): Promise<void> {
    return this.#file.setReplicas(replicas);
  }

  obeyManifest(): Promise<string | undefined> {
    return this.#manifestChanged();
  }

  note(text: string): void {
    this.#screen.note(text);
  }

  // ------------------------------------------------------------------------------------------- what is done

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
    if (event.kind === 'ended' && event.job === 'node') this.#watch.nodeEnded(event.member);
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
        if (effect.job === 'node') this.#watch.sendAway(effect.member);
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
    await this.#control?.stop();
    await this.#vip?.stop();
    // After the nodes, which write to it until their end.
    await this.#etcd?.stop();
    await this.#children.closeLogs();
    if (this.#layout !== undefined) await releaseLock(this.#host, this.#layout.lockFile, this.#own);
    this.#screen.finish('stopped, no process is left');
    this.#over.resolve();
  }

  // ------------------------------------------------------------------------------------------ how they are

  #look(): void {
    this.#watch.look();
    this.#draw();
  }

  #draw(): void {
    if (this.#layout === undefined) return;
    const { name, logs } = this.#layout;
    const view: ClusterView = {
      name,
      logs,
      vip: this.#vipUrl(),
      rows: this.rows(),
      nowMs: this.#host.clock.monotonic(),
    };
    const plain = new Map(view.rows.map((row) => [row.name, plainLine(row)]));
    this.#screen.show(tableLines(view), plain.set('', summary(view)));
    if (this.#isHinted || !this.#options.withHints || !isAllUp(view)) return;
    this.#isHinted = true;
    this.#screen.note(hints(view.vip));
  }

  #vipUrl(): string {
    return `http://127.0.0.1:${this.layout().vipPort}/nacos`;
  }

  // ---------------------------------------------------------------------------------------------- the manifest

  /** One reading at a time; resolves with what was wrong with the last one. */
  #manifestChanged(): Promise<string | undefined> {
    const reading = this.#rereading.then(() => this.#reread());
    // A reading that broke must not keep the next one from its turn.
    this.#rereading = reading.catch(() => undefined);
    return reading;
  }

  /** Scales at once; all else needs processes with other arguments. A bad manifest changes nothing. */
  async #reread(): Promise<string | undefined> {
    const [before, running] = [this.#layout, this.#manifest];
    if (before === undefined || running === undefined || this.#stoppingSinceMs !== undefined) return undefined;
    try {
      const { cluster, database } = await this.#file.read();
      const scaled = withReplicas(running.cluster, cluster.spec.replicas);
      const isMore = JSON.stringify([scaled, running.database]) !== JSON.stringify([cluster, database]);
      if (isMore) this.#reject('the manifest changed in more than spec.replicas: start up again for the rest of it');
      else this.#rejected = '';
      if (scaled.spec.replicas !== running.cluster.spec.replicas) {
        await this.#scale(before, { ...running, cluster: scaled });
      }
      return undefined;
    } catch (error) {
      const isTheirs = error instanceof ManifestError || error instanceof ManifestFileError || error instanceof UpError;
      if (!isTheirs) throw error;
      this.#reject(`${error.message}\n  the cluster stays as it is`);
      return error.message;
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
    // While they still are members: from one that is not in the list nobody takes what it hands over.
    const leaving = before.members.slice(layout.members.length);
    await Promise.all(leaving.map(({ name }) => this.drain(name)));
    if (this.#stoppingSinceMs === undefined) await this.#apply(layout);
  }

  /** Once each: the file is looked at more often than it changes. */
  #reject(text: string): void {
    if (text !== this.#rejected) this.#screen.note(text);
    this.#rejected = text;
  }
}
