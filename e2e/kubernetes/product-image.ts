/**
 * The product's image as the Dockerfile makes it, put together out of the checkout where there is no Docker: Node, the
 * production packages and our files are a layer each, so an edit costs only the last, small one.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { NODE_FLAGS } from '@nacos-kube/core/host/node/node-flags.ts';
import { cacheFolder, type Programs } from './build.ts';
import { NODE_IMAGE_ENV, nodeLayer, USER_ID } from './images.ts';
import { filesOf, type Layer, type LayerFile, writeImage } from './oci.ts';

export const PRODUCT_REPOSITORY = 'registry.local/nacos-kube';
export const CHECKOUT = join(import.meta.dirname, '../..');
/** Workspaces whose code and packages are in the image. */
export const PRODUCT_WORKSPACES = ['core', 'client', 'server', 'sidecar', 'operator'];
/** What lies under /app beside them and the packages. */
export const PRODUCT_FILES = ['package.json', 'bin', 'crds'];

export function productImageName(tag: string): string {
  return `${PRODUCT_REPOSITORY}:${tag}`;
}

/** Writes the image tar of this checkout; more tags are names of the same image and cost nothing. */
export async function writeProductImage(programs: Programs, tags: readonly string[], tar: string): Promise<void> {
  await writeImage(
    {
      names: tags.map(productImageName),
      layers: [await nodeLayer(programs), packagesLayer(), filesLayer()],
      entrypoint: ['node', ...NODE_FLAGS, '/app/bin/nacos-kube.ts'],
      user: `${USER_ID}:${USER_ID}`,
      workdir: '/app',
      env: NODE_IMAGE_ENV,
    },
    tar,
    cacheFolder(),
  );
}

export function filesLayer(checkout = CHECKOUT): Layer {
  const isWanted = (path: string) => !path.endsWith('.test.ts') && !path.split('/').includes('node_modules');
  const files: LayerFile[] = [];
  for (const name of [...PRODUCT_FILES, ...PRODUCT_WORKSPACES]) {
    const from = join(checkout, name);
    if (!existsSync(from)) continue;
    if (name.endsWith('.json')) files.push({ path: `app/${name}`, from });
    else files.push(...filesOf(from, `app/${name}`, isWanted));
  }
  return files;
}

export function packagesLayer(checkout = CHECKOUT): Layer {
  const lock = JSON.parse(readFileSync(join(checkout, 'package-lock.json'), 'utf8')) as Lock;
  const files: LayerFile[] = PRODUCT_WORKSPACES.map((name) => ({
    path: `app/node_modules/@nacos-kube/${name}`,
    link: `../../${name}`,
  }));
  for (const path of productionPackages(lock)) {
    const folder = join(checkout, path);
    if (!existsSync(folder)) throw new Error(`${folder} is missing: run npm install`);
    // Packages inside packages are listed by themselves, if anything of ours needs them.
    files.push(
      ...filesOf(folder, `app/${path}`, (inside) => inside !== 'node_modules' && !/\.(d\.[cm]?ts|map)$/.test(inside)),
    );
  }
  return files;
}

interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}
interface LockedPackage {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly link?: boolean;
}

/** Folders under node_modules that the workspaces of the product need, found as Node looks for them. */
export function productionPackages(lock: Lock): string[] {
  const wanted = new Set<string>();
  const visit = (from: string): void => {
    const { dependencies, peerDependencies } = lock.packages[from] ?? {};
    for (const name of Object.keys({ ...dependencies, ...peerDependencies })) {
      const path = locate(lock, from, name);
      if (!path || wanted.has(path) || lock.packages[path]?.link) continue;
      wanted.add(path);
      visit(path);
    }
  };
  for (const workspace of ['', ...PRODUCT_WORKSPACES]) visit(workspace);
  return [...wanted].sort();
}

function locate(lock: Lock, from: string, name: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const path = join(folder === '.' ? '' : folder, 'node_modules', name);
    if (lock.packages[path]) return path;
    if (folder === '' || folder === '.') return undefined;
  }
}
