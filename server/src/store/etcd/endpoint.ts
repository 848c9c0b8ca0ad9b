import { X509Certificate } from 'node:crypto';
import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  type ClientUnaryCall,
  credentials,
  type Metadata,
  type VerifyOptions,
} from '@grpc/grpc-js';
import type { Host } from '@nacos-kube/core/host/host.ts';
import { isIpLiteral } from '@nacos-kube/core/model/ip-literal.ts';
import { EtcdFailure, failureOf } from './failure.ts';
import { type Calls, methodOf, type Streams } from './protocol.ts';
import type { EtcdSettings } from './settings.ts';

/** As many calls in a row without an answer end a connection: it may lead to a machine that is gone. */
const LATE_IN_ROW_MAX = 2;
/** Etcd takes it ill when it is asked more often than every 5 s. */
const KEEPALIVE_MS = 6000;
const KEEPALIVE_TIMEOUT_MS = 3000;
/** TLS knows no server by its address, so a name is sent that no certificate needs to have; `checkIp` checks the address. */
const NAME_SHOWN = 'etcd';
const CHANNEL = {
  'grpc.max_receive_message_length': 256 * 1024 * 1024,
  'grpc.max_send_message_length': -1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
  'grpc.dns_min_time_between_resolutions_ms': 1000,
  'grpc.keepalive_time_ms': KEEPALIVE_MS,
  'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.use_local_subchannel_pool': 1,
} as const;

/** One member of the etcd cluster, or what stands before several. */
export class EtcdEndpoint {
  readonly url: string;
  readonly #host: Host;
  readonly #settings: EtcdSettings;
  readonly #calls = new Set<ClientUnaryCall>();
  #client: Promise<Client> | undefined;
  #lateInRow = 0;

  constructor(host: Host, settings: EtcdSettings, url: string) {
    this.#host = host;
    this.#settings = settings;
    this.url = url;
  }

  /** Rejects with `EtcdFailure`. */
  async call<Name extends keyof Calls>(
    name: Name,
    request: Calls[Name][0],
    metadata: Metadata,
    timeoutMs: number,
  ): Promise<Calls[Name][1]> {
    const client = await this.#connected();
    const { path, requestSerialize, responseDeserialize } = methodOf<Calls[Name][0], Calls[Name][1]>(name);
    const deadline = this.#host.clock.now() + timeoutMs;
    try {
      const answer = await new Promise<Calls[Name][1]>((resolve, reject) => {
        const done = (error: Error | null, value?: Calls[Name][1]) => {
          this.#calls.delete(call);
          if (error !== null) reject(error);
          else resolve(value!);
        };
        const call: ClientUnaryCall = client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          request,
          metadata,
          { deadline },
          done,
        );
        this.#calls.add(call);
      });
      this.#lateInRow = 0;
      return answer;
    } catch (error) {
      const failure = failureOf(error, `etcd ${this.url}`);
      this.#failed(failure);
      throw failure;
    }
  }

  async stream<Name extends keyof Streams>(
    name: Name,
    metadata: Metadata,
  ): Promise<ClientDuplexStream<Streams[Name][0], Streams[Name][1]>> {
    const client = await this.#connected();
    const { path, requestSerialize, responseDeserialize } = methodOf<Streams[Name][0], Streams[Name][1]>(name);
    return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
  }

  close(): void {
    for (const call of this.#calls) call.cancel();
    this.#disconnect();
  }

  #connected(): Promise<Client> {
    if (this.#client === undefined) {
      const connecting = this.#connect();
      connecting.catch(() => {
        if (this.#client === connecting) this.#client = undefined;
      });
      this.#client = connecting;
    }
    return this.#client;
  }

  async #connect(): Promise<Client> {
    const nameShown = this.#ip === undefined ? {} : { 'grpc.ssl_target_name_override': NAME_SHOWN };
    return new Client(new URL(this.url).host, await this.#credentials(), { ...CHANNEL, ...nameShown });
  }

  /** Read for each connection, so that certificates that were renewed are taken. */
  async #credentials(): Promise<ChannelCredentials> {
    if (!this.url.startsWith('https:')) return credentials.createInsecure();
    const { caFile, certFile, keyFile } = this.#settings;
    try {
      const [ca, key, cert] = await Promise.all([caFile, keyFile, certFile].map((path) => this.#read(path)));
      const ip = this.#ip;
      const verify =
        ip === undefined ? {} : { checkServerIdentity: (_: string, shown: PeerCertificate) => checkIp(ip, shown) };
      return credentials.createSsl(ca ?? null, key ?? null, cert ?? null, verify);
    } catch (cause) {
      const message = `etcd ${this.url}: its certificates cannot be used: ${(cause as Error).message}`;
      throw new EtcdFailure(message, { kind: 'misconfigured' }, cause);
    }
  }

  get #ip(): string | undefined {
    const host = new URL(this.url).hostname.replace(/^\[|\]$/g, '');
    return isIpLiteral(host) ? host : undefined;
  }

  async #read(path: string | undefined): Promise<Buffer | undefined> {
    return path === undefined ? undefined : Buffer.from(await this.#host.disk.read(path));
  }

  #failed(failure: EtcdFailure): void {
    this.#lateInRow = failure.reason === 'late' ? this.#lateInRow + 1 : 0;
    if (!failure.isPassing) return;
    if (this.#lateInRow >= LATE_IN_ROW_MAX || this.url.startsWith('https:')) this.#disconnect();
  }

  /** Calls under way go on where they can; the next one connects anew. */
  #disconnect(): void {
    this.#lateInRow = 0;
    this.#client?.then(
      (client) => client.close(),
      () => undefined,
    );
    this.#client = undefined;
  }
}

type PeerCertificate = Parameters<NonNullable<VerifyOptions['checkServerIdentity']>>[1];

function checkIp(ip: string, { raw }: PeerCertificate): Error | undefined {
  if (new X509Certificate(raw).checkIP(ip) !== undefined) return undefined;
  return new Error(`the certificate is not for ${ip}`);
}
