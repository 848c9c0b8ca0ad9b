/** A node or a VIP as a caller by HTTP sees it. */
import assert from 'node:assert/strict';
import type { Cluster, Target } from '../cluster.ts';

export interface Instance {
  readonly ip: string;
  readonly port: number;
  readonly healthy: boolean;
  readonly ephemeral: boolean;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface Member {
  readonly address: string;
  readonly state: string;
}

const CALL_TIMEOUT_MS = 5_000;

export class Registry {
  readonly #base: string;

  constructor(port: number) {
    this.#base = `http://127.0.0.1:${port}/nacos`;
  }

  /** By a forward that lasts as long as the cluster is open here. */
  static async of(cluster: Cluster, target: Target): Promise<Registry> {
    const { port } = await cluster.forward(target);
    return new Registry(port);
  }

  async register(service: string, ip: string, port: number, rest: Record<string, string> = {}): Promise<void> {
    assert.equal(
      await this.#call('POST', '/v1/ns/instance', { serviceName: service, ip, port: `${port}`, ...rest }),
      'ok',
    );
  }

  async deregister(service: string, ip: string, port: number, rest: Record<string, string> = {}): Promise<void> {
    assert.equal(
      await this.#call('DELETE', '/v1/ns/instance', { serviceName: service, ip, port: `${port}`, ...rest }),
      'ok',
    );
  }

  async beat(service: string, ip: string, port: number): Promise<void> {
    const beat = JSON.stringify({ serviceName: `DEFAULT_GROUP@@${service}`, ip, port, cluster: 'DEFAULT' });
    await this.#call('PUT', '/v1/ns/instance/beat', { serviceName: service, beat });
  }

  async instances(service: string): Promise<readonly Instance[]> {
    const text = await this.#call('GET', '/v1/ns/instance/list', { serviceName: service });
    return (JSON.parse(text) as { readonly hosts: readonly Instance[] }).hosts;
  }

  async publish(dataId: string, content: string): Promise<void> {
    assert.equal(await this.#call('POST', '/v1/cs/configs', { dataId, group: 'DEFAULT_GROUP', content }), 'true');
  }

  read(dataId: string): Promise<string> {
    return this.#call('GET', '/v1/cs/configs', { dataId, group: 'DEFAULT_GROUP' });
  }

  async members(): Promise<readonly Member[]> {
    const { data } = JSON.parse(await this.#call('GET', '/v1/core/cluster/nodes', {})) as { data: readonly Member[] };
    return data;
  }

  /** Value of a metric without labels. */
  async metric(name: string): Promise<number> {
    const text = await this.#call('GET', '/actuator/prometheus', {});
    const line = text.split('\n').find((one) => one.startsWith(`${name} `) || one.startsWith(`${name}{`));
    assert.ok(line !== undefined, `no metric ${name}`);
    return Number(line.slice(line.lastIndexOf(' ')));
  }

  async #call(method: string, path: string, form: Record<string, string>): Promise<string> {
    const query = new URLSearchParams(form).toString();
    const response = await fetch(`${this.#base}${path}?${query}`, {
      method,
      // A connection of its own for each call, so that a VIP chooses anew.
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
    const text = await response.text();
    assert.equal(response.status, 200, `${method} ${path} was answered ${response.status}: ${text.slice(0, 300)}`);
    return text;
  }
}
