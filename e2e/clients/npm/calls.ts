/** Each call as the package's API has it. */
import { NacosConfigClient, NacosNamingClient } from 'nacos';
import type { Instance } from '../program.ts';
import { quietLogger } from './log.ts';
import type { Parameters, Write } from './wire.ts';

/** The package is an event emitter, which its types leave out. */
type Naming = NacosNamingClient & {
  on(event: 'error', listener: (error: Error) => void): void;
  close(): Promise<void>;
};
type InstancesListener = (instances: readonly Instance[]) => void;
type ContentListener = (content: string | null) => void;

export class NpmCalls {
  readonly #write: Write;
  readonly #instancesListeners = new Map<string, InstancesListener>();
  readonly #contentListeners = new Map<string, ContentListener>();
  #naming: Naming | undefined;
  #config: NacosConfigClient | undefined;

  constructor(write: Write) {
    this.#write = write;
  }

  async perform(call: string, at: Parameters): Promise<unknown> {
    const { service, dataId, content } = at;
    const group = at.group ?? 'DEFAULT_GROUP';
    const clusters = (at.clusters ?? []).join(',');
    switch (call) {
      case 'open':
        return await this.#open(at);
      case 'naming.register':
        return await this.#openNaming.registerInstance(service, at.instance as never, group);
      case 'naming.deregister':
        return await this.#openNaming.deregisterInstance(service, at.instance as never, group);
      case 'naming.instances':
        return await this.#openNaming.getAllInstances(service, group, clusters, at.subscribe);
      case 'naming.select':
        return await this.#openNaming.selectInstances(service, group, clusters, at.healthy, at.subscribe);
      case 'naming.subscribe':
        return this.#subscribe(service, group, clusters);
      case 'naming.unsubscribe':
        return this.#unsubscribe(service, group, clusters);
      case 'naming.status':
        return await this.#openNaming.getServerStatus();
      case 'config.publish':
        return await this.#openConfig.publishSingle(dataId, group, content, at.type ? { type: at.type } : undefined);
      case 'config.get':
        return await this.#openConfig.getConfig(dataId, group);
      case 'config.listen':
        return this.#listen(dataId, group);
      case 'config.unlisten':
        return this.#unlisten(dataId, group);
      case 'config.remove':
        return await this.#openConfig.remove(dataId, group);
      case 'http':
        return await request(at);
      default:
        throw new Error(`no such call: ${call}`);
    }
  }

  async close(): Promise<void> {
    await this.#naming?.close();
    await this.#config?.close();
  }

  async #open({ servers, contextPath, namespace, cacheDir }: Parameters): Promise<true> {
    // The package has no setting for it.
    if (contextPath !== '/nacos') throw new Error(`npm nacos-naming knows the path /nacos only, not ${contextPath}`);
    const naming = new NacosNamingClient({
      logger: quietLogger(this.#write),
      serverList: [...servers],
      ...(namespace === undefined ? {} : { namespace }),
    }) as Naming;
    // Without a listener the errors of its background tasks are printed with stacks.
    naming.on('error', () => {});
    await naming.ready();
    const config = new NacosConfigClient({
      serverAddr: servers.join(','),
      cacheDir,
      ...(namespace === undefined ? {} : { namespace }),
    } as never);
    config.on('error', () => {});
    await config.ready();
    this.#naming = naming;
    this.#config = config;
    return true;
  }

  #subscribe(service: string, groupName: string, clusters: string): true {
    const listener: InstancesListener = (instances) => {
      this.#write({ event: 'instances', service, instances });
    };
    this.#instancesListeners.set(`${groupName} ${service}`, listener);
    this.#openNaming.subscribe({ serviceName: service, groupName, clusters } as never, listener as never);
    return true;
  }

  #unsubscribe(service: string, groupName: string, clusters: string): true {
    const listener = this.#instancesListeners.get(`${groupName} ${service}`);
    this.#openNaming.unSubscribe({ serviceName: service, groupName, clusters } as never, listener as never);
    return true;
  }

  #listen(dataId: string, group: string): true {
    const listener: ContentListener = (content) => this.#write({ event: 'config', dataId, content });
    this.#contentListeners.set(`${group} ${dataId}`, listener);
    this.#openConfig.subscribe({ dataId, group }, listener);
    return true;
  }

  #unlisten(dataId: string, group: string): true {
    const listener = this.#contentListeners.get(`${group} ${dataId}`);
    this.#openConfig.unSubscribe({ dataId, group }, listener as never);
    return true;
  }

  get #openNaming(): Naming {
    if (!this.#naming) throw new Error('not open');
    return this.#naming;
  }

  get #openConfig(): NacosConfigClient {
    if (!this.#config) throw new Error('not open');
    return this.#config;
  }
}

/** A request that no client makes, from where the clients are. */
async function request({ url, method = 'GET', headers = {}, body }: Parameters): Promise<unknown> {
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });
  return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
}
