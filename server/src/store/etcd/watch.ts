import type { EtcdClient } from './client.ts';
import { type EtcdFailure, failureOf } from './failure.ts';
import type { WatchResponse } from './protocol.ts';
import { type Changes, readChanges } from './values.ts';

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
    if (answer.canceled)
      return end(failureOf(canceled(client, answer), client.place), Number(answer.compact_revision) > 0);
    if (answer.created) reader.onOpen();
    if (answer.events.length === 0) return;
    reader.onWritten(
      answer.events.map(({ type, kv }) => ({
        revision: Number(kv.mod_revision),
        changes: type === 'PUT' ? readChanges(kv.value) : [],
      })),
    );
  };
  const open = async () => {
    const { stream, leave } = await client.stream('Watch/Watch');
    // A stream that is canceled says so as an error, to whoever listens.
    stream.on('error', (error) => {
      if (!isOver) leave();
      end(failureOf(error, client.place));
    });
    stream.on('end', () => end(failureOf(new Error('the watch ended'), client.place)));
    stream.on('data', (answer: WatchResponse) => {
      try {
        take(answer);
      } catch (error) {
        end(failureOf(error, client.place));
      }
    });
    stop = () => stream.cancel();
    if (isOver) return stop();
    const create_request = { key, start_revision: startRevision, progress_notify: true, fragment: true };
    stream.write({ create_request });
  };
  open().catch((error) => end(failureOf(error, client.place)));
  return {
    stop() {
      isOver = true;
      stop();
    },
  };
}

function canceled(client: EtcdClient, { cancel_reason, compact_revision }: WatchResponse): EtcdFailure {
  const why = Number(compact_revision) > 0 ? 'required revision has been compacted' : cancel_reason;
  const failure = failureOf(new Error(why), client.place);
  if (failure.reason === 'token') client.forgetToken();
  return failure;
}
