import { HttpMethod, IsomorphicFetchHttpLibrary, KubeConfig, RequestContext } from '@kubernetes/client-node';
import type { Clock } from '@nacos-kube/core/host/host.ts';
import type { ApplyOptions, KubeApi, ListOptions, ListPage, WatchEvent, WatchOptions } from './api.ts';
import { KubeError } from './api.ts';
import type { KubeObject, ObjectRef } from './objects.ts';
import type { ResourceType } from './resource-types.ts';
import { apiVersionOf, resourcePath } from './resource-types.ts';

/** No call but a watch takes longer. */
const CALL_TIMEOUT_MS = 20_000;
/** Of one line of a watch; an object in etcd has 1.5 MB at most. */
const WATCH_LINE_CHARS_MAX = 16 * 1024 * 1024;
/** Certificates and addresses are read anew after this. */
const DISPATCHER_MS = 600_000;

type Dispatcher = NonNullable<ReturnType<RequestContext['getDispatcher']>>;
type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * The real API. Kubeconfig, authentication, TLS, proxies and transport are client-node's; paths and JSON are ours, for
 * its typed calls drop what they don't know and its watch and informers end for good on the first error.
 */
export class KubeClient implements KubeApi {
  readonly #config: KubeConfig;
  readonly #clock: Clock;
  readonly #http = new IsomorphicFetchHttpLibrary();
  readonly #server: string;
  #dispatcher: { readonly value: Dispatcher | undefined; readonly madeMs: number } | undefined;

  constructor(config: KubeConfig, clock: Clock) {
    const server = config.getCurrentCluster()?.server;
    if (!server) throw new Error('the kubeconfig has no current cluster: set current-context, or pass --kubeconfig');
    this.#config = config;
    this.#clock = clock;
    this.#server = server.replace(/\/+$/, '');
  }

  /** From a file, else as kubectl finds it, else from the pod's own service account. */
  static load(path: string | undefined, clock: Clock): KubeClient {
    const config = new KubeConfig();
    if (path === undefined) config.loadFromDefault();
    else config.loadFromFile(path);
    return new KubeClient(config, clock);
  }

  async list<T extends KubeObject>(type: ResourceType, options: ListOptions): Promise<ListPage<T>> {
    const { kubeNamespace, ...query } = options;
    const path = resourcePath(type, kubeNamespace);
    const list = (await this.#call('GET', path, { ...query })) as {
      readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
      readonly items?: readonly T[];
    };
    // Items of a list carry neither apiVersion nor kind.
    const shape = { apiVersion: apiVersionOf(type), kind: type.kind };
    return {
      items: (list.items ?? []).map((item) => ({ ...shape, ...item })),
      resourceVersion: list.metadata.resourceVersion ?? '',
      continue: list.metadata.continue ?? '',
    };
  }

  async watch(type: ResourceType, options: WatchOptions, onEvent: (event: WatchEvent) => void): Promise<void> {
    const { kubeNamespace, signal, ...query } = options;
    const path = resourcePath(type, kubeNamespace);
    try {
      const response = await this.#send('GET', path, { ...query, watch: true, allowWatchBookmarks: true }, signal);
      if (response.httpStatusCode !== 200) throw statusError(response.httpStatusCode, await response.body.text());
      const { body } = response as unknown as { body: { stream(): AsyncIterable<Uint8Array> } };
      for await (const line of lines(body.stream())) onEvent(JSON.parse(line) as WatchEvent);
    } catch (error) {
      if (signal.aborted) return;
      throw asKubeError(error);
    }
  }

  async get<T extends KubeObject>(type: ResourceType, ref: ObjectRef): Promise<T | undefined> {
    try {
      return (await this.#call('GET', resourcePath(type, ref.namespace, ref.name))) as T;
    } catch (error) {
      if (error instanceof KubeError && error.code === 404) return undefined;
      throw error;
    }
  }

  async create<T extends KubeObject>(type: ResourceType, object: T): Promise<T> {
    return (await this.#call('POST', resourcePath(type, object.metadata.namespace), {}, object)) as T;
  }

  async update<T extends KubeObject>(type: ResourceType, object: T): Promise<T> {
    const { namespace, name } = object.metadata;
    return (await this.#call('PUT', resourcePath(type, namespace, name), {}, object)) as T;
  }

  async apply(type: ResourceType, object: KubeObject, options: ApplyOptions): Promise<KubeObject> {
    const { namespace, name } = object.metadata;
    const path = resourcePath(type, namespace, name) + (options.subresource ? `/${options.subresource}` : '');
    const query = { fieldManager: options.fieldManager, force: true };
    return (await this.#call('PATCH', path, query, object)) as KubeObject;
  }

  async delete(type: ResourceType, ref: ObjectRef, uid: string): Promise<void> {
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid }, propagationPolicy: 'Background' };
    try {
      await this.#call('DELETE', resourcePath(type, ref.namespace, ref.name), {}, body);
    } catch (error) {
      if (error instanceof KubeError && (error.code === 404 || error.code === 409)) return;
      throw error;
    }
  }

  async #call(method: Method, path: string, query: Query = {}, body?: object): Promise<unknown> {
    const abort = new AbortController();
    const timer = this.#clock.after(CALL_TIMEOUT_MS, () => abort.abort());
    try {
      const response = await this.#send(method, path, query, abort.signal, body);
      const text = await response.body.text();
      if (response.httpStatusCode < 200 || response.httpStatusCode > 299)
        throw statusError(response.httpStatusCode, text);
      return JSON.parse(text);
    } catch (error) {
      if (abort.signal.aborted) {
        throw new KubeError(0, 'Timeout', `${method} ${path} took over ${CALL_TIMEOUT_MS} ms`, { cause: error });
      }
      throw asKubeError(error);
    } finally {
      timer.cancel();
    }
  }

  async #send(method: Method, path: string, query: Query, signal: AbortSignal, body?: object) {
    const context = new RequestContext(`${this.#server}${path}${queryText(query)}`, HttpMethod[method]);
    await this.#config.applySecurityAuthentication(context);
    context.setDispatcher(this.#sharedDispatcher(context.getDispatcher()) as Dispatcher);
    context.setHeaderParam('Accept', 'application/json');
    context.setSignal(signal);
    if (body !== undefined) {
      // Of the patches we only know server-side apply. Its type says YAML, and JSON is YAML.
      context.setHeaderParam('Content-Type', method === 'PATCH' ? 'application/apply-patch+yaml' : 'application/json');
      context.setBody(JSON.stringify(body));
    }
    try {
      return await this.#http.send(context).toPromise();
    } catch (error) {
      if (!signal.aborted) this.#dispatcher = undefined; // its addresses or certificates may be old
      throw error;
    }
  }

  /** client-node makes one per call, with connections of its own; one for all keeps them open. */
  #sharedDispatcher(fresh: Dispatcher | undefined): Dispatcher | undefined {
    const nowMs = this.#clock.monotonic();
    if (!this.#dispatcher || nowMs - this.#dispatcher.madeMs > DISPATCHER_MS) {
      this.#dispatcher = { value: fresh, madeMs: nowMs };
    }
    return this.#dispatcher.value;
  }
}

async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true });
    let from = 0;
    for (let at = rest.indexOf('\n'); at >= 0; at = rest.indexOf('\n', from)) {
      if (at > from) yield rest.slice(from, at);
      from = at + 1;
    }
    rest = rest.slice(from);
    if (rest.length > WATCH_LINE_CHARS_MAX) throw new Error('a line of the watch is too long');
  }
}

function queryText(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value));
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

/** The body of a refusal is a Status, or what a proxy in between says. */
function statusError(code: number, text: string): KubeError {
  try {
    const status = JSON.parse(text) as { readonly reason?: string; readonly message?: string };
    return new KubeError(code, status.reason ?? '', status.message ?? `the API server answered ${code}`);
  } catch {
    return new KubeError(code, '', `the API server answered ${code}: ${text.slice(0, 200)}`);
  }
}

function asKubeError(error: unknown): KubeError {
  if (error instanceof KubeError) return error;
  const { message, cause } = error as Error;
  const detail = cause instanceof Error ? `: ${cause.message}` : '';
  return new KubeError(0, 'Unreachable', `${message}${detail}`, { cause: error });
}
