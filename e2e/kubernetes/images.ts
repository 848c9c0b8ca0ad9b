/** The images that are no product: what the cluster itself runs, and the layer with Node that others stand on. */
import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { Programs } from './build.ts';
import { type Layer, type LayerFile, writeImage } from './oci.ts';
import { findProgram, run } from './processes.ts';

export const PAUSE_IMAGE = 'registry.local/pause:1';
export const COREDNS_IMAGE = 'registry.local/coredns:1';
export const SYSTEM_IMAGE_FILES = ['pause.tar', 'coredns.tar'];

/** The user that our images run as. */
export const USER_ID = 10001;
export const NODE_IMAGE_ENV = [
  'PATH=/usr/local/bin:/bin',
  'NODE_ENV=production',
  'SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt',
];

const CHECKOUT = join(import.meta.dirname, '../..');
const SHELL_COMMANDS = ['sh', 'ls', 'cat', 'wget', 'nslookup', 'nc', 'ip', 'ps', 'id', 'sleep', 'kill'];

export async function makeSystemImages(programs: Programs, cache: string): Promise<void> {
  const make = (program: string, name: string) =>
    writeImage(
      {
        names: [name],
        layers: [[{ path: program, from: join(programs.bin, program), mode: 0o755 }]],
        entrypoint: [`/${program}`],
      },
      join(programs.images, `${program}.tar`),
      cache,
    );
  await make('pause', PAUSE_IMAGE);
  await make('coredns', COREDNS_IMAGE);
}

/** Node with the libraries it is linked to, names of users, certificates and a shell for looking around. */
export async function nodeLayer(programs: Programs): Promise<Layer> {
  const node = nodeBinary();
  const libraries = (await run('ldd', [node])).match(/\/lib\S*/g) ?? [];
  const certificates = '/etc/ssl/certs/ca-certificates.crt';
  const busybox = ['bin/busybox', 'usr/bin/busybox'].map((path) => join(programs.debian, path)).find(existsSync);
  if (!busybox) throw new Error(`no busybox in ${programs.debian}`);
  const files: LayerFile[] = [
    { path: 'usr/local/bin/node', from: node, mode: 0o755 },
    ...libraries.map((path) => ({ path, from: realpathSync(path), mode: 0o755 })),
    { path: 'bin/busybox', from: busybox, mode: 0o755 },
    ...SHELL_COMMANDS.map((name) => ({ path: `bin/${name}`, link: 'busybox' })),
    { path: 'etc/passwd', text: `root:x:0:0:root:/root:/bin/sh\napp:x:${USER_ID}:${USER_ID}:app:/app:/bin/sh\n` },
    { path: 'etc/group', text: `root:x:0:\napp:x:${USER_ID}:\n` },
    { path: 'etc/nsswitch.conf', text: 'hosts: files dns\n' },
    { path: 'tmp', folder: true, mode: 0o1777 },
  ];
  if (existsSync(certificates)) files.push({ path: certificates, from: realpathSync(certificates) });
  return files;
}

/** The pinned Node of the project; the one that runs this where the packages are laid out otherwise. */
export function nodeBinary(): string {
  const pinned = join(CHECKOUT, `node_modules/node-linux-${process.arch}/bin/node`);
  return existsSync(pinned) ? pinned : realpathSync(process.execPath);
}

export function missingForImages(): string[] {
  return ['tar', 'ldd'].filter((name) => !findProgram(name)).map((name) => `${name}, which image making needs`);
}
