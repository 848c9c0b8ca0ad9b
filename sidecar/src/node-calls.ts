import { type Host, NetworkError } from '@nacos-kube/core/host/host.ts';
import { peerPort } from '@nacos-kube/core/model/member.ts';
import type { ProbeVerdict } from '@nacos-kube/core/probe/target.ts';
import {
  type DrainRequest,
  SIDECAR_DRAIN_PATH,
  SIDECAR_LEASE_PATH,
  SIDECAR_VERDICTS_PATH,
  type SidecarLease,
  type SidecarQuestion,
} from '@nacos-kube/core/wire/sidecar.ts';
import { decodeLease } from './lease.ts';

const LEASE_TIMEOUT_MS = 2_000;
/** A page of targets, each with a check of at most some kilobytes, and what the node sees. */
const LEASE_BYTES_MAX = 16 * 1024 * 1024;
const VERDICTS_TIMEOUT_MS = 5_000;
const ANSWER_BYTES_MAX = 64 * 1024;

/** The node answered, but not what was asked for. */
export class NodeAnswerError extends Error {
  override readonly name = 'NodeAnswerError';
  readonly status: number;
  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** What a sidecar and `nacos-kube drain` ask of the node beside them. Rejects with `NetworkError` or `NodeAnswerError`. */
export class NodeCalls {
  readonly #host: Host;
  readonly #port: number;
  readonly #token: string;

  constructor(host: Host, publicPort: number, token: string) {
    this.#host = host;
    this.#port = peerPort(publicPort);
    this.#token = token;
  }

  async lease(question: SidecarQuestion): Promise<SidecarLease> {
    const answer = await this.#post(SIDECAR_LEASE_PATH, question, LEASE_TIMEOUT_MS, LEASE_BYTES_MAX);
    try {
      return decodeLease(JSON.parse(answer));
    } catch (cause) {
      throw new NodeAnswerError(200, `the lease cannot be read: ${(cause as Error).message}`, { cause });
    }
  }

  /** Resolves with how many of them count. */
  async sendVerdicts(verdicts: readonly ProbeVerdict[]): Promise<number> {
    const answer = await this.#post(SIDECAR_VERDICTS_PATH, { verdicts }, VERDICTS_TIMEOUT_MS, ANSWER_BYTES_MAX);
    try {
      return Number((JSON.parse(answer) as { readonly taken?: unknown }).taken);
    } catch (cause) {
      throw new NodeAnswerError(200, `the answer to verdicts cannot be read: ${(cause as Error).message}`, { cause });
    }
  }

  /** Resolves when the node has handed over what it owned, after it has given its callers `lingerMs` to move. */
  async drain(timeoutMs: number, lingerMs: number): Promise<void> {
    const request: DrainRequest = { lingerMs };
    await this.#post(SIDECAR_DRAIN_PATH, request, timeoutMs, ANSWER_BYTES_MAX);
  }

  async #post(path: string, content: unknown, timeoutMs: number, bodyBytesMax: number): Promise<string> {
    const { status, body } = await this.#host.network.request({
      address: '127.0.0.1',
      port: this.#port,
      method: 'POST',
      path,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${this.#token}` },
      body: JSON.stringify(content),
      timeoutMs,
      bodyBytesMax,
    });
    const text = new TextDecoder().decode(body);
    if (status !== 200) throw new NodeAnswerError(status, `${path}: the node answered ${status} ${text.slice(0, 200)}`);
    return text;
  }
}

export function isNodeFailure(error: unknown): error is NetworkError | NodeAnswerError {
  return error instanceof NetworkError || error instanceof NodeAnswerError;
}
