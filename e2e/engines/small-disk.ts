/** A disk that can be full: a file system of its own in memory, which is gone with the process that made it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireOrFail } from '../kubernetes/require.ts';

export interface SmallDisk {
  readonly path: string;
  /** Takes all that is left of it. */
  fill(): Promise<void>;
  /** Gives back what `fill` took. */
  free(): Promise<void>;
  /** With all that is on it. */
  remove(): Promise<void>;
}

const MIB = 1024 * 1024;
/** From the largest to what the last page holds. */
const PIECES = [MIB, 64 * 1024, 4096];
const BALLAST = 'ballast';

/** For the `skip` of a test: false, or why there is none here. Where `CI` is set a lack is an error. */
export function smallDiskMissing(): string | false {
  return requireOrFail('a full disk', canMount() ? [] : ['the right to mount a tmpfs (root)']);
}

export async function makeSmallDisk(mib: number): Promise<SmallDisk> {
  const path = await mkdtemp(join(tmpdir(), 'nacos-kube-disk-'));
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m`, 'tmpfs', path]).status !== 0) {
    await rm(path, { recursive: true });
    throw new Error(`no file system of ${mib} MiB can be mounted on ${path}`);
  }
  // Servers that do not run as root look up their folders in it.
  await chmod(path, 0o755);
  const keeper = startKeeper(path);
  const ended = once(keeper, 'close');
  const ballast = join(path, BALLAST);
  return {
    path,
    fill: () => writeUntilFull(ballast),
    free: () => rm(ballast, { force: true }),
    remove: async () => {
      keeper.stdin!.end();
      await ended;
    },
  };
}

function canMount(): boolean {
  // In a namespace that ends with the attempt.
  return spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
}

/** Unmounts when its input ends, which is also when this process dies; lazily, for then servers may still be about. */
function startKeeper(path: string): ChildProcess {
  const keeper = spawn('sh', ['-c', 'cat >/dev/null; umount -l "$0"; rmdir "$0"', path], {
    stdio: ['pipe', 'ignore', 'inherit'],
    detached: true,
  });
  keeper.stdin!.on('error', () => undefined);
  keeper.unref();
  return keeper;
}

async function writeUntilFull(path: string): Promise<void> {
  const file = await open(path, 'a');
  try {
    for (const bytes of PIECES) {
      const piece = Buffer.alloc(bytes, 1);
      while (await canWrite(() => file.write(piece)));
    }
  } finally {
    await file.close();
  }
}

/** A part of a piece is as good as none: the next one, which is smaller, finds out. */
async function canWrite(write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
    throw error;
  }
}
