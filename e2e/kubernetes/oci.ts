/**
 * Image tars (OCI layout) out of lists of files, without Docker. A layer is kept in a cache under a stamp of its files'
 * names, sizes and times, so an unchanged one (Node itself) is neither put together nor hashed again.
 */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  createReadStream,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from './processes.ts';

/** A path of the image and where it comes from. Folders are listed file by file; see `filesOf`. */
export type LayerFile = { readonly path: string; readonly mode?: number } & (
  | { readonly from: string }
  | { readonly text: string }
  | { readonly link: string }
  | { readonly folder: true }
);
export type Layer = readonly LayerFile[];

export interface Image {
  /** The same image under all these names. */
  readonly names: readonly string[];
  readonly layers: readonly Layer[];
  readonly entrypoint: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
  readonly env?: readonly string[];
}

interface Blob {
  readonly digest: string;
  readonly size: number;
}

const OCI = 'application/vnd.oci.image';
const LAYERS_KEPT_MAX = 16;

export async function writeImage(image: Image, tar: string, cache: string): Promise<void> {
  const layersFolder = join(cache, 'layers');
  mkdirSync(layersFolder, { recursive: true });
  const layers: Blob[] = [];
  for (const layer of image.layers) layers.push(await keepLayer(layer, layersFolder));
  const root = mkdtempSync(join(layersFolder, 'image-'));
  try {
    const blobs = join(root, 'blobs/sha256');
    mkdirSync(blobs, { recursive: true });
    for (const { digest } of layers)
      if (!existsSync(join(blobs, digest))) linkSync(join(layersFolder, digest), join(blobs, digest));
    writeIndex(image, layers, root, blobs);
    mkdirSync(dirname(tar), { recursive: true });
    await run('tar', ['-C', root, '-cf', `${tar}.new`, 'oci-layout', 'index.json', 'blobs']);
    renameSync(`${tar}.new`, tar);
  } finally {
    rmSync(root, { recursive: true });
  }
  removeOldLayers(layersFolder, layers);
}

/** Every file and link of a folder, for a layer. `isWanted` gets paths relative to the folder; no folder unless wanted. */
export function filesOf(folder: string, path: string, isWanted: (path: string) => boolean = () => true): LayerFile[] {
  const found: LayerFile[] = [];
  const walk = (inside: string): void => {
    for (const entry of readdirSync(join(folder, inside), { withFileTypes: true })) {
      const name = join(inside, entry.name);
      if (!isWanted(name)) continue;
      if (entry.isDirectory()) walk(name);
      else if (entry.isSymbolicLink()) found.push({ path: join(path, name), link: readlinkSync(join(folder, name)) });
      else if (entry.isFile()) found.push({ path: join(path, name), from: join(folder, name) });
    }
  };
  walk('');
  return found;
}

function writeIndex(image: Image, layers: readonly Blob[], root: string, blobs: string): void {
  const put = (value: unknown) => {
    const text = JSON.stringify(value);
    const digest = createHash('sha256').update(text).digest('hex');
    writeFileSync(join(blobs, digest), text);
    return { digest: `sha256:${digest}`, size: Buffer.byteLength(text) };
  };
  const config = put({
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: {
      User: image.user,
      Entrypoint: image.entrypoint,
      Env: image.env ?? ['PATH=/usr/local/bin:/bin'],
      WorkingDir: image.workdir,
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => `sha256:${digest}`) },
  });
  const manifest = put({
    schemaVersion: 2,
    mediaType: `${OCI}.manifest.v1+json`,
    config: { mediaType: `${OCI}.config.v1+json`, ...config },
    layers: layers.map(({ digest, size }) => ({ mediaType: `${OCI}.layer.v1.tar`, digest: `sha256:${digest}`, size })),
  });
  const manifests = image.names.map((name) => ({
    mediaType: `${OCI}.manifest.v1+json`,
    ...manifest,
    annotations: { 'io.containerd.image.name': name },
  }));
  writeFileSync(join(root, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(root, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
}

async function keepLayer(layer: Layer, folder: string): Promise<Blob> {
  const known = join(folder, `${stampOf(layer)}.json`);
  if (existsSync(known)) {
    const blob = JSON.parse(readFileSync(known, 'utf8')) as Blob;
    if (existsSync(join(folder, blob.digest))) return touch(blob, folder);
  }
  const work = mkdtempSync(join(folder, 'layer-'));
  try {
    const root = join(work, 'root');
    mkdirSync(root);
    for (const file of layer) place(file, root);
    const tar = join(work, 'layer.tar');
    const fixed = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
    await run('tar', ['-C', root, ...fixed, '-cf', tar, '.'], { timeoutMs: 300_000 });
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(tar, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
    const blob = { digest: hash.digest('hex'), size: statSync(tar).size };
    renameSync(tar, join(folder, blob.digest));
    // Renamed, since another run may read it at this moment.
    writeFileSync(join(work, 'known'), JSON.stringify(blob));
    renameSync(join(work, 'known'), known);
    return blob;
  } finally {
    rmSync(work, { recursive: true });
  }
}

function place(file: LayerFile, root: string): void {
  const to = join(root, file.path);
  mkdirSync(dirname(to), { recursive: true });
  if ('link' in file) {
    symlinkSync(file.link, to);
    return;
  }
  if ('folder' in file) mkdirSync(to, { recursive: true });
  else if ('text' in file) writeFileSync(to, file.text);
  else copyFileSync(file.from, to);
  // Rights of the checkout depend on the umask of whoever made it; in the image everybody reads.
  const isProgram = 'from' in file && (statSync(file.from).mode & 0o100) !== 0;
  chmodSync(to, file.mode ?? (isProgram || 'folder' in file ? 0o755 : 0o644));
}

function stampOf(layer: Layer): string {
  const lines = layer.map((file) => {
    const entry = { ...file };
    if (!('from' in file)) return JSON.stringify(entry);
    const { size, mtimeMs, mode } = lstatSync(file.from);
    return JSON.stringify({ ...entry, size, mtimeMs, mode });
  });
  return createHash('sha256').update(lines.sort().join('\n')).digest('hex').slice(0, 32);
}

function touch(blob: Blob, folder: string): Blob {
  utimesSync(join(folder, blob.digest), new Date(), new Date());
  return blob;
}

function removeOldLayers(folder: string, used: readonly Blob[]): void {
  const isUsed = (name: string) => used.some(({ digest }) => digest === name);
  const layers = readdirSync(folder)
    .filter((name) => /^[0-9a-f]{64}$/.test(name) && !isUsed(name))
    .map((name) => ({ name, mtimeMs: statSync(join(folder, name)).mtimeMs }))
    .sort((a, b) => b.mtimeMs - a.mtimeMs);
  for (const { name } of layers.slice(LAYERS_KEPT_MAX)) rmSync(join(folder, name), { force: true });
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.json'))) {
    const { digest } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Blob;
    if (!existsSync(join(folder, digest))) rmSync(join(folder, name), { force: true });
  }
}
