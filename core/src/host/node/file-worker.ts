import {
  closeSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { FileOutcome, FileOutcomes, FileTask, FileTasks } from './file-tasks.ts';
import { workerPort } from './worker.ts';

/** Does what it is asked one after the other, each in as few calls of the system as it takes. */
const port = workerPort<FileTasks, FileOutcomes>();

port.onMessage(({ id, tasks }) => port.post({ id, outcomes: tasks.map(outcomeOf) }));

function outcomeOf(task: FileTask): FileOutcome {
  try {
    switch (task.do) {
      case 'list':
        return readdirSync(task.path).sort();
      case 'write':
        write(task);
        return null;
      case 'remove':
        remove(task.path);
        return null;
      case 'sync':
        sync(task.path);
        return null;
    }
  } catch (error) {
    const isMissing = codeOf(error) === 'ENOENT';
    if (isMissing && task.do === 'list') return [];
    if (isMissing && task.do === 'remove') return null;
    return { code: codeOf(error), message: (error as Error).message };
  }
}

function write({ path, temporary, content, mode, sync: isSynced }: FileTask & { readonly do: 'write' }): void {
  try {
    const file = openMakingDirectory(temporary, mode);
    try {
      writeFileSync(file, content);
      if (isSynced) fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
    if (isSynced) syncOne(dirname(path));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function openMakingDirectory(path: string, mode: number): number {
  try {
    return openSync(path, 'wx', mode);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    mkdirSync(dirname(path), { recursive: true });
    return openSync(path, 'wx', mode);
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    rmSync(path, { recursive: true, force: true });
  }
}

function sync(path: string): void {
  if (!syncOne(path)) syncOne(dirname(path));
}

/** Whether it is a directory. */
function syncOne(path: string): boolean {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
    return fstatSync(file).isDirectory();
  } finally {
    closeSync(file);
  }
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code ?? '');
}
