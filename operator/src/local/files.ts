import { DiskError, type Host, NetworkError } from '@nacos-kube/core/host/host.ts';
import { encodeMemberList, type MemberList, parseMemberList } from '@nacos-kube/core/model/member-list.ts';
import { nextMemberList } from '../plan/members.ts';
import { CLUSTER_KEY_BYTES } from '../resources/access.ts';
import { ETCD_USER } from '../resources/etcd.ts';
import { type ClusterLayout, LOOPBACK, type PortUse } from './layout.ts';
import type { LocalManifest } from './manifest.ts';

/** Writes what the processes are told by files: the key that members share, the login of the database. */
export async function writeSecrets(
  host: Host,
  layout: ClusterLayout,
  database: LocalManifest['database'],
): Promise<void> {
  if ((await readText(host, layout.keyFile)) === undefined) {
    const key = Buffer.from(host.random.bytes(CLUSTER_KEY_BYTES)).toString('base64url');
    await writeSecret(host, layout.keyFile, key);
  }
  for (const [key, text] of Object.entries(database ?? {})) {
    await writeSecret(host, `${layout.databaseDirectory}/${key}`, text);
  }
  // Nobody names the login of an etcd that is ours: it is made once, as on Kubernetes.
  if (layout.etcd.length === 0) return;
  const file = `${layout.databaseDirectory}/password`;
  if ((await readText(host, file)) === undefined) {
    await writeSecret(host, file, Buffer.from(host.random.bytes(CLUSTER_KEY_BYTES)).toString('base64url'));
  }
  await writeSecret(host, `${layout.databaseDirectory}/user`, ETCD_USER);
}

/** The list from which the sidecars take theirs. The same members keep their generation, be it after a restart. */
export async function writeMemberList(host: Host, file: string, members: readonly string[]): Promise<MemberList> {
  const text = await readText(host, file);
  const written = text === undefined ? undefined : parseMemberList(text);
  const list = nextMemberList(written, members, 0);
  const encoded = encodeMemberList(list);
  if (encoded !== text) await host.disk.write(file, encoded, { sync: true });
  return list;
}

/** Those of the ports that somebody else has, each with what to do. */
export async function takenPorts(host: Host, ports: readonly PortUse[]): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const { port, user, flag } of ports) {
    try {
      await (await host.network.listen({ address: LOOPBACK, port }, (stream) => stream.close())).stop();
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
      const why = error.kind === 'in-use' ? 'is in use' : `cannot be taken (${error.message})`;
      problems.push(`port ${port} for ${user} ${why}: stop what listens there, or choose another with ${flag}`);
    }
  }
  return problems;
}

async function writeSecret(host: Host, file: string, text: string): Promise<void> {
  await host.disk.write(file, `${text}\n`, { sync: true, mode: 0o600 });
}

async function readText(host: Host, file: string): Promise<string | undefined> {
  try {
    return new TextDecoder().decode(await host.disk.read(file));
  } catch (error) {
    if (error instanceof DiskError && error.kind === 'missing') return undefined;
    throw error;
  }
}
