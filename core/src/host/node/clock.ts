import type { Clock, Log, Timer } from '../host.ts';

/** `setTimeout` takes no more; a longer delay is taken in several turns. */
const TURN_MS_MAX = 2 ** 31 - 1;

export function createNodeClock(log: Log): Clock {
  const guarded = (run: () => void) => () => {
    try {
      run();
    } catch (error) {
      log.error('a timer failed', { error });
    }
  };

  const clock: Clock = {
    now: () => Date.now(),
    monotonic: () => performance.now(),

    after(delayMs: number, run: () => void): Timer {
      const guardedRun = guarded(run);
      let handle: NodeJS.Timeout;
      const wait = (leftMs: number): void => {
        handle =
          leftMs > TURN_MS_MAX
            ? setTimeout(() => wait(leftMs - TURN_MS_MAX), TURN_MS_MAX)
            : setTimeout(guardedRun, leftMs);
      };
      wait(Math.max(0, delayMs));
      return { cancel: () => clearTimeout(handle) };
    },

    every(periodMs: number, run: () => void): Timer {
      if (!(periodMs >= 1 && periodMs <= TURN_MS_MAX)) throw new RangeError(`period out of range: ${periodMs} ms`);
      const handle = setInterval(guarded(run), periodMs);
      return { cancel: () => clearInterval(handle) };
    },

    sleep: (delayMs: number) => new Promise((resolve) => clock.after(delayMs, resolve)),
  };
  return clock;
}
