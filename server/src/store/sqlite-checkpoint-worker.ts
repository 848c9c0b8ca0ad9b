import { DatabaseSync } from 'node:sqlite';
import { OpenFile } from '@nacos-kube/core/host/node/open-file.ts';
import { workerPort } from '@nacos-kube/core/host/node/worker.ts';
import { type CheckpointData, PASSES, PASSIVE } from './sqlite-checkpoint.ts';

/**
 * One pass for each message. What it copies sqlite makes durable only when nothing was written meanwhile, so this is done
 * here as well: else the writer would wait for all of it at the end. A pass that fails leaves the log as it was.
 */
const port = workerPort<null, never>();
const { path, state } = port.data as CheckpointData;
const file = new OpenFile(path);
let database: DatabaseSync | undefined;

port.onMessage(() => Atomics.store(state, 0, copied() ? PASSES.copied : PASSES.failed));

function copied(): boolean {
  try {
    database ??= opened();
    const { busy } = database.prepare(PASSIVE).get() as { busy: number };
    if (busy === 0) file.sync();
    return busy === 0;
  } catch {
    return false;
  }
}

function opened(): DatabaseSync {
  const made = new DatabaseSync(path, { timeout: 0, allowExtension: false });
  made.exec('PRAGMA trusted_schema = OFF; PRAGMA synchronous = FULL;');
  return made;
}
