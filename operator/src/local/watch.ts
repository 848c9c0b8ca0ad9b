import type { Host } from '@nacos-kube/core/host/host.ts';
import { askNode, isSidecarReady, NO_HEALTH, type NodeHealth } from './health.ts';
import type { MemberLayout } from './layout.ts';
import type { ProcessView } from './machine.ts';
import type { MemberSight } from './rolling.ts';
import { type MemberRow, stateOf } from './table.ts';

/** A change that a peer lacks for longer is more than what is always on its way. */
const LAG_SECONDS_MAX = 1;

/** Looks in a row without an answer, after which a member hangs; a kubelet counts as many. Before, it may be busy. */
export const SILENT_LOOKS_MAX = 3;

export interface Watched {
  readonly processes: () => readonly ProcessView[];
  /** Also of members that are on their way out. */
  readonly layoutOf: (member: string) => MemberLayout | undefined;
  readonly onPrepared: (member: string) => void;
  /** Other members than before may be given traffic. */
  readonly onReady: (ports: readonly number[]) => void;
  /** A look at it in vain, be it the first. */
  readonly onSilent: (port: number) => void;
}

/** How the members are, by asking them again and again. */
export class Watch {
  readonly #host: Host;
  readonly #watched: Watched;
  readonly #health = new Map<string, NodeHealth>();
  readonly #asking = new Set<string>();
  /** Looks without an answer since the last one that each gave, of those that may be given traffic. */
  readonly #serving = new Map<string, number>();
  /** Members that are about to end: ready or not, nobody is sent there. */
  readonly #away = new Set<string>();

  constructor(host: Host, watched: Watched) {
    this.#host = host;
    this.#watched = watched;
  }

  look(): void {
    const { processes, layoutOf } = this.#watched;
    for (const { member, job, phase } of processes()) {
      const layout = layoutOf(member);
      const id = `${member} ${job}`;
      if (layout === undefined || phase !== 'running' || this.#asking.has(id)) continue;
      this.#asking.add(id);
      const asked = job === 'node' ? this.#lookAtNode(layout) : this.#lookAtSidecar(layout);
      this.#host.background(
        `asking ${id}`,
        asked.finally(() => this.#asking.delete(id)),
      );
    }
  }

  /** No new connection goes there from now on, until its process has ended. */
  sendAway(member: string): void {
    this.#away.add(member);
    this.#tellReady();
  }

  nodeEnded(member: string): void {
    this.#away.delete(member);
    this.#setHealth(member, NO_HEALTH);
  }

  rowsOf(names: Iterable<string>): readonly MemberRow[] {
    const processes = this.#watched.processes();
    return [...names].flatMap((name): MemberRow[] => {
      const layout = this.#watched.layoutOf(name);
      if (layout === undefined) return [];
      const health = this.#health.get(name) ?? NO_HEALTH;
      const process = (job: string) => processes.find((one) => one.member === name && one.job === job);
      return [
        {
          name,
          address: layout.address,
          node: process('node'),
          sidecar: process('sidecar'),
          isReady: health.isReady,
          states: this.#statesOf(layout.address),
          facts: health.facts,
        },
      ];
    });
  }

  #statesOf(address: string): readonly string[] {
    const seen = [...this.#health.values()].flatMap(({ members }) => members);
    return seen.filter((member) => member.address === address).map(({ state }) => state);
  }

  async #lookAtNode({ name, address, port }: MemberLayout): Promise<void> {
    const pid = this.#pidOf(name);
    const health = await askNode(this.#host, address, port);
    // The answer of a process that has ended meanwhile says nothing of the one after it.
    if (pid !== undefined && pid === this.#pidOf(name)) this.#setHealth(name, health);
  }

  async #lookAtSidecar({ name, metricsPort }: MemberLayout): Promise<void> {
    if (await isSidecarReady(this.#host, metricsPort)) this.#watched.onPrepared(name);
  }

  /** Of a node that runs and was not told to end. */
  #pidOf(name: string): number | undefined {
    const process = this.#watched.processes().find(({ member, job }) => member === name && job === 'node');
    return process?.phase === 'running' ? process.pid : undefined;
  }

  #setHealth(member: string, health: NodeHealth): void {
    this.#health.set(member, health);
    const silentLooks = health.isSilent ? (this.#serving.get(member) ?? SILENT_LOOKS_MAX) + 1 : 0;
    if (health.isReady || (health.isSilent && silentLooks < SILENT_LOOKS_MAX)) this.#serving.set(member, silentLooks);
    else this.#serving.delete(member);
    this.#tellReady();
    const port = this.#watched.layoutOf(member)?.port;
    if (health.isSilent && port !== undefined) this.#watched.onSilent(port);
  }

  #tellReady(): void {
    const serving = [...this.#serving.keys()].filter((name) => !this.#away.has(name));
    const ports = serving.map((name) => this.#watched.layoutOf(name)?.port);
    this.#watched.onReady(ports.filter((port) => port !== undefined));
  }
}

/** What a rolling restart has to know of each member. */
export function sightsOf(rows: readonly MemberRow[]): readonly MemberSight[] {
  return rows.map((row) => {
    const { name, node, isReady, facts } = row;
    return {
      name,
      pid: node?.phase === 'running' ? node.pid : undefined,
      isReady,
      isUp: isReady && stateOf(row) === 'UP',
      isSettled: facts !== undefined && facts.lagSeconds < LAG_SECONDS_MAX && facts.peersCompared >= rows.length - 1,
    };
  });
}
