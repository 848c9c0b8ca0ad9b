import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import type { Clock, Timer } from '../host.ts';

/** From here on the heap is held close to what is alive. */
export const LARGE_HEAP_BYTES = 80 * 1024 * 1024;
/** Below it may grow freely again; between the two all stays as it is. */
export const SMALL_HEAP_BYTES = 56 * 1024 * 1024;
/** Of what was alive at the last sweep; V8 by itself (0) lets a heap grow to several times that. */
const LARGE_GROWTH_PERCENT = 20;
const LOOK_EVERY_MS = 2_000;

/**
 * A large heap is mostly what lives long (a registry), so that sweeping it more often costs little and spares more memory
 * than is alive: 100,000 beating instances are 75 MB, and V8 took 300 for them. A small one is left alone: there the same
 * would cost a tenth of the publishes, for 20 MB.
 */
export function boundHeapGrowth(
  clock: Clock,
  heapBytes = oldBytes,
  setGrowth = (percent: number) => setFlagsFromString(`--heap-growing-percent=${percent}`),
): Timer {
  let isLarge = false;
  return clock.every(LOOK_EVERY_MS, () => {
    const bytes = heapBytes();
    const isNow = bytes >= LARGE_HEAP_BYTES || (isLarge && bytes > SMALL_HEAP_BYTES);
    if (isNow === isLarge) return;
    isLarge = isNow;
    setGrowth(isLarge ? LARGE_GROWTH_PERCENT : 0);
  });
}

/** Without the young space: under load it alone may be as large as a small heap, and sweeping makes it no smaller. */
export function oldBytes(): number {
  return getHeapSpaceStatistics().reduce(
    (sum, { space_name: name, space_size: bytes }) => (name.startsWith('new_') ? sum : sum + bytes),
    0,
  );
}
