import type { Clock } from '@nacos-kube/core/host/host.ts';
import type { RedisConnection } from './connection.ts';
import { readInfo } from './server-check.ts';

/** Redis puts off a write for no longer, be its disk still at work with what came before. */
const PUT_OFF_MS = 2500;
const AGAIN_MS = 10;

/**
 * Whether a server that does not sync each write has handed its file to the system all that it has answered so far: then
 * it may be killed. It writes after each round of commands, before it answers them, unless it is still syncing what came
 * before; and it answers whether the write failed or not (so the first one on a full disk, which is in its memory alone).
 *
 * A round that began while nothing was being synced has written when the next one begins.
 */
export async function isWritten(connection: RedisConnection, clock: Clock): Promise<boolean> {
  const untilMs = clock.monotonic() + PUT_OFF_MS;
  let isSure = false;
  for (;;) {
    const info = readInfo(String(await connection.command('INFO', 'persistence')));
    if (info.get('aof_last_write_status') === 'err') return false;
    if (isSure || info.get('aof_buffer_length') === '0') return true;
    if (clock.monotonic() >= untilMs) return false;
    if (info.get('aof_pending_bio_fsync') === '0') isSure = true;
    else await clock.sleep(AGAIN_MS);
  }
}
