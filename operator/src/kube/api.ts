import type { KubeObject, ObjectRef } from './objects.ts';
import type { ResourceType } from './resource-types.ts';

/** The few calls of the Kubernetes API that we make. Every one rejects with `KubeError` only. */
export interface KubeApi {
  list<T extends KubeObject>(type: ResourceType, options: ListOptions): Promise<ListPage<T>>;
  /** Calls back for each event and resolves when the server ends the watch or `signal` aborts it. */
  watch(type: ResourceType, options: WatchOptions, onEvent: (event: WatchEvent) => void): Promise<void>;
  /** Undefined when there is none. */
  get<T extends KubeObject>(type: ResourceType, ref: ObjectRef): Promise<T | undefined>;
  create<T extends KubeObject>(type: ResourceType, object: T): Promise<T>;
  /** Replaces the object; refused (409) unless `resourceVersion` is the current one. */
  update<T extends KubeObject>(type: ResourceType, object: T): Promise<T>;
  /** Server-side apply: makes or changes the fields that the object names, taking them from other managers. */
  apply(type: ResourceType, object: KubeObject, options: ApplyOptions): Promise<KubeObject>;
  /** Missing is fine; another object of that name is left alone. */
  delete(type: ResourceType, ref: ObjectRef, uid: string): Promise<void>;
}

export interface ListOptions {
  /** All namespaces when left out. */
  readonly kubeNamespace?: string;
  readonly labelSelector?: string;
  readonly limit: number;
  /** Of the page before. */
  readonly continue?: string;
}

export interface ListPage<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
  /** Empty on the last page. */
  readonly continue: string;
}

export interface WatchOptions {
  readonly kubeNamespace?: string;
  readonly labelSelector?: string;
  readonly resourceVersion: string;
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  /** With `ERROR` a Status. */
  readonly object: KubeObject & { readonly code?: number; readonly reason?: string; readonly message?: string };
}

export interface ApplyOptions {
  readonly fieldManager: string;
  readonly subresource?: 'status';
}

/** `code` is the HTTP status, 0 when the server did not answer. `reason` is the machine's word for it. */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly code: number;
  readonly reason: string;
  constructor(code: number, reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.reason = reason;
  }
}

/** The view that a write was made from is older than what the server has. */
export function isConflict(error: unknown): boolean {
  return error instanceof KubeError && error.code === 409;
}

/** The resource version is too old to go on from. */
export function isGone(error: unknown): boolean {
  return error instanceof KubeError && error.code === 410;
}

/** The server understood and will never accept it as it is. */
export function isInvalid(error: unknown): boolean {
  return error instanceof KubeError && (error.code === 422 || error.code === 400);
}
