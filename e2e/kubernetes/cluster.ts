/**
 * A Kubernetes for a suite: `await using cluster = await openCluster()`, or `stop()` in `after`. Either our own one on
 * this computer, in a folder, or the one that KUBECONFIG names, of which less is promised.
 */
import { isBuilt, missingForBuild, type Report } from './build.ts';
import type { Forward } from './door.ts';
import { GivenCluster } from './given-cluster.ts';
import { missingForImages } from './images.ts';
import { missingForMachines, OwnCluster, type StartOptions } from './own-cluster.ts';
import { findProgram, type RunOptions } from './processes.ts';

export { delay, ProgramError, until } from './processes.ts';
export { requireOrFail } from './require.ts';
export { GivenCluster, OwnCluster };

/** What a program of this computer wants to reach. An address needs our own cluster; the others work on a given one. */
export type Target =
  | { readonly host: string; readonly port: number }
  | { readonly service: string; readonly namespace?: string; readonly port: number }
  | { readonly pod: string; readonly namespace?: string; readonly port: number };

/** An image as a pod names it. */
export interface ImageReference {
  readonly image: string;
  readonly pullPolicy: 'Never' | 'IfNotPresent';
}

export interface Cluster extends AsyncDisposable {
  readonly kind: 'own' | 'given';
  /** A kubeconfig file that works from this computer, for client libraries. */
  readonly kubeconfig: string;
  /** Output of kubectl; rejects with ProgramError. 60 s at most unless told. */
  kubectl(args: readonly string[], options?: RunOptions): Promise<string>;
  helm(args: readonly string[], options?: RunOptions): Promise<string>;
  /** `kubectl apply -f -` of YAML text or of objects. */
  apply(manifest: string | readonly object[], args?: readonly string[]): Promise<string>;
  /** `kubectl get ARGS -o json`, parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: what kubectl answers has no type here.
  get<T = any>(...args: readonly string[]): Promise<T>;
  /** The product of this checkout, on every node; on a given cluster the image that NACOS_KUBE_IMAGE names. */
  productImage(tag?: string): Promise<ImageReference>;
  /** Puts an image tar on every node; does nothing but say so on a given cluster. */
  importImage(tar: string): Promise<void>;
  /** A port of 127.0.0.1 that leads to the target. */
  forward(target: Target): Promise<Forward>;
  /** Everything a reader of a failed test wants: pods, events, logs of what isn't ready. */
  describe(): Promise<string>;
  stop(): Promise<void>;
}

export interface OpenOptions extends StartOptions {
  readonly report?: Report;
}

/** Builds what is missing and starts a cluster, or takes the one of KUBECONFIG or (NACOS_KUBE_REUSE=1) of `main.ts up`. */
export async function openCluster(options: OpenOptions = {}): Promise<Cluster> {
  const report = options.report ?? ((line: string) => console.error(line));
  const given = process.env.KUBECONFIG;
  if (given) return new GivenCluster(given, report);
  if (process.env.NACOS_KUBE_REUSE) return OwnCluster.attach(options.state, report);
  return OwnCluster.start(options, report);
}

/** Why there can be no cluster here; empty when there can. For `requireOrFail` and `skip`. */
export function missingForCluster(): string[] {
  if (process.env.KUBECONFIG)
    return findProgram('kubectl') ? [] : ['kubectl, which works on the cluster of KUBECONFIG'];
  const missing = [...missingForBuild(), ...missingForImages(), ...missingForMachines()];
  if (missing.length > 0) missing.push('or KUBECONFIG, the kubeconfig file of a cluster to use instead (kind, k3d)');
  return missing;
}

/** True when a suite starts at once; else the first start builds for minutes. */
export function isReadyToStart(): boolean {
  return Boolean(process.env.KUBECONFIG) || isBuilt();
}

/** For what only our own cluster can: faults of nodes, programs inside its network, second tags. */
export function asOwn(cluster: Cluster): OwnCluster {
  if (cluster instanceof OwnCluster) return cluster;
  throw new Error('this needs the cluster of e2e/kubernetes, not one given by KUBECONFIG');
}
