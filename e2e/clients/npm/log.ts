/**
 * Reads in the package's own log what its API does not tell: that a list came by UDP, and what applied a change. A push
 * is handled to its end in the turn in which it came, so what is applied in that turn is its doing.
 */
import { format } from 'node:util';
import type { Write } from './wire.ts';

const PUSHED = /^\[PushReceiver\] received push data: (.*) from \S+$/s;
const APPLIED = /^\[HostReactor\] (?:new|removed|modified) ips\(\d+\) service: (.*?) -> (.*)$/s;

export function quietLogger(write: Write): Console {
  let isInPush = false;
  const take = (...args: unknown[]) => {
    const text = format(...args);
    const packet = PUSHED.exec(text)?.[1];
    if (packet !== undefined) {
      isInPush = true;
      queueMicrotask(() => {
        isInPush = false;
      });
      write({ event: 'push', packet });
    }
    const [, key, hosts] = APPLIED.exec(text) ?? [];
    if (key !== undefined && hosts !== undefined)
      write({ event: 'applied', by: isInPush ? 'push' : 'poll', key, hosts });
  };
  const warn = (...args: unknown[]) => {
    process.stderr.write(`${format(...args)}\n`);
  };
  return { info: take, debug: () => {}, log: take, warn, error: warn } as unknown as Console;
}
