import { DiskError, type Host } from '@nacos-kube/core/host/host.ts';

const TOKEN_BYTES = 32;
const TOKEN_CHARS_MIN = 43;

/**
 * The secret between a node and its sidecar, made by the sidecar because it starts first. One that is there stays: the
 * node that runs knows it.
 */
export async function ensureToken(host: Host, file: string): Promise<string> {
  const found = await readToken(host, file);
  if (found !== undefined) return found;
  const token = Buffer.from(host.random.bytes(TOKEN_BYTES)).toString('base64url');
  await host.disk.write(file, `${token}\n`, { sync: true, mode: 0o600 });
  return token;
}

/** Undefined when there is none, or not a whole one. */
export async function readToken(host: Host, file: string): Promise<string | undefined> {
  try {
    const token = new TextDecoder().decode(await host.disk.read(file)).trim();
    return token.length >= TOKEN_CHARS_MIN ? token : undefined;
  } catch (error) {
    if (error instanceof DiskError && error.kind === 'missing') return undefined;
    throw error;
  }
}
