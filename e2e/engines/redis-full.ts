/** Redis on a full disk: it ends when it must write before it answers, else it takes no writes. */
import { until } from '../kubernetes/processes.ts';
import type { EngineFault, EngineRefusal } from './engine.ts';
import type { RedisServer } from './redis.ts';
import type { SmallDisk } from './small-disk.ts';

const FILLER = 'filler';
const WITHIN_MS = 10_000;

/** As nodes want it: `appendfsync always`. */
export function diskOfRedisFull(redis: RedisServer, disk: SmallDisk): EngineFault {
  return {
    name: 'the disk of Redis is full',
    begin: async () => {
      await disk.fill();
      await until(
        'Redis has ended',
        async () => {
          await write(redis);
          return !redis.isRunning;
        },
        { timeoutMs: WITHIN_MS },
      );
    },
    end: async () => {
      await disk.free();
      await redis.kill();
      await redis.start();
      await redis.command('DEL', FILLER);
    },
  };
}

/** With `appendfsync everysec`. */
export function redisCannotKeep(redis: RedisServer, disk: SmallDisk): EngineRefusal {
  return {
    name: 'Redis cannot write to its disk',
    says: /takes no writes now \(it cannot write to its disk\)/,
    contentLength: 10,
    begin: async () => {
      await redis.command('CONFIG', 'SET', 'appendfsync', 'everysec');
      await disk.fill();
      const isRefused = async () => (await write(redis)).includes('MISCONF');
      await until('Redis takes no writes', isRefused, { timeoutMs: WITHIN_MS });
    },
    end: async () => {
      await disk.free();
      await until('Redis takes writes', async () => (await write(redis)) === 'OK', { timeoutMs: WITHIN_MS });
      await redis.command('DEL', FILLER);
      await redis.command('CONFIG', 'SET', 'appendfsync', 'always');
    },
  };
}

async function write(redis: RedisServer): Promise<string> {
  return redis.command('SET', FILLER, 'x'.repeat(10_000)).then(String, String);
}
