import { isoTime, parseIsoTime } from '@nacos-kube/core/host/time.ts';
import { parseMemberList } from '@nacos-kube/core/model/member-list.ts';
import type { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { httpAnswer } from '@nacos-kube/core/testing/fake-host.ts';
import type { ConfigMap, Pod, StatefulSet } from '../kube/objects.ts';
import { objectKey } from '../kube/objects.ts';
import { CONFIG_MAPS, PODS, STATEFUL_SETS } from '../kube/resource-types.ts';
import { COMPONENT_ETCD, COMPONENT_LABEL } from '../resources/names.ts';
import { FakeEtcd } from './fake-etcd.ts';
import type { FakeKube } from './fake-kube.ts';

interface Template {
  readonly metadata: { readonly labels: Record<string, string> };
}

/** What the StatefulSet controller, kubelets and members do, a step at each call. */
export class FakeWorkloads {
  readonly #host: FakeHost;
  readonly #kube: FakeKube;
  /** Time from a pod's birth to its readiness. */
  startMs = 3_000;
  /** Pods that never become ready. */
  readonly broken = new Set<string>();
  /** Starts of pods by name. */
  readonly starts = new Map<string, number>();
  readonly etcd: FakeEtcd;
  #ips = 10;

  constructor(host: FakeHost, kube: FakeKube) {
    this.#host = host;
    this.#kube = kube;
    this.etcd = new FakeEtcd(() =>
      this.pods().filter((pod) => pod.metadata.labels?.[COMPONENT_LABEL] === COMPONENT_ETCD),
    );
    host.network.answer = (request) => {
      const pod = kube.readAll<Pod>(PODS).find((one) => one.status?.podIP === request.address);
      if (!pod) throw new Error('no such pod');
      if (request.path.startsWith('/v3/')) return this.etcd.answer(request);
      if (request.path.endsWith('/readiness')) return httpAnswer('OK');
      return httpAnswer({ code: 200, data: this.#members(pod).map((address) => ({ address, state: 'UP' })) });
    };
  }

  /** Lets time pass; the controllers act every half second. */
  async run(ms: number, afterEach: () => void = () => {}): Promise<void> {
    for (let passed = 0; passed < ms; passed += 500) {
      await this.#host.advance(500);
      for (const set of this.#kube.readAll<StatefulSet>(STATEFUL_SETS)) this.#step(set);
      afterEach();
    }
    await this.#host.advance(0);
  }

  pods(): readonly Pod[] {
    return this.#kube.readAll<Pod>(PODS);
  }

  #step(set: StatefulSet): void {
    const template = (set.spec as unknown as { template: Template }).template;
    const revision = `rev-${JSON.stringify(template).length}-${hash(JSON.stringify(template))}`;
    const replicas = set.spec.replicas ?? 0;
    for (let ordinal = 0; ordinal < replicas; ordinal++) this.#start(set, template, ordinal, revision);
    for (const pod of this.pods()) {
      if (pod.metadata.ownerReferences?.[0]?.uid !== set.metadata.uid) continue;
      if (Number(pod.metadata.name.split('-').at(-1)) >= replicas) this.#kube.remove(PODS, objectKey(pod.metadata));
      else this.#becomeReady(pod);
    }
    const status = { observedGeneration: set.metadata.generation ?? 0, replicas, updateRevision: revision };
    this.#kube.put(STATEFUL_SETS, { ...set, status } as StatefulSet, false);
  }

  #start(set: StatefulSet, template: Template, ordinal: number, revision: string): void {
    const name = `${set.metadata.name}-${ordinal}`;
    const key = `${set.metadata.namespace}/${name}`;
    if (this.#kube.read(PODS, key)) return;
    this.starts.set(name, (this.starts.get(name) ?? 0) + 1);
    this.#kube.put(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name,
        namespace: set.metadata.namespace ?? '',
        creationTimestamp: isoTime(this.#host.clock.now()),
        labels: { ...template.metadata.labels, 'controller-revision-hash': revision },
        ownerReferences: [
          { apiVersion: 'apps/v1', kind: 'StatefulSet', name: set.metadata.name, uid: set.metadata.uid ?? '' },
        ],
      },
      status: { podIP: `10.244.0.${this.#ips++}` },
    } as Pod);
  }

  #becomeReady(pod: Pod): void {
    const bornMs = parseIsoTime(pod.metadata.creationTimestamp ?? '') ?? 0;
    const isReady = pod.status?.conditions !== undefined;
    if (isReady || this.broken.has(pod.metadata.name) || this.#host.clock.now() - bornMs < this.startMs) return;
    const ready = { type: 'Ready', status: 'True', lastTransitionTime: isoTime(this.#host.clock.now()) };
    this.#kube.put(PODS, { ...pod, status: { ...pod.status, conditions: [ready] } } as Pod, false);
  }

  /** A member obeys the list in its cluster's ConfigMap. */
  #members(pod: Pod): readonly string[] {
    const cluster = pod.metadata.labels?.['app.kubernetes.io/instance'];
    const map = this.#kube.read<ConfigMap>(CONFIG_MAPS, `${pod.metadata.namespace}/${cluster}-members`);
    const parsed = parseMemberList(map?.data?.['cluster.conf'] ?? '');
    return parsed.kind === 'refused' ? [] : parsed.members;
  }
}

function hash(text: string): number {
  let value = 0;
  for (const char of text) value = (value * 31 + char.charCodeAt(0)) % 1_000_003;
  return value;
}
