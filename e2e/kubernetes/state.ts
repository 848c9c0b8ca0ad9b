/** The folder that every trace of a cluster lies in: who started it, what it left, how it is removed. */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { cacheFolder, type Programs } from './build.ts';
import { clusterGroup, groupsLeft, removeGroup } from './cgroups.ts';
import { killEverything, type State } from './machine.ts';
import { isAlive, type ProcessId, run } from './processes.ts';
import { CHECKOUT } from './product-image.ts';

export interface Description {
  readonly nodes: number;
  readonly isBound: boolean;
  readonly programs: Programs;
  readonly starter: ProcessId | undefined;
}

const SOCKET_PATH_MAX = 107;

/** Ends and removes the cluster of this folder, also one whose starter is dead or that was half started. */
export async function removeCluster(folder: string): Promise<void> {
  const state: State = { folder, isBound: false };
  await killEverything(state);
  await removeGroup(clusterGroup(folder));
  const logs = process.env.NACOS_KUBE_LOGS;
  if (logs && existsSync(join(folder, 'log'))) cpSync(join(folder, 'log'), logs, { recursive: true });
  // Nothing is mounted below it any more; should that be wrong, the other file system stays whole.
  await run('rm', ['-rf', '--one-file-system', folder]);
}

export function stateFolder(given = process.env.NACOS_KUBE_STATE): string {
  const name = createHash('sha256').update(CHECKOUT).digest('hex').slice(0, 8);
  const folder = resolve(given ?? join(tmpdir(), `nacos-kube-${name}`));
  for (const used of [folder, cacheFolder(), import.meta.dirname])
    if (/^\/(var|run|opt|proc|sys)(\/|$)/.test(used))
      throw new Error(`${used} can't be used: a machine has a /var, /run and /opt of its own and would not see it`);
  const socket = join(folder, 'door.sock');
  if (Buffer.byteLength(socket) > SOCKET_PATH_MAX)
    throw new Error(`${folder} is too long a name for a unix socket in it`);
  return folder;
}

/** What runs in a state folder, if anything; for `main.ts status`. */
export function describeState(folder: string): Description | undefined {
  const file = join(folder, 'cluster.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Description) : undefined;
}

/** What a stopped cluster left outside its folder; empty when all is well. */
export function tracesOf(folder: string): string[] {
  const traces = groupsLeft(clusterGroup(folder));
  if (existsSync(folder)) traces.push(folder);
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  traces.push(...mounts.filter((line) => line.includes(`${folder}/`)));
  return traces;
}

/** Another test run may be at it: its cluster isn't torn down under it. */
export function refuseTaken(folder: string): void {
  const description = describeState(folder);
  const { starter, isBound } = description ?? {};
  if (isBound && starter && starter.pid !== process.pid && isAlive(starter))
    throw new Error(`process ${starter.pid} has a cluster in ${folder}; set NACOS_KUBE_STATE to another folder`);
}
