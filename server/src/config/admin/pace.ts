import type { Clock } from '@nacos-kube/core/host/host.ts';

export const BYTES_PER_TURN = 2 * 1024 * 1024;

/** Told how many bytes were worked through; resolves once the work may go on. */
export type Pace = (bytes: number) => Promise<void>;

/** Work on many bytes lets everybody else have a turn in between: clients must not wait for an import. */
export function paced(clock: Clock): Pace {
  let sinceTurn = 0;
  return async (bytes) => {
    sinceTurn += bytes;
    if (sinceTurn < BYTES_PER_TURN) return;
    sinceTurn = 0;
    await clock.sleep(0);
  };
}
