import type { Host } from '@nacos-kube/core/host/host.ts';
import { badRequest, ProtocolError } from '@nacos-kube/core/http/protocol-error.ts';
import type { Controlled, RestartRequest, ScaleRequest } from './control.ts';
import type { ClusterLayout } from './layout.ts';
import { type Operation, Operations } from './operation.ts';
import type { ClusterStatus, MemberStatus } from './status.ts';
import { isAllUp, type MemberRow, stateOf } from './table.ts';
import { finish, rollingRestart, untilScaled } from './tasks.ts';

/** The cluster as far as it can be steered while it runs. */
export interface Steered {
  layout(): ClusterLayout;
  /** Of the members that are wanted, and of those on their way out. */
  rows(): readonly MemberRow[];
  facts(): Pick<ClusterStatus, 'manifest' | 'pid' | 'vip'>;
  /** Why nothing can be asked of it any more; undefined while it can. */
  endReason(): string | undefined;
  /** Resolves with what was wrong. */
  drain(member: string): Promise<string | undefined>;
  restart(member: string): void;
  /** Writes the number into the manifest. Rejects with `ProtocolError`, the file as it was. */
  setReplicas(replicas: number): Promise<void>;
  /** Does what the manifest says of replicas; resolves with what was wrong. */
  obeyManifest(): Promise<string | undefined>;
  note(text: string): void;
}

/** What `status`, `scale` and `restart` ask of the process that runs a cluster. */
export class Steering implements Controlled {
  readonly #host: Host;
  readonly #cluster: Steered;
  readonly #operations = new Operations();

  constructor(host: Host, cluster: Steered) {
    this.#host = host;
    this.#cluster = cluster;
  }

  status(): ClusterStatus {
    const { name, directory, logs, members } = this.#cluster.layout();
    const rows = this.#cluster.rows();
    return {
      name,
      ...this.#cluster.facts(),
      data: directory,
      logs,
      operation: this.#operations.running?.name ?? null,
      isReady: isAllUp({ rows }) && rows.length === members.length,
      members: rows.map((row) => statusOf(row, this.#host.clock.monotonic())),
    };
  }

  async scale({ replicas, timeoutMs }: ScaleRequest): Promise<Operation> {
    this.#refuseAtEnd();
    const before = this.#cluster.layout().members.length;
    const operation = this.#operations.begin(`scale to ${replicas}`);
    try {
      await this.#cluster.setReplicas(replicas);
    } catch (error) {
      operation.outcome = 'failed';
      throw error;
    }
    const { manifest } = this.#cluster.facts();
    operation.tell(
      before === replicas ? `${replicas} members are wanted already` : `replicas: ${replicas} in ${manifest}`,
    );
    this.#run(operation, this.#scale(operation, replicas, timeoutMs));
    return operation;
  }

  async #scale(operation: Operation, replicas: number, timeoutMs: number): Promise<void> {
    const leaving = this.#cluster.layout().members.slice(replicas);
    if (leaving.length > 0) operation.tell(`draining ${leaving.map(({ name }) => name).join(', ')}`);
    const problem = await this.#cluster.obeyManifest();
    if (problem !== undefined) finish(operation, problem, '');
    else await untilScaled({ ...this.#parts(operation), replicas, timeoutMs });
  }

  restart({ members, timeoutMs }: RestartRequest): Operation {
    this.#refuseAtEnd();
    const all = this.#cluster.layout().members.map(({ name }) => name);
    const unknown = members.filter((name) => !all.includes(name));
    if (unknown.length > 0) throw badRequest(`there is no member ${unknown.join(', ')}: there are ${all.join(', ')}`);
    // The highest first, as on Kubernetes; those that were named in the order in which they were.
    const names = members.length === 0 ? all.toReversed() : [...new Set(members)];
    const operation = this.#operations.begin(`restart of ${names.join(', ')}`);
    this.#cluster.note(operation.name);
    const deeds = {
      drain: (member: string) => this.#cluster.drain(member),
      restart: (member: string) => this.#cluster.restart(member),
    };
    this.#run(operation, rollingRestart({ ...this.#parts(operation), ...deeds, names, backMs: timeoutMs }));
    return operation;
  }

  operation(id: number): Operation {
    return this.#operations.find(id);
  }

  #parts(operation: Operation) {
    const { rows, endReason } = this.#cluster;
    return { host: this.#host, operation, rows: rows.bind(this.#cluster), stopReason: endReason.bind(this.#cluster) };
  }

  #run(operation: Operation, work: Promise<void>): void {
    const ended = work.then(
      () => this.#cluster.note(`${operation.name}: ${operation.outcome}`),
      (error: unknown) => {
        operation.tell(`failed: ${(error as Error).message}`);
        operation.outcome = 'failed';
        throw error;
      },
    );
    this.#host.background(operation.name, ended);
  }

  #refuseAtEnd(): void {
    const reason = this.#cluster.endReason();
    if (reason !== undefined) throw new ProtocolError(409, reason);
  }
}

function statusOf(row: MemberRow, nowMs: number): MemberStatus {
  const { name, address, node, sidecar, isReady, facts } = row;
  return {
    name,
    address,
    state: stateOf(row),
    isReady,
    pid: node?.pid ?? null,
    restarts: node?.restarts ?? 0,
    uptimeSeconds: node?.phase === 'running' ? Math.floor((nowMs - node.sinceMs) / 1_000) : null,
    generation: facts?.generation ?? null,
    lagSeconds: facts?.lagSeconds ?? null,
    lagEntries: facts?.lagEntries ?? null,
    sidecar: sidecar?.phase ?? 'gone',
  };
}
