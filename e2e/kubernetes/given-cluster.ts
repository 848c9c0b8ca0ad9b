/** A cluster of somebody else, by KUBECONFIG: used, never started, changed or stopped. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Report } from './build.ts';
import type { Cluster, ImageReference, Target } from './cluster.ts';
import { describeCluster } from './describe.ts';
import type { Forward } from './door.ts';
import { manifestText } from './manifest.ts';
import { findProgram, type RunOptions, run } from './processes.ts';

const FORWARD_TIMEOUT_MS = 30_000;

export class GivenCluster implements Cluster {
  readonly kind = 'given';
  readonly kubeconfig: string;
  readonly #report: Report;
  readonly #forwards = new Set<Forward>();

  constructor(kubeconfig: string, report: Report = () => {}) {
    this.kubeconfig = kubeconfig;
    this.#report = report;
  }

  kubectl(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return run(requireProgram('kubectl'), ['--kubeconfig', this.kubeconfig, ...args], options);
  }

  helm(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return run(requireProgram('helm'), ['--kubeconfig', this.kubeconfig, ...args], options);
  }

  apply(manifest: string | readonly object[], args: readonly string[] = []): Promise<string> {
    return this.kubectl(['apply', ...args, '-f', '-'], { input: manifestText(manifest) });
  }

  // biome-ignore lint/suspicious/noExplicitAny: what kubectl answers has no type here.
  async get<T = any>(...args: readonly string[]): Promise<T> {
    return JSON.parse(await this.kubectl(['get', ...args, '-o', 'json'])) as T;
  }

  async productImage(): Promise<ImageReference> {
    const image = process.env.NACOS_KUBE_IMAGE;
    if (!image)
      throw new Error(
        'KUBECONFIG names a cluster that we can put no image on: build one (docker build -t NAME .), make it available ' +
          'there (kind load docker-image NAME, or a registry) and set NACOS_KUBE_IMAGE=NAME',
      );
    this.#report(`using image ${image}, which the cluster of ${this.kubeconfig} must have or be able to pull`);
    return { image, pullPolicy: 'IfNotPresent' };
  }

  async importImage(tar: string): Promise<void> {
    this.#report(`not importing ${tar}: the cluster of ${this.kubeconfig} must have its images already`);
  }

  async forward(target: Target): Promise<Forward> {
    if ('host' in target)
      throw new Error(`no way to ${target.host}:${target.port} of a given cluster; name the service or the pod`);
    const what = 'service' in target ? `service/${target.service}` : `pod/${target.pod}`;
    const args = ['--kubeconfig', this.kubeconfig, '-n', target.namespace ?? 'default', 'port-forward', what];
    const child = spawn(requireProgram('kubectl'), [...args, `:${target.port}`], { stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    let said = '';
    child.stderr.on('data', (text: Buffer) => {
      said += text;
    });
    const port = await new Promise<number>((resolve, reject) => {
      const fail = () => reject(new Error(`no port-forward to ${what}: ${said.trim()}`));
      const timer = setTimeout(() => child.kill() && fail(), FORWARD_TIMEOUT_MS);
      child.once('close', () => {
        clearTimeout(timer);
        fail();
      });
      createInterface({ input: child.stdout }).on('line', (line) => {
        const [, text] = /127\.0\.0\.1:(\d+)/.exec(line) ?? [];
        if (text) resolve(Number(text));
        if (text) clearTimeout(timer);
      });
    });
    const forward: Forward = {
      port,
      close: async () => {
        this.#forwards.delete(forward);
        child.kill();
        await ended;
      },
    };
    this.#forwards.add(forward);
    return forward;
  }

  describe(): Promise<string> {
    return describeCluster(this);
  }

  async stop(): Promise<void> {
    for (const forward of [...this.#forwards]) await forward.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

function requireProgram(name: string): string {
  const program = findProgram(name);
  if (!program) throw new Error(`${name} isn't on the PATH; a cluster given by KUBECONFIG is used through it`);
  return program;
}
