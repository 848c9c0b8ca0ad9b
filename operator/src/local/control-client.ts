import { DiskError, type Host, NetworkError } from '@nacos-kube/core/host/host.ts';
import {
  type ControlFile,
  OPERATION_PATH,
  RESTART_PATH,
  type RestartRequest,
  SCALE_PATH,
  type ScaleRequest,
  STATUS_PATH,
} from './control.ts';
import { CONTROL_FILE, LOOPBACK } from './layout.ts';
import type { Progress } from './operation.ts';
import type { ClusterStatus } from './status.ts';

const TIMEOUT_MS = 10_000;
const ANSWER_BYTES_MAX = 1024 * 1024;
const FOLLOW_PERIOD_MS = 200;

/** Why a running cluster could not be asked, in words for whoever asked. */
export class ControlError extends Error {
  override readonly name = 'ControlError';
}

export interface Where {
  /** As it was given to `up`. */
  readonly data: string;
  /** Of the cluster; undefined: the only one that runs there. */
  readonly name: string | undefined;
}

/** The clusters that run in a directory have a file each that says where they are spoken to. */
export async function findCluster(host: Host, { data, name }: Where): Promise<ControlClient> {
  const names = name === undefined ? await host.disk.list(data) : [name];
  const what = name === undefined ? 'no cluster runs' : `no cluster ${name} runs`;
  const nothing = `${what} in ${data}: start one with nacos-kube up -f FILE --data ${data}`;
  const found: { readonly name: string; readonly client: ControlClient }[] = [];
  for (const one of names) {
    const file = await readControlFile(host, `${data}/${one}/${CONTROL_FILE}`);
    if (file !== undefined) found.push({ name: one, client: new ControlClient(host, file, nothing) });
  }
  // Who was killed has left its file.
  const running = found.length > 1 ? await answering(found) : found;
  const [first, ...more] = running;
  if (first === undefined) throw new ControlError(nothing);
  if (more.length === 0) return first.client;
  const all = running.map((one) => one.name).join(', ');
  throw new ControlError(`${running.length} clusters run in ${data}: choose with --name one of ${all}`);
}

async function answering<T extends { readonly client: ControlClient }>(found: readonly T[]): Promise<readonly T[]> {
  const answers = await Promise.allSettled(found.map(({ client }) => client.status()));
  return found.filter((_, index) => answers[index]?.status === 'fulfilled');
}

/** Speaks to the process that runs a cluster. Rejects with `ControlError`. */
export class ControlClient {
  readonly #host: Host;
  readonly #file: ControlFile;
  readonly #whenGone: string;

  constructor(host: Host, file: ControlFile, whenGone: string) {
    this.#host = host;
    this.#file = file;
    this.#whenGone = whenGone;
  }

  async status(): Promise<ClusterStatus> {
    return (await this.#ask('GET', STATUS_PATH)) as ClusterStatus;
  }

  async scale(request: ScaleRequest): Promise<number> {
    return ((await this.#ask('POST', SCALE_PATH, request)) as { id: number }).id;
  }

  async restart(request: RestartRequest): Promise<number> {
    return ((await this.#ask('POST', RESTART_PATH, request)) as { id: number }).id;
  }

  /** Hands on the lines of an operation as they come; resolves with whether it went well. */
  async follow(id: number, onLine: (line: string) => void): Promise<boolean> {
    for (let from = 0; ; ) {
      const answer = (await this.#ask('GET', `${OPERATION_PATH}?id=${id}&from=${from}`)) as Progress;
      for (const line of answer.lines) onLine(line);
      if (answer.outcome !== 'running') return answer.outcome === 'done';
      from = answer.next;
      await this.#host.clock.sleep(FOLLOW_PERIOD_MS);
    }
  }

  async #ask(method: 'GET' | 'POST', path: string, content?: unknown): Promise<unknown> {
    const { port, token, pid } = this.#file;
    try {
      const { status, body } = await this.#host.network.request({
        address: LOOPBACK,
        port,
        method,
        path,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(content === undefined ? {} : { body: JSON.stringify(content) }),
        timeoutMs: TIMEOUT_MS,
        bodyBytesMax: ANSWER_BYTES_MAX,
      });
      const text = new TextDecoder().decode(body);
      if (status >= 300) throw new ControlError(text);
      return JSON.parse(text);
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
      if (error.kind === 'refused') throw new ControlError(this.#whenGone, { cause: error });
      throw new ControlError(`process ${pid}, which runs the cluster, does not answer: ${error.message}`);
    }
  }
}

/** Undefined when there is none, or it was not written by an `up`. */
async function readControlFile(host: Host, path: string): Promise<ControlFile | undefined> {
  try {
    const { pid, port, token } = JSON.parse(new TextDecoder().decode(await host.disk.read(path))) as ControlFile;
    const isWhole = Number.isSafeInteger(pid) && Number.isSafeInteger(port) && /^[\w-]+$/.test(token);
    return isWhole ? { pid, port, token } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    if (!(error instanceof DiskError)) throw error;
    if (error.kind === 'denied') throw new ControlError(`${path} cannot be read: it belongs to whoever started up`);
    return undefined;
  }
}
