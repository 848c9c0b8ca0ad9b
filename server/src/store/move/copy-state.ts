import { DiskError, type Host } from '@nacos-kube/core/host/host.ts';
import type { Revision } from '../store.ts';
import { MoveError } from './move-error.ts';

/** How far a copy came, so that one that was stopped goes on; it holds no secret. */
export interface CopyState {
  readonly version: 1;
  readonly from: string;
  readonly to: string;
  /** The source's before the first row was read; later ones are read again. */
  readonly revision: Revision | null;
  readonly cursor: string | null;
  readonly counts: Readonly<Record<string, number>>;
}

export async function readState(host: Host, path: string, from: string, to: string): Promise<CopyState | undefined> {
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
  return state as CopyState;
}

export async function writeState(host: Host, path: string, state: CopyState): Promise<void> {
  await host.disk.write(path, `${JSON.stringify(state)}\n`, { sync: true });
}
