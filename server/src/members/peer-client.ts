import { type Host, type InboundResponse, NetworkError } from '@nacos-kube/core/host/host.ts';
import { peerPort } from '@nacos-kube/core/model/member.ts';
import { splitMemberAddress } from '@nacos-kube/core/model/member-list.ts';
import type { PeerAuth } from '../http/peer-auth.ts';

/** Calls under way to one peer; what comes meanwhile waits for one of them to end. */
export const CALLS_PER_PEER_MAX = 8;
export const CALLS_WAITING_PER_PEER_MAX = 256;
export const PEER_REQUEST_BYTES_MAX = 16 * 1024 * 1024;
export const PEER_ANSWER_BYTES_MAX = 64 * 1024 * 1024;
const ERROR_TEXT_MAX = 200;

/**
 * - `refused`: the host is there, nobody listens: the process has ended.
 * - `unreachable`: no connection, or it was cut.
 * - `timeout`: no answer in time.
 * - `denied`: the peer does not accept our key, or proves none itself.
 * - `failed`: it answered with an error, or we could not ask.
 */
export type PeerErrorKind = 'refused' | 'unreachable' | 'timeout' | 'denied' | 'failed';

export class PeerError extends Error {
  override readonly name = 'PeerError';
  readonly kind: PeerErrorKind;
  constructor(kind: PeerErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** Rejects with `PeerError` only. */
export type PeerCall = (
  peer: string,
  path: string,
  value: unknown,
  timeoutMs: number,
  options?: PeerCallOptions,
) => Promise<unknown>;

export interface PeerCallOptions {
  /** Does not wait behind other calls: for reports, which must not look like a dead peer when there is much to do. */
  readonly isUrgent?: boolean;
}

interface Lane {
  underWay: number;
  readonly waiting: (() => void)[];
}

/** JSON to the peer port of other members, signed, over kept connections. */
export class PeerClient {
  readonly #host: Host;
  readonly #auth: PeerAuth;
  readonly #lanes = new Map<string, Lane>();

  constructor(host: Host, auth: PeerAuth) {
    this.#host = host;
    this.#auth = auth;
  }

  readonly call: PeerCall = async (peer, path, value, timeoutMs, options = {}) => {
    const body = JSON.stringify(value);
    if (Buffer.byteLength(body) > PEER_REQUEST_BYTES_MAX) {
      throw new PeerError('failed', `${path} to ${peer}: ${body.length} characters are too many`);
    }
    const deadlineMs = this.#host.clock.monotonic() + timeoutMs;
    if (options.isUrgent) return this.#exchange(peer, path, body, deadlineMs);
    const lane = await this.#enter(peer, path, timeoutMs);
    try {
      return await this.#exchange(peer, path, body, deadlineMs);
    } finally {
      this.#leave(peer, lane);
    }
  };

  async #exchange(peer: string, path: string, body: string, deadlineMs: number): Promise<unknown> {
    const timeoutMs = deadlineMs - this.#host.clock.monotonic();
    if (timeoutMs <= 0) throw new PeerError('timeout', `${path} to ${peer}: other calls took all its time`);
    // Signed at the last moment: what waited long would look old, or be overtaken too far.
    const signature = this.#auth.signRequest({ to: peer, method: 'POST', target: path, body });
    const { host, port } = splitMemberAddress(peer);
    let answer: InboundResponse;
    try {
      answer = await this.#host.network.request({
        address: host,
        port: peerPort(port),
        method: 'POST',
        path,
        headers: { 'content-type': 'application/json', ...signature.headers },
        body,
        timeoutMs,
        bodyBytesMax: PEER_ANSWER_BYTES_MAX,
      });
    } catch (cause) {
      if (!(cause instanceof NetworkError)) throw cause;
      throw new PeerError(kindOf(cause), `${path} to ${peer}: ${cause.message}`, { cause });
    }
    if (answer.status === 401) throw new PeerError('denied', `${path} to ${peer}: it does not accept our cluster key`);
    if (!this.#auth.isAnswerOf(peer, signature, answer)) {
      throw new PeerError('denied', `${path} to ${peer}: the answer is not signed with the cluster key`);
    }
    const text = new TextDecoder().decode(answer.body);
    if (answer.status !== 200) {
      throw new PeerError('failed', `${path} to ${peer}: ${answer.status} ${text.slice(0, ERROR_TEXT_MAX)}`);
    }
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      throw new PeerError('failed', `${path} to ${peer}: the answer is no JSON`, { cause });
    }
  }

  async #enter(peer: string, path: string, timeoutMs: number): Promise<Lane> {
    const lane = this.#lanes.get(peer) ?? { underWay: 0, waiting: [] };
    this.#lanes.set(peer, lane);
    if (lane.underWay < CALLS_PER_PEER_MAX) {
      lane.underWay++;
      return lane;
    }
    if (lane.waiting.length >= CALLS_WAITING_PER_PEER_MAX) {
      throw new PeerError('failed', `${path} to ${peer}: ${lane.waiting.length} calls wait already`);
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = this.#host.clock.after(timeoutMs, () => {
      lane.waiting.splice(lane.waiting.indexOf(resolve), 1);
      reject(new PeerError('timeout', `${path} to ${peer}: other calls took all its time`));
    });
    lane.waiting.push(resolve);
    try {
      // Whoever leaves hands its place over, so the count stays.
      await promise;
    } finally {
      timer.cancel();
    }
    return lane;
  }

  #leave(peer: string, lane: Lane): void {
    const next = lane.waiting.shift();
    if (next !== undefined) next();
    else if (--lane.underWay === 0) this.#lanes.delete(peer);
  }
}

function kindOf({ kind }: NetworkError): PeerErrorKind {
  switch (kind) {
    case 'refused':
    case 'timeout':
      return kind;
    case 'reset':
    case 'unreachable':
    case 'closed':
      return 'unreachable';
    case 'protocol':
    case 'in-use':
      return 'failed';
  }
}
