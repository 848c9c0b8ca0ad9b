import { BackOff } from '@nacos-kube/core/back-off.ts';
import type { Endpoint, Host, Log, Timer } from '@nacos-kube/core/host/host.ts';
import type { LineStream, SecureRequests } from '@nacos-kube/core/host/secure.ts';
import { type ConfigMap, decodeConfigMap, decodeWatchLine } from './config-map.ts';

export interface ConfigMapPlace extends Endpoint {
  readonly kubeNamespace: string;
  readonly name: string;
  readonly authorityFile: string;
  readonly tokenFile: string;
}

const READ_TIMEOUT_MS = 10_000;
/** Above the 1 MiB that a ConfigMap may have, escaped and with its metadata. */
const OBJECT_BYTES_MAX = 4 * 1024 * 1024;
/** The server sends a bookmark each minute, so longer silence is a dead connection. */
const SILENCE_MS = 90_000;
const WATCH_SECONDS_MIN = 300;
const WATCH_SECONDS_SPREAD = 300;
const BACK_OFF_FIRST_MS = 800;
const BACK_OFF_MAX_MS = 30_000;
/** A watch that lived so long was a good one: the next may start at once. */
const GOOD_WATCH_MS = 5_000;

/**
 * Follows one ConfigMap by the API and never gives up:
 *
 *   reading --ok--> watching --ended--> watching (from the last resource version)
 *      ^               |
 *      +--410, error---+   after a back-off of 0.8 s to 30 s
 */
export class ConfigMapWatch {
  readonly #host: Host;
  readonly #secure: SecureRequests;
  readonly #place: ConfigMapPlace;
  readonly #onChange: (data: ConfigMap['data'] | undefined) => void;
  readonly #log: Log;
  readonly #backOff: BackOff;
  #isStopped = false;
  #stream: LineStream | undefined;
  #pause: { readonly timer: Timer; readonly end: () => void } | undefined;
  #running: Promise<void> | undefined;
  #lastProblem = '';
  /** Reads and watches that failed, for the metrics. */
  failures = 0;

  /** `onChange` gets the data, undefined when there is no such ConfigMap; it may be called with the same data again. */
  constructor(
    host: Host,
    secure: SecureRequests,
    place: ConfigMapPlace,
    onChange: (data: ConfigMap['data'] | undefined) => void,
  ) {
    this.#host = host;
    this.#secure = secure;
    this.#place = place;
    this.#onChange = onChange;
    this.#log = host.log.area('configmap');
    this.#backOff = new BackOff(host.random, BACK_OFF_FIRST_MS, BACK_OFF_MAX_MS);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stream?.close();
    this.#pause?.timer.cancel();
    this.#pause?.end();
    await this.#running;
  }

  async #run(): Promise<void> {
    let version: string | undefined;
    while (!this.#isStopped) {
      const startedMs = this.#host.clock.monotonic();
      try {
        version ??= await this.#read();
        version = await this.#watch(version);
        if (this.#host.clock.monotonic() - startedMs >= GOOD_WATCH_MS) this.#backOff.reset();
        else await this.#wait();
      } catch (error) {
        if (this.#isStopped) return;
        // What was missed meanwhile is in the next whole read; only a watch that ended well goes on from where it was.
        version = undefined;
        this.failures++;
        this.#report(error);
        if (this.#host.clock.monotonic() - startedMs >= GOOD_WATCH_MS) this.#backOff.reset();
        await this.#wait();
      }
    }
  }

  async #read(): Promise<string> {
    const { kubeNamespace, name, ...server } = this.#place;
    const path = `${collection(kubeNamespace)}/${encodeURIComponent(name)}`;
    const request = { ...server, path, timeoutMs: READ_TIMEOUT_MS, bodyBytesMax: OBJECT_BYTES_MAX };
    const { status, body } = await this.#secure.get(request);
    if (status === 404) this.#onChange(undefined);
    if (status !== 200) throw new Error(`reading ConfigMap ${kubeNamespace}/${name}: ${meaning(status)}`);
    const configMap = decodeConfigMap(JSON.parse(new TextDecoder().decode(body)));
    this.#isWell();
    this.#onChange(configMap.data);
    return configMap.resourceVersion;
  }

  /** Resolves with the version to go on from when the server ends the watch in good order. */
  async #watch(from: string): Promise<string> {
    if (this.#isStopped) return from;
    const { kubeNamespace, name, ...server } = this.#place;
    const query = new URLSearchParams({
      watch: '1',
      fieldSelector: `metadata.name=${name}`,
      resourceVersion: from,
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(WATCH_SECONDS_MIN + this.#host.random.int(WATCH_SECONDS_SPREAD)),
    });
    let version: string = from;
    let problem: Error | undefined;
    const onLine = (line: string) => {
      try {
        const event = decodeWatchLine(line);
        version = event.resourceVersion;
        if (event.kind === 'changed') this.#onChange(event.data);
        if (event.kind === 'deleted') this.#onChange(undefined);
      } catch (error) {
        problem = error as Error;
        stream.close();
      }
    };
    const path = `${collection(kubeNamespace)}?${query}`;
    const stream = this.#secure.lines(
      { ...server, path, silenceMs: SILENCE_MS, lineCharsMax: OBJECT_BYTES_MAX },
      onLine,
    );
    this.#stream = stream;
    try {
      const status = await stream.ended;
      if (status !== 200) throw new Error(`watching ConfigMap ${kubeNamespace}/${name}: ${meaning(status)}`);
      return version;
    } catch (error) {
      throw problem ?? error;
    } finally {
      this.#stream = undefined;
    }
  }

  #isWell(): void {
    if (this.#lastProblem !== '') this.#log.info('the ConfigMap can be read again');
    this.#lastProblem = '';
  }

  /** The same problem is told once, not each half minute for a whole night. */
  #report(error: unknown): void {
    const problem = String((error as Error).message ?? error);
    if (problem === this.#lastProblem) return;
    this.#lastProblem = problem;
    this.#log.warn('the ConfigMap cannot be followed, trying again', { error });
  }

  async #wait(): Promise<void> {
    if (this.#isStopped) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pause = { timer: this.#host.clock.after(this.#backOff.nextMs(), resolve), end: resolve };
    await promise;
    this.#pause = undefined;
  }
}

function collection(kubeNamespace: string): string {
  return `/api/v1/namespaces/${encodeURIComponent(kubeNamespace)}/configmaps`;
}

function meaning(status: number): string {
  switch (status) {
    case 401:
      return '401, the token of the service account is not accepted';
    case 403:
      return '403, the service account may not get and watch it: its Role or RoleBinding is missing';
    case 404:
      return '404, there is none';
    case 410:
      return '410, the version to go on from is too old';
    default:
      return `status ${status}`;
  }
}
