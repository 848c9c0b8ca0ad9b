/** Images of the managed store: etcd with the libraries it is linked to, where upstream's image keeps it. */
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, programsFolder } from './build.ts';
import type { OwnCluster } from './cluster.ts';
import { USER_ID } from './images.ts';
import { writeImage } from './oci.ts';
import { findProgram, run } from './processes.ts';

/** Debian's, 3.4. */
export const ETCD_IMAGE = 'registry.local/etcd:1';
/** That which Kubernetes itself runs on, 3.6: one program alone, with no shell, as upstream's image is. */
export const ETCD_36_IMAGE = 'registry.local/etcd-36:1';

/** Why it cannot be made. */
export function missingForEtcdImage(): string[] {
  return findProgram('etcd') ? [] : ['etcd (Debian: apt-get install etcd-server)'];
}

export async function importEtcdImage(cluster: OwnCluster): Promise<void> {
  const program = findProgram('etcd');
  if (!program) throw new Error('there is no etcd to make an image of');
  await importProgram(cluster, ETCD_IMAGE, program);
}

export async function importEtcd36Image(cluster: OwnCluster): Promise<void> {
  await importProgram(cluster, ETCD_36_IMAGE, join(programsFolder(), 'bin/etcd'));
}

async function importProgram(cluster: OwnCluster, name: string, program: string): Promise<void> {
  const libraries = (await run('ldd', [program]).catch(() => '')).match(/\/lib\S*/g) ?? [];
  const tar = join(cluster.folder, `images/${name.replace(/\W/g, '-')}.tar`);
  await writeImage(
    {
      names: [name],
      layers: [
        [
          { path: 'usr/local/bin/etcd', from: realpathSync(program), mode: 0o755 },
          ...libraries.map((path) => ({ path, from: realpathSync(path), mode: 0o755 })),
          { path: 'etc/passwd', text: `app:x:${USER_ID}:${USER_ID}:app:/:/sbin/nologin\n` },
          { path: 'etc/nsswitch.conf', text: 'hosts: files dns\n' },
          { path: 'tmp', folder: true, mode: 0o1777 },
        ],
      ],
      entrypoint: ['/usr/local/bin/etcd'],
      user: `${USER_ID}:${USER_ID}`,
      env: ['PATH=/usr/local/bin'],
    },
    tar,
    cacheFolder(),
  );
  await cluster.importImage(tar);
}
