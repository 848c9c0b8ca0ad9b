/** The control groups of a cluster, the one trace outside its folder: `/nk-ID/NODE` in every hierarchy. */
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { until } from './processes.ts';

const ROOT = '/sys/fs/cgroup';
const GONE_TIMEOUT_MS = 20_000;

/** The name of the cluster's group, from the folder of its state, so that a later process finds it again. */
export function clusterGroup(stateFolder: string): string {
  return `nk-${createHash('sha256').update(stateFolder).digest('hex').slice(0, 8)}`;
}

/** The kubelet wants the group it is given to exist in each hierarchy. */
export function makeGroup(path: string): void {
  for (const hierarchy of hierarchies()) {
    mkdirSync(join(hierarchy, path), { recursive: true });
    if (isUnified(hierarchy)) delegate(hierarchy, path);
  }
}

export function groupsLeft(group: string): string[] {
  return hierarchies()
    .map((hierarchy) => join(hierarchy, group))
    .filter((folder) => existsSync(folder));
}

/** Deepest first; the kernel may need a moment after the last process of a group has ended. */
export async function removeGroup(group: string): Promise<void> {
  await until(
    `control groups ${group} are removed`,
    async () => {
      for (const folder of groupsLeft(group)) removeTree(folder);
      return groupsLeft(group).length === 0;
    },
    { timeoutMs: GONE_TIMEOUT_MS },
  );
}

function removeTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) removeTree(join(folder, entry.name));
  try {
    rmdirSync(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EBUSY' && code !== 'ENOENT' && code !== 'ENOTEMPTY') throw error;
  }
}

function hierarchies(): string[] {
  if (isUnified(ROOT)) return [ROOT];
  return readdirSync(ROOT)
    .map((name) => join(ROOT, name))
    .filter((folder) => {
      try {
        accessSync(join(folder, 'cgroup.procs'), constants.W_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function isUnified(folder: string): boolean {
  return folder === ROOT && existsSync(join(ROOT, 'cgroup.controllers'));
}

/** In cgroup v2 a group has only the controllers that its parent hands down. */
function delegate(hierarchy: string, path: string): void {
  const parts = path.split('/').filter(Boolean);
  for (let depth = 0; depth <= parts.length; depth += 1) {
    const folder = join(hierarchy, ...parts.slice(0, depth));
    const controllers = readFileSync(join(folder, 'cgroup.controllers'), 'utf8').trim().split(' ').filter(Boolean);
    writeFileSync(join(folder, 'cgroup.subtree_control'), controllers.map((name) => `+${name}`).join(' '));
  }
}
