/** The image of the managed store: Debian's etcd with the libraries it is linked to, where upstream's keeps it. */
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './build.ts';
import type { OwnCluster } from './cluster.ts';
import { USER_ID } from './images.ts';
import { writeImage } from './oci.ts';
import { findProgram, run } from './processes.ts';

export const ETCD_IMAGE = 'registry.local/etcd:1';

/** Why it cannot be made. */
export function missingForEtcdImage(): string[] {
  return findProgram('etcd') ? [] : ['etcd (Debian: apt-get install etcd-server)'];
}

export async function importEtcdImage(cluster: OwnCluster): Promise<void> {
  const program = findProgram('etcd');
  if (!program) throw new Error('there is no etcd to make an image of');
  const libraries = (await run('ldd', [program]).catch(() => '')).match(/\/lib\S*/g) ?? [];
  const tar = join(cluster.folder, 'images/etcd.tar');
  await writeImage(
    {
      names: [ETCD_IMAGE],
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
