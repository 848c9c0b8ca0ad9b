import { type Host, NetworkError } from '../host/host.ts';
import type { ProbeOutcome, ProbeTarget } from './target.ts';

/** Whether somebody listens (spec/naming.md 6). Rejects with what is no fault of the network. */
export async function tcpCheck(host: Host, { ip, port }: ProbeTarget, connectTimeoutMs: number): Promise<ProbeOutcome> {
  try {
    (await host.network.connect({ address: ip, port }, connectTimeoutMs)).close();
    return 'ok';
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error;
    if (error.kind === 'timeout') return 'timeout';
    return error.kind === 'refused' ? 'down' : 'failed';
  }
}
