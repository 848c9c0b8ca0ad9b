import type { Host } from '@nacos-kube/core/host/host.ts';
import { ProtocolError } from '@nacos-kube/core/http/protocol-error.ts';
import type { Operation, OperationResult } from '../naming/operation.ts';
import { inMessages, operationChars } from './message-size.ts';

export const FORWARD_TIMEOUT_MS = 2_000;
export const FORWARD_BATCH_MAX = 500;
/** Between the starts of two batches to an owner, unless there is a whole one: small messages cost more than what they carry. */
export const FORWARD_PACE_MS = 5;
/** Operations that wait for one owner; beyond it clients are told to come back. */
export const FORWARDS_PENDING_MAX = 20_000;

/** Carries operations out at a peer, in order; rejects when it does not answer. */
export type ForwardCall = (
  owner: string,
  operations: readonly Operation[],
  timeoutMs: number,
) => Promise<readonly OperationResult[]>;

interface Waiting {
  readonly operation: Operation;
  readonly resolve: (result: OperationResult | 'unreachable') => void;
  readonly sinceMs: number;
}

interface Queue {
  waiting: Waiting[];
  isSending: boolean;
}

/**
 * Hands operations to their owners: one batch at a time for each, what comes meanwhile goes with the next one. The first
 * one after a pause goes at once.
 */
export class Forwarder {
  readonly #host: Host;
  readonly #call: ForwardCall;
  readonly #queues = new Map<string, Queue>();
  forwarded = 0;
  unreachable = 0;

  constructor(host: Host, call: ForwardCall) {
    this.#host = host;
    this.#call = call;
  }

  forward(owner: string, operation: Operation): Promise<OperationResult | 'unreachable'> {
    let queue = this.#queues.get(owner);
    if (queue === undefined) {
      queue = { waiting: [], isSending: false };
      this.#queues.set(owner, queue);
    }
    if (queue.waiting.length >= FORWARDS_PENDING_MAX) {
      throw new ProtocolError(503, `member ${owner} is overloaded: ${FORWARDS_PENDING_MAX} operations wait for it`);
    }
    const { promise, resolve } = Promise.withResolvers<OperationResult | 'unreachable'>();
    queue.waiting.push({ operation, resolve, sinceMs: this.#host.clock.monotonic() });
    if (!queue.isSending) this.#host.background('forward', this.#drain(owner, queue));
    return promise;
  }

  async #drain(owner: string, queue: Queue): Promise<void> {
    queue.isSending = true;
    while (queue.waiting.length > 0) {
      const [batch = []] = inMessages(queue.waiting, (one) => operationChars(one.operation), FORWARD_BATCH_MAX);
      queue.waiting = queue.waiting.slice(batch.length);
      const operations = batch.map((one) => one.operation);
      // What waited behind another batch has used up some of its time: a client waits two seconds, not four.
      const startedMs = this.#host.clock.monotonic();
      const waitedMs = startedMs - (batch[0]?.sinceMs ?? 0);
      try {
        const results = await this.#call(owner, operations, FORWARD_TIMEOUT_MS - waitedMs);
        this.forwarded += batch.length;
        for (const [index, { resolve }] of batch.entries()) resolve(results[index] ?? 'unreachable');
      } catch (error) {
        this.#giveUp(owner, [...batch, ...queue.waiting.splice(0)], error as Error);
      }
      const restMs = startedMs + FORWARD_PACE_MS - this.#host.clock.monotonic();
      if (restMs > 0 && queue.waiting.length < FORWARD_BATCH_MAX) await this.#host.clock.sleep(restMs);
    }
    queue.isSending = false;
    this.#queues.delete(owner);
  }

  /** Those that wait behind a batch that failed are given up with it: the owner does not answer. */
  #giveUp(owner: string, batch: readonly Waiting[], error: Error): void {
    this.unreachable += batch.length;
    this.#host.log.debug('the owner did not answer, its operations are carried out here', { owner, error });
    for (const { resolve } of batch) resolve('unreachable');
  }
}
