import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { OpenFile } from '@nacos-kube/core/host/node/open-file.ts';
import { workerPort } from '@nacos-kube/core/host/node/worker.ts';
import type { CheckpointRequest, CheckpointWorkerData, PassOutcome } from './sqlite-checkpoint.ts';
import { LogCopying, logLook } from './sqlite-copying.ts';
import { SqliteIdentity } from './sqlite-identity.ts';
import { WalIndex } from './sqlite-wal-index.ts';

/** One pass for each message; after one that failed the file is opened anew. */
const port = workerPort<CheckpointRequest, PassOutcome>();
const { opened, descriptors, idleMs } = port.data as CheckpointWorkerData;
let database: DatabaseSync | undefined;
let copying: LogCopying | undefined;
let isIdle = true;

port.onMessage((request) => {
  if (request === 'end') {
    end();
    return;
  }
  isIdle = false;
  port.post(pass());
});
port.every(idleMs, () => {
  if (isIdle) end();
  isIdle = true;
});

function pass(): PassOutcome {
  let of: 'log' | 'thread' = 'thread';
  try {
    copying ??= open();
    of = 'log';
    return { outcome: copying.copy().log < 0 ? 'busy' : 'copied' };
  } catch (error) {
    close();
    return { outcome: 'failed', of, why: String(error) };
  }
}

/**
 * The file and the log that the writer has, and no others that have their names by now: sqlite would copy this log into a
 * file that was put there, or remove the log of a file that is not. It opens the file at once, and its log when first asked.
 */
function open(): LogCopying {
  const { path } = opened;
  const identity = new SqliteIdentity(path, opened);
  // Of this form, so that it is never made anew.
  database = new DatabaseSync(`${pathToFileURL(path)}?mode=rw`, { timeout: 0, allowExtension: false });
  identity.require();
  database.exec('PRAGMA trusted_schema = OFF; PRAGMA synchronous = FULL;');
  logLook(database)();
  identity.require();
  // Not by the writer's: were this thread cut while a sync fails, the writer has to be told of it when it closes the file.
  const [file, index] = [OpenFile.at(path, descriptors), WalIndex.of(path)];
  if (file === undefined || index === undefined) throw new Error('its files are not open in this process');
  return new LogCopying(database, 'PASSIVE', index, () => file.sync());
}

function close(): void {
  copying = undefined;
  database?.close();
  database = undefined;
}

function end(): void {
  close();
  port.close();
}
