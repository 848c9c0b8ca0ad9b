import type { HttpRequest } from '@nacos-kube/core/host/host.ts';
import { createPipeline } from '@nacos-kube/core/http/pipeline.ts';
import { NO_SWITCHES, type Switches } from '@nacos-kube/core/model/switches.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import type { Subscriber } from '@nacos-kube/core/wire/naming-subscribers.ts';
import { createMemoryDatabase, createMemoryStore } from '../store/memory.ts';
import { StoreError } from '../store/store.ts';
import { catalogRoutes } from './catalog-routes.ts';
import { editRoutes } from './edit-routes.ts';
import { legacyRoutes } from './legacy-routes.ts';
import { ALONE, type Ownership } from './operation.ts';
import { Reads } from './reads.ts';
import { Registry } from './registry.ts';
import type { RegistryChange } from './registry-change.ts';
import { namingRoutes } from './routes.ts';
import { NamingService } from './service.ts';
import { serviceRoutes } from './service-routes.ts';

export interface NodeOptions {
  readonly ownership?: Partial<Ownership>;
  readonly switches?: Switches;
  readonly subscribers?: readonly Subscriber[];
  readonly isLoaded?: () => boolean;
  readonly database?: ReturnType<typeof createMemoryDatabase>;
  /** Was the store read once? */
  readonly isRead?: boolean;
}

/** The naming of one node with all its routes, asked as clients do. */
export async function startNode(options: NodeOptions = {}) {
  const { switches = NO_SWITCHES, database = createMemoryDatabase(), isLoaded = () => true, isRead = true } = options;
  const host = new FakeHost();
  const store = createMemoryStore(host, database);
  await store.start();
  const registry = new Registry('m1');
  const ownership = { ...ALONE, ...options.ownership };
  const naming = new NamingService({ host, store, registry, ownership, switches });
  const changes: RegistryChange[] = [];
  naming.changes.subscribe((change) => changes.push(change));
  if (isRead) await naming.feedReader.reread(0);
  const knows = () => naming.notReadyReason() === undefined;
  const reads = new Reads({ registry, isLoaded, knowsStored: knows });
  const isOwn = (service: string) => ownership.isOwn(service);
  const instanceRoutes = [
    ...namingRoutes({
      ...{ naming, switches, isLoaded },
      knowsPersistent: knows,
      now: () => 0,
      subscribe: () => false,
    }),
    ...editRoutes({ host, naming, reads, port: 8848 }),
  ];
  const handler = createPipeline({
    contextPath: '/nacos',
    routes: [
      ...instanceRoutes,
      ...legacyRoutes({ reads, isOwn, routes: instanceRoutes }),
      ...serviceRoutes({ naming, reads, isOwn, subscribers: async () => options.subscribers ?? [] }),
      ...catalogRoutes({ clock: host.clock, reads, checkTimes: () => undefined }),
    ],
    authorize() {},
    clientIp: (request) => request.remote.address,
    answerFailure: (error) =>
      error instanceof StoreError ? { status: 503, headers: {}, body: error.kind } : undefined,
    log: host.log,
  });
  /** Parameters in the query, as most clients send them. */
  const ask = async (method: string, path: string, query = '', agent = 'Nacos-Go-Client:v1.0.1') => {
    const request: HttpRequest = {
      method,
      path: `/nacos/v1/ns${path}`,
      query,
      headers: { 'user-agent': agent },
      body: new Uint8Array(),
      remote: { address: '127.0.0.1', port: 1 },
      onGone() {},
    };
    // As the server's own, whose members are no properties of the object itself.
    const answer = await handler(Object.create(request) as HttpRequest);
    const { status, body } = answer;
    const tail = 'tail' in answer ? String(answer.tail) : '';
    return `${status} ${typeof body === 'string' ? body : new TextDecoder().decode(body)}${tail}`;
  };
  /** The parsed answer of a question that must be well. */
  const get = async (path: string, query = '', agent?: string) => {
    const answer = await ask('GET', path, query, agent);
    if (!answer.startsWith('200 ')) throw new Error(`${path}?${query}: ${answer}`);
    return JSON.parse(answer.slice(4));
  };
  return { host, store, database, registry, naming, changes, ask, get };
}
