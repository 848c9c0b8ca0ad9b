import type { Host } from '@nacos-kube/core/host/host.ts';
import type { Revision } from '../store.ts';
import type { Patience } from './client.ts';
import { type EtcdContext, requireTime } from './context.ts';
import { EtcdFailure } from './failure.ts';
import { revisionOf, transactionOf } from './kv.ts';
import type { Compare, RequestOp, ResponseOp, TxnResponse } from './protocol.ts';

/** A write that says of itself whether anything newer stands. */
export interface GuardedWrite<T> {
  /** Once this does not hold it never does again. */
  compare(since: Revision): readonly Compare[];
  readonly operations: readonly RequestOp[];
  /** What it takes while it waits. */
  readonly bytes: number;
  /** What is done when it does not hold, by which it is told what stands. */
  readonly otherwise: readonly RequestOp[];
  done(revision: Revision): T;
  /** What it comes to when it did not hold. Of a `lost` one an attempt since then was not answered. */
  refused(told: readonly ResponseOp[], lost: Revision | undefined): Refused<T>;
}

/** `undone`: no attempt was carried out or ever will be; `unknown`: one may have been, before what others wrote since. */
export type Refused<T> = { readonly done: T } | 'undone' | 'unknown';

const LOST_WAIT_MS = 25;
const CONFLICT_WAIT_MS = 2;
const CONFLICT_WAIT_MS_MAX = 50;

/**
 * Writes over what is known at the time, and nothing that comes later: a call that its caller has given up, for the
 * member that it was sent to hangs, may be carried out when that one wakes. So each attempt holds only as long as nothing
 * was written since the newest revision that was known when it began. One that was refused begins again with what stands
 * now; after one without an answer the same is tried again, as it may have been carried out and others may have written
 * over it.
 */
export function writeGuarded<T>(etcd: EtcdContext, patience: Patience, write: GuardedWrite<T>): Promise<T> {
  return etcd.slots.take(patience, write.bytes, () => writeWithin(etcd, patience, write));
}

async function writeWithin<T>(etcd: EtcdContext, patience: Patience, write: GuardedWrite<T>): Promise<T> {
  const { client, known, host } = etcd;
  let since = known.revision;
  let lost: EtcdFailure | undefined;
  for (let conflicts = 0; ; ) {
    let answer: TxnResponse;
    try {
      const request = transactionOf(write.compare(since), write.operations, write.otherwise);
      answer = await client.once('KV/Txn', request, patience);
    } catch (error) {
      if (!(error instanceof EtcdFailure)) throw error;
      lost ??= error.mayBeDone ? error : undefined;
      if (!error.isPassing || !error.mayBeDone || patience.leftMs <= 0) throw lost ?? error;
      await host.clock.sleep(LOST_WAIT_MS * (0.5 + host.random.float()));
      continue;
    }
    const revision = revisionOf(answer);
    noteRevision(etcd, revision);
    if (answer.succeeded) return write.done(revision);
    const refused = write.refused(answer.responses, lost && since);
    if (refused === 'unknown') throw overtaken(client.place, lost);
    if (refused !== 'undone') return refused.done;
    [since, lost] = [revision, undefined];
    await waitForOthers(host, conflicts);
    requireTime(etcd, patience);
    conflicts += 1;
  }
}

function noteRevision({ known }: EtcdContext, revision: Revision): void {
  known.revision = Math.max(known.revision, revision);
}

/** Every second time not at all: what is known is fresh at once only, and old after a wait. */
async function waitForOthers({ clock, random }: Host, conflicts: number): Promise<void> {
  if (conflicts % 2 === 0) return;
  const mostMs = Math.min(CONFLICT_WAIT_MS * 2 ** ((conflicts - 1) / 2), CONFLICT_WAIT_MS_MAX);
  await clock.sleep(mostMs * random.float());
}

function overtaken(place: string, cause: EtcdFailure | undefined): EtcdFailure {
  const message = `${place}: an answer was lost, and others have written the same since`;
  return new EtcdFailure(message, { kind: 'unavailable', mayBeDone: true }, cause);
}
