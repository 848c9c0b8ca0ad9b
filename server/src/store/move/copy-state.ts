import { DiskError, type Host } from '@nacos-kube/core/host/host.ts';
import type { Revision } from '../store.ts';
import { MoveError } from './move-error.ts';

export const START_ANEW = 'remove that file to start anew, with --into-existing';

/** How far a copy came, so that one that was stopped goes on; it holds no secret. */
export interface CopyState {
  readonly version: 1;
  readonly from: string;
  readonly to: string;
  /** Tells the source from another one at the same place; null where nothing does. */
  readonly identity: string | null;
  /** The source's before the first row was read; later ones are read again. */
  readonly revision: Revision | null;
  readonly cursor: string | null;
  readonly counts: Readonly<Record<string, number>>;
}

export async function readState(
  host: Host,
  path: string,
  { from, to, identity }: Pick<CopyState, 'from' | 'to' | 'identity'>,
): Promise<CopyState | undefined> {
  let text: string;
  try {
    text = new TextDecoder().decode(await host.disk.read(path));
  } catch (error) {
    if (error instanceof DiskError && error.kind === 'missing') return undefined;
    throw error;
  }
  let state: Partial<CopyState> | null = null;
  try {
    state = JSON.parse(text) as Partial<CopyState> | null;
  } catch {
    // Told below.
  }
  if (state?.version !== 1) throw new MoveError(`${path} is no state of a copy: remove it, or name another by --state`);
  if (state.from !== from || state.to !== to) {
    const message = `${path} is the state of a copy from ${state.from} to ${state.to}: name another by --state`;
    throw new MoveError(message);
  }
  if ((state.identity ?? null) !== identity) {
    const message = `${path} is the state of a copy from another ${from}, which was replaced since: ${START_ANEW}`;
    throw new MoveError(message);
  }
  return { ...state, identity } as CopyState;
}

export async function writeState(host: Host, path: string, state: CopyState): Promise<void> {
  await host.disk.write(path, `${JSON.stringify(state)}\n`, { sync: true });
}
