import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NetworkError, type OutboundRequest } from '@nacos-kube/core/host/host.ts';
import { ProcessError, type ProcessExit, type Processes } from '@nacos-kube/core/host/processes.ts';
import { parseMemberList } from '@nacos-kube/core/model/member-list.ts';
import { FakeHost, httpAnswer } from '@nacos-kube/core/testing/fake-host.ts';
import { SIDECAR_DRAIN_PATH } from '@nacos-kube/core/wire/sidecar.ts';
import { LocalCluster } from './up.ts';

const CRD = readFileSync(join(import.meta.dirname, '../../../crds/nacosclusters.yaml'), 'utf8');
export const FILE = '/manifests/cluster.yaml';
export const manifest = (replicas: number | string, rest = '') =>
  `apiVersion: nacos-kube.dev/v1alpha1\nkind: NacosCluster\nmetadata: { name: demo }\nspec:\n  replicas: ${replicas}\n  auth: { enabled: false }\n${rest}`;

export interface Child {
  readonly job: string;
  readonly port: number;
  readonly args: readonly string[];
  readonly signals: string[];
  say(line: string): void;
  exit(code: number | null, signal?: string): void;
}

/** A machine on which the programs start, answer as programs of ours do, and end when they are told. */
export class FakeMachine {
  readonly host = new FakeHost();
  readonly children: Child[] = [];
  readonly #running = new Map<number, Child>();
  cannotStart = false;
  /** Nodes that were told to drain, and have. */
  readonly drained = new Set<number>();
  /** Nodes that run and never get ready. */
  readonly sick = new Set<number>();
  /** Nodes that run and give no answer. */
  readonly silent = new Set<number>();
  /** Nodes that hang when they are told to end. */
  readonly hanging = new Set<number>();
  output = '';
  readonly cluster: LocalCluster;

  constructor(text = manifest(3)) {
    this.host.disk.put(FILE, text);
    this.host.network.answer = (request) => this.#answer(request);
    this.cluster = new LocalCluster(
      this.host,
      {
        manifestFile: FILE,
        crdYaml: CRD,
        data: '/data',
        basePort: 8850,
        metricsBasePort: 9100,
        etcdBasePort: 8950,
        vipPort: undefined,
        logLevel: 'info',
        withHints: true,
      },
      {
        launcher: { processes: this.#processes(), command: 'node', args: ['nacos-kube.ts'], env: { MODE: undefined } },
        terminal: { isInteractive: false, columns: () => 100, write: (written) => (this.output += written) },
        own: { pid: 1, isRunning: (pid) => pid === 99 },
        rewrite: async (file, written) => this.host.disk.put(file, written),
      },
    );
  }

  async start(): Promise<void> {
    await this.cluster.start();
    await this.host.advance(3_000);
  }

  running(job: string): readonly number[] {
    return [...this.#running.values()].filter((child) => child.job === job).map(({ port }) => port);
  }

  child(port: number): Child {
    const child = this.#running.get(port);
    assert.ok(child, `nothing runs on ${port}`);
    return child;
  }

  list() {
    return parseMemberList(this.host.disk.files.get('/data/demo/members.conf') ?? '');
  }

  #processes(): Processes {
    return {
      spawn: async (_command, args, { onOutput }) => {
        if (this.cannotStart) throw new ProcessError('cannot start node: no such file');
        const { promise: exited, resolve } = Promise.withResolvers<ProcessExit>();
        const flag = args[1] === 'server' ? '--port' : '--metrics-port';
        const port = Number(args[args.indexOf(flag) + 1]);
        const child: Child = {
          job: args[1] ?? '',
          port,
          args,
          signals: [],
          say: (line) => onOutput?.(line, 'stderr'),
          exit: (code, signal) => {
            this.#running.delete(port);
            this.drained.delete(port);
            resolve({ code, signal: signal ?? null });
          },
        };
        this.children.push(child);
        this.#running.set(port, child);
        const kill = (signal: string) => {
          child.signals.push(signal);
          if (signal === 'SIGKILL' || !this.hanging.has(port)) child.exit(null, signal);
        };
        return { pid: 1_000 + this.children.length, exited, kill };
      },
    };
  }

  #answer({ port, path }: OutboundRequest) {
    if (path === SIDECAR_DRAIN_PATH) return this.#drain(port + 1_000);
    if (!this.#running.has(port)) throw new NetworkError('refused', 'nobody there');
    if (this.silent.has(port)) throw new NetworkError('timeout', 'no answer');
    if (this.drained.has(port) || this.sick.has(port)) return httpAnswer('not ready', 503);
    const nodes = this.running('server').filter((other) => !this.drained.has(other) && !this.sick.has(other));
    const extendInfo = { listGeneration: 1, syncLagEntries: 2, syncLagSeconds: 0.1, peersCompared: nodes.length - 1 };
    const data = nodes.map((other) => ({ address: `127.0.0.1:${other}`, state: 'UP', extendInfo }));
    return path === '/nacos/v1/core/cluster/nodes' ? httpAnswer({ code: 200, data }) : httpAnswer('OK');
  }

  #drain(port: number) {
    if (!this.#running.has(port)) throw new NetworkError('refused', 'nobody there');
    this.drained.add(port);
    return httpAnswer({ drained: true });
  }
}
