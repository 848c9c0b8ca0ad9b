/** Calls of etcd that nobody but a test makes, by its gateway. */
import assert from 'node:assert/strict';
import type { Endpoint } from '@nacos-kube/core/host/host.ts';
import { createNodeHost } from '@nacos-kube/core/host/node/node-host.ts';
import { EtcdGateway, type EtcdLogin, type EtcdMember } from '@nacos-kube/operator/etcd/gateway.ts';

const CALL_TIMEOUT_MS = 10_000;
const MIB = 1024 * 1024;

export class EtcdCalls {
  readonly #gateway = new EtcdGateway(createNodeHost({ name: 'test', logLevel: 'error', logFormat: 'text' }));
  readonly #at: Endpoint;
  readonly #login: EtcdLogin;
  /** Asked for once: it costs etcd the work of a password hash. */
  #token: Promise<string> | undefined;

  constructor(port: number, login: EtcdLogin) {
    this.#at = { address: '127.0.0.1', port };
    this.#login = login;
  }

  /** As a quorum has them. */
  members(): Promise<readonly EtcdMember[]> {
    return this.#gateway.members(this.#at, this.#login);
  }

  status() {
    return this.#gateway.status(this.#at, this.#login);
  }

  remove(id: string): Promise<void> {
    return this.#gateway.removeMember(this.#at, this.#login, id);
  }

  /** One key is written again and again until etcd takes no more. Resolves with how many MiB that took. */
  async fill(mibMax: number): Promise<number> {
    const value = Buffer.alloc(MIB, 'x').toString('base64');
    for (let mib = 0; mib < mibMax; mib++) {
      const { status, text } = await this.#post('/v3/kv/put', { key: keyOf('/elsewhere'), value });
      if (status === 200) continue;
      assert.match(text, /database space exceeded/);
      return mib;
    }
    throw new Error(`it took ${mibMax} MiB`);
  }

  /** Everything but what is valid now is forgotten; its pages stay in the file. */
  async compact(): Promise<void> {
    const range = await this.#post('/v3/kv/range', { key: keyOf('/elsewhere'), keys_only: true });
    const { header } = JSON.parse(range.text) as { readonly header: { readonly revision: string } };
    const { status, text } = await this.#post('/v3/kv/compaction', { revision: header.revision, physical: true });
    assert.equal(status, 200, text);
  }

  async #post(path: string, body: object): Promise<{ readonly status: number; readonly text: string }> {
    this.#token ??= this.#logIn();
    return await this.#send(path, body, await this.#token);
  }

  async #logIn(): Promise<string> {
    const { user: name, password } = this.#login;
    const { text } = await this.#send('/v3/auth/authenticate', { name, password });
    return (JSON.parse(text) as { readonly token: string }).token;
  }

  async #send(path: string, body: object, token?: string) {
    const response = await fetch(`http://${this.#at.address}:${this.#at.port}${path}`, {
      method: 'POST',
      headers: { connection: 'close', ...(token === undefined ? {} : { authorization: token }) },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
    return { status: response.status, text: await response.text() };
  }
}

function keyOf(text: string): string {
  return Buffer.from(text).toString('base64');
}
