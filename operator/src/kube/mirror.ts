import type { Host } from '@nacos-kube/core/host/host.ts';
import type { KubeApi } from './api.ts';
import type { KubeObject, ObjectKey } from './objects.ts';
import { Reflector } from './reflector.ts';
import type { ResourceType } from './resource-types.ts';

export interface Mirrored {
  readonly type: ResourceType;
  readonly labelSelector?: string;
}

export type MirrorChange = (type: ResourceType, before: KubeObject | undefined, after: KubeObject | undefined) => void;

/** Reflectors for several types in several namespaces, as one. */
export class Mirror {
  readonly #byType = new Map<ResourceType, Reflector<KubeObject>[]>();

  /** No namespaces: all of them. */
  constructor(
    host: Host,
    api: KubeApi,
    kubeNamespaces: readonly string[],
    types: readonly Mirrored[],
    onChange: MirrorChange,
  ) {
    const scopes = kubeNamespaces.length === 0 ? [undefined] : kubeNamespaces;
    for (const { type, labelSelector } of types) {
      const reflectors = scopes.map(
        (kubeNamespace) =>
          new Reflector<KubeObject>(host, api, {
            type,
            ...(kubeNamespace === undefined ? {} : { kubeNamespace }),
            ...(labelSelector === undefined ? {} : { labelSelector }),
            onChange: (_key, before, after) => onChange(type, before, after),
          }),
      );
      this.#byType.set(type, reflectors);
    }
  }

  start(): void {
    for (const reflector of this.#all()) reflector.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all().map((reflector) => reflector.stop()));
  }

  /** Whether everything has been listed once. */
  get hasSynced(): boolean {
    return this.#all().every((reflector) => reflector.hasSynced);
  }

  async whenSynced(): Promise<void> {
    await Promise.all(this.#all().map((reflector) => reflector.whenSynced()));
  }

  get<T extends KubeObject>(type: ResourceType, key: ObjectKey): T | undefined {
    for (const reflector of this.#of(type)) {
      const object = reflector.get(key);
      if (object) return object as T;
    }
    return undefined;
  }

  *values<T extends KubeObject>(type: ResourceType): IterableIterator<T> {
    for (const reflector of this.#of(type)) yield* reflector.values() as IterableIterator<T>;
  }

  #of(type: ResourceType): readonly Reflector<KubeObject>[] {
    const reflectors = this.#byType.get(type);
    if (!reflectors) throw new Error(`${type.plural} are not mirrored`);
    return reflectors;
  }

  #all(): Reflector<KubeObject>[] {
    return [...this.#byType.values()].flat();
  }
}
