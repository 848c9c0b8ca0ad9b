/** The image of the cluster's own checks: `fixtures/server.ts` on the layer with Node. */
import { join } from 'node:path';
import { buildPrograms, cacheFolder } from './build.ts';
import type { OwnCluster } from './cluster.ts';
import { NODE_IMAGE_ENV, nodeLayer, USER_ID } from './images.ts';
import { writeImage } from './oci.ts';

export const CHECK_IMAGE = 'registry.local/check:1';
export const FIXTURES = join(import.meta.dirname, 'fixtures');

export async function importCheckImage(cluster: OwnCluster): Promise<void> {
  const tar = join(cluster.folder, 'images/check.tar');
  const server = [{ path: 'app/server.ts', from: join(FIXTURES, 'server.ts') }];
  await writeImage(
    {
      names: [CHECK_IMAGE],
      layers: [await nodeLayer(await buildPrograms()), server],
      entrypoint: ['node', '/app/server.ts'],
      user: `${USER_ID}:${USER_ID}`,
      workdir: '/app',
      env: NODE_IMAGE_ENV,
    },
    tar,
    cacheFolder(),
  );
  await cluster.importImage(tar);
}
