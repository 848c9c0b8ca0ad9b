import { isDeepStrictEqual } from 'node:util';
import type { ApplyOptions, KubeApi, ListOptions, ListPage, WatchEvent, WatchOptions } from '../kube/api.ts';
import { KubeError } from '../kube/api.ts';
import type { KubeObject, ObjectRef } from '../kube/objects.ts';
import { objectKey } from '../kube/objects.ts';
import type { ResourceType } from '../kube/resource-types.ts';

interface Change {
  readonly version: number;
  readonly plural: string;
  readonly event: WatchEvent;
}

interface Watcher {
  readonly plural: string;
  readonly options: WatchOptions;
  readonly onEvent: (event: WatchEvent) => void;
  readonly end: (error?: Error) => void;
}

/** An API server in memory: resource versions, paging, watches from a version, compaction, preconditions, merges. */
export class FakeKube implements KubeApi {
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  #changes: Change[] = [];
  #version = 1;
  #compacted = 0;
  readonly watchers = new Set<Watcher>();
  /** Every call as `verb plural key`. */
  readonly calls: string[] = [];
  /** Thrown by the next calls that it matches. */
  failWith: ((call: string) => Error | undefined) | undefined;
  /** Called after each write that changed something. */
  onWrite: ((type: ResourceType, object: KubeObject) => void) | undefined;

  async list<T extends KubeObject>(type: ResourceType, options: ListOptions): Promise<ListPage<T>> {
    this.#call('list', type, options.continue ?? '');
    const all = [...this.#of(type).values()].filter((object) => isMatch(object, options));
    const from = Number(options.continue || 0);
    const items = all.slice(from, from + options.limit) as T[];
    const next = from + options.limit < all.length ? String(from + options.limit) : '';
    return { items: structuredClone(items), resourceVersion: String(this.#version), continue: next };
  }

  async watch(type: ResourceType, options: WatchOptions, onEvent: (event: WatchEvent) => void): Promise<void> {
    this.#call('watch', type, options.resourceVersion);
    const from = Number(options.resourceVersion);
    if (from < this.#compacted) {
      const object = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old', metadata: {} };
      onEvent({ type: 'ERROR', object: object as never });
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const watcher: Watcher = {
      plural: type.plural,
      options,
      onEvent,
      end: (error) => {
        this.watchers.delete(watcher);
        if (error) reject(error);
        else resolve();
      },
    };
    this.watchers.add(watcher);
    options.signal.addEventListener('abort', () => watcher.end());
    for (const change of this.#changes) if (change.version > from) this.#notify(watcher, change);
    await promise;
  }

  async get<T extends KubeObject>(type: ResourceType, ref: ObjectRef): Promise<T | undefined> {
    this.#call('get', type, objectKey(ref));
    return structuredClone(this.#of(type).get(objectKey(ref))) as T | undefined;
  }

  async create<T extends KubeObject>(type: ResourceType, object: T): Promise<T> {
    const key = objectKey(object.metadata);
    this.#call('create', type, key);
    if (this.#of(type).has(key)) throw new KubeError(409, 'AlreadyExists', `${type.plural} ${key} already exists`);
    return this.put(type, object) as T;
  }

  async update<T extends KubeObject>(type: ResourceType, object: T): Promise<T> {
    const key = objectKey(object.metadata);
    this.#call('update', type, key);
    this.#checkVersion(type, object);
    return this.put(type, object) as T;
  }

  async apply(type: ResourceType, object: KubeObject, options: ApplyOptions): Promise<KubeObject> {
    const key = objectKey(object.metadata);
    this.#call(options.subresource ? 'apply-status' : 'apply', type, key);
    const before = this.#of(type).get(key);
    if (object.metadata.resourceVersion !== undefined && before) this.#checkVersion(type, object);
    if (!before && options.subresource) throw new KubeError(404, 'NotFound', `${type.plural} ${key} not found`);
    return this.put(type, merge(before ?? {}, JSON.parse(JSON.stringify(object))) as KubeObject, !options.subresource);
  }

  async delete(type: ResourceType, ref: ObjectRef, uid: string): Promise<void> {
    const key = objectKey(ref);
    this.#call('delete', type, key);
    if (this.#of(type).get(key)?.metadata.uid === uid) this.remove(type, key);
  }

  // What follows is for tests: what others do to the objects.

  put(type: ResourceType, wish: KubeObject, isSpecWrite = true): KubeObject {
    const key = objectKey(wish.metadata);
    const before = this.#of(type).get(key);
    const stable = { uid: before?.metadata.uid ?? wish.metadata.uid ?? `uid-${type.plural}-${key}-${this.#version}` };
    const generation = before?.metadata.generation ?? 0;
    const candidate = {
      ...structuredClone(wish),
      metadata: { ...structuredClone(wish.metadata), ...stable, generation },
    };
    const resourceVersion = before?.metadata.resourceVersion ?? '';
    const same = { ...candidate, metadata: { ...candidate.metadata, resourceVersion } };
    if (before && isDeepStrictEqual(same, before)) return structuredClone(before);
    const isSpecChanged = isSpecWrite && !isDeepStrictEqual(specOf(before), specOf(wish));
    const version = ++this.#version;
    const after = {
      ...candidate,
      metadata: {
        ...candidate.metadata,
        generation: generation + (isSpecChanged ? 1 : 0),
        resourceVersion: String(version),
      },
    };
    this.#of(type).set(key, after);
    this.#publish({ version, plural: type.plural, event: { type: before ? 'MODIFIED' : 'ADDED', object: after } });
    this.onWrite?.(type, after);
    return structuredClone(after);
  }

  remove(type: ResourceType, key: string): void {
    const object = this.#of(type).get(key);
    if (!object) return;
    this.#of(type).delete(key);
    const version = ++this.#version;
    const last = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
    this.#publish({ version, plural: type.plural, event: { type: 'DELETED', object: last } });
  }

  read<T extends KubeObject>(type: ResourceType, key: string): T | undefined {
    return structuredClone(this.#of(type).get(key)) as T | undefined;
  }

  readAll<T extends KubeObject>(type: ResourceType): T[] {
    return structuredClone([...this.#of(type).values()]) as T[];
  }

  /** Forgets old versions, as etcd does: who goes on from one of them is told 410. */
  compact(): void {
    this.#compacted = this.#version;
    this.#changes = [];
  }

  bookmark(): void {
    const metadata = { name: '', resourceVersion: String(this.#version) };
    for (const { onEvent } of [...this.watchers]) {
      onEvent({ type: 'BOOKMARK', object: { apiVersion: 'v1', kind: 'Any', metadata } });
    }
  }

  endWatches(error?: Error): void {
    for (const watcher of [...this.watchers]) watcher.end(error);
  }

  #of(type: ResourceType): Map<string, KubeObject> {
    let objects = this.#objects.get(type.plural);
    if (!objects) {
      objects = new Map();
      this.#objects.set(type.plural, objects);
    }
    return objects;
  }

  #call(verb: string, type: ResourceType, detail: string): void {
    const call = `${verb} ${type.plural} ${detail}`.trim();
    this.calls.push(call);
    const error = this.failWith?.(call);
    if (error) throw error;
  }

  #checkVersion(type: ResourceType, object: KubeObject): void {
    const current = this.#of(type).get(objectKey(object.metadata));
    if (!current) throw new KubeError(404, 'NotFound', 'not found');
    if (current.metadata.resourceVersion !== object.metadata.resourceVersion) {
      throw new KubeError(409, 'Conflict', 'the object has been modified');
    }
  }

  #publish(change: Change): void {
    this.#changes.push(change);
    for (const watcher of [...this.watchers]) this.#notify(watcher, change);
  }

  #notify(watcher: Watcher, change: Change): void {
    if (change.plural !== watcher.plural || !isMatch(change.event.object, watcher.options)) return;
    watcher.onEvent(structuredClone(change.event));
  }
}

function isMatch(object: KubeObject, options: { kubeNamespace?: string; labelSelector?: string }): boolean {
  const { kubeNamespace, labelSelector } = options;
  if (kubeNamespace !== undefined && object.metadata.namespace !== kubeNamespace) return false;
  return (labelSelector ?? '').split(',').every((term) => {
    const [name = '', value] = term.split('=');
    return name === '' || object.metadata.labels?.[name] === value;
  });
}

function specOf(object: object | undefined): unknown {
  const { metadata: _metadata, status: _status, ...rest } = (object ?? {}) as Record<string, unknown>;
  return rest;
}

/** Maps are merged, lists and values replaced. */
function merge(before: unknown, wish: unknown): unknown {
  if (!isMap(before) || !isMap(wish)) return wish;
  const merged: Record<string, unknown> = { ...before };
  for (const [key, value] of Object.entries(wish)) merged[key] = merge(before[key], value);
  return merged;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
