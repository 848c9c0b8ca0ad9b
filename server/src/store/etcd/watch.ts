import type { EtcdClient } from './client.ts';
import { EtcdFailure, failureOf, failureSaid } from './failure.ts';
import type { WatchResponse } from './protocol.ts';
import { type Changes, DamagedValueError, readChanges } from './values.ts';

/** What one write changed. */
export interface Written {
  readonly revision: number;
  readonly changes: Changes;
}

export interface Watch {
  /** Nothing is told any more, `onEnd` neither. */
  stop(): void;
}

export interface WatchReader {
  /** Etcd has taken the watch; from then on all is told as it comes. */
  onOpen(): void;
  onWritten(written: readonly Written[]): void;
  /** Once, with why; `isCompacted`: some of what was asked for is no longer kept. */
  onEnd(failure: EtcdFailure, isCompacted: boolean): void;
}

/**
 * All versions of one key from a revision on, in order and each once, until it fails: etcd merges none. A member that
 * knows no leader ends it, since nothing would come there.
 */
export function watchWrites(client: EtcdClient, key: Buffer, startRevision: number, reader: WatchReader): Watch {
  let isOver = false;
  let stop = () => {};
  const end = (failure: EtcdFailure, isCompacted = false) => {
    if (isOver) return;
    isOver = true;
    stop();
    reader.onEnd(failure, isCompacted);
  };
  const take = (answer: WatchResponse) => {
    if (isOver) return;
    if (answer.canceled) {
      const failure = canceled(client, answer);
      end(failure, failure.reason === 'compacted');
      return;
    }
    if (answer.created) reader.onOpen();
    if (answer.events.length === 0) return;
    let written: readonly Written[];
    try {
      written = answer.events.map(writtenOf);
    } catch (cause) {
      if (!(cause instanceof DamagedValueError)) throw cause;
      // What it said is lost, as if it was compacted.
      end(new EtcdFailure(`${client.place}: ${cause.message}`, { kind: 'unavailable' }, cause), true);
      return;
    }
    reader.onWritten(written);
  };
  const open = async () => {
    const { stream, leave } = await client.stream('Watch/Watch');
    // A stream that is canceled says so as an error, to whoever listens.
    stream.on('error', (error) => {
      if (!isOver) leave();
      end(failureOf(error, client.place));
    });
    stream.on('end', () => end(failureSaid('the watch ended', client.place)));
    stream.on('data', take);
    stop = () => stream.cancel();
    if (isOver) {
      stop();
      return;
    }
    const create_request = { key, start_revision: startRevision, progress_notify: true, fragment: true };
    stream.write({ create_request });
  };
  client.background(
    'etcd watch',
    open().catch((error) => end(failureOf(error, client.place))),
  );
  return {
    stop() {
      isOver = true;
      stop();
    },
  };
}

function writtenOf({ type, kv }: WatchResponse['events'][number]): Written {
  return { revision: Number(kv.mod_revision), changes: type === 'PUT' ? readChanges(kv.value) : [] };
}

function canceled(client: EtcdClient, { cancel_reason, compact_revision }: WatchResponse): EtcdFailure {
  const isCompacted = Number(compact_revision) > 0;
  const why = isCompacted ? 'required revision has been compacted' : cancel_reason;
  const failure = failureSaid(why, client.place);
  // Of a token that is worth nothing any more etcd says here that it permits nothing.
  if (failure.reason === 'token' || failure.kind === 'misconfigured') client.forgetToken();
  return failure;
}
