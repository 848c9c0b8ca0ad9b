import { DiskError, type Host, NetworkError } from '@nacos-kube/core/host/host.ts';
import { peerPort } from '@nacos-kube/core/model/member.ts';
import { DRAIN_LINGER_MS, type DrainRequest, SIDECAR_DRAIN_PATH } from '@nacos-kube/core/wire/sidecar.ts';
import { LOOPBACK, type MemberLayout } from './layout.ts';

/** Beyond what a node gives its clients: what it hands over then takes a few seconds at most. */
const DRAIN_TIMEOUT_MS = DRAIN_LINGER_MS + 30_000;
const ANSWER_BYTES_MAX = 64 * 1024;
const SHOWN_CHARS = 200;

/** As `nacos-kube drain` does it in a pod. Resolves with what was wrong; undefined: all is handed over. */
export async function drainNode(host: Host, { port, tokenFile }: MemberLayout): Promise<string | undefined> {
  const request: DrainRequest = { lingerMs: DRAIN_LINGER_MS };
  try {
    const token = new TextDecoder().decode(await host.disk.read(tokenFile)).trim();
    const { status, body } = await host.network.request({
      address: LOOPBACK,
      port: peerPort(port),
      method: 'POST',
      path: SIDECAR_DRAIN_PATH,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify(request),
      timeoutMs: DRAIN_TIMEOUT_MS,
      bodyBytesMax: ANSWER_BYTES_MAX,
    });
    if (status === 200) return undefined;
    return `the node answered ${status} ${new TextDecoder().decode(body).slice(0, SHOWN_CHARS)}`;
  } catch (error) {
    if (!(error instanceof NetworkError || error instanceof DiskError)) throw error;
    return error.message;
  }
}
