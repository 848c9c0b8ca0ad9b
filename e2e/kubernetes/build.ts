/**
 * The programs of a Kubernetes, made once per machine into a cache folder: Go ones are compiled from `programs/`, runc
 * and iptables are unpacked from Debian's packages. The folder's name is a hash of all that they are made from.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { makeSystemImages } from './images.ts';
import { delay, findProgram, identify, isAlive, type ProcessId, run } from './processes.ts';

export type Report = (line: string) => void;

export interface Programs {
  /** kube-apiserver, kubelet, kubectl, containerd, helm ... */
  readonly bin: string;
  readonly cni: string;
  /** Root of the unpacked Debian packages. */
  readonly debian: string;
  readonly images: string;
  /** Libraries of runc and iptables. */
  readonly libraries: string;
  readonly path: string;
}

const SOURCES = join(import.meta.dirname, 'programs');
const KUBERNETES = '1.34.4';
const GO_MIN = [1, 24, 3] as const;
const OWN = ['./cmd/kube', './cmd/coredns', './cmd/pause', './cmd/hostpath'];
const FOREIGN = [
  ...['containerd', 'containerd-shim-runc-v2', 'ctr'].map((name) => `github.com/containerd/containerd/v2/cmd/${name}`),
  'helm.sh/helm/v3/cmd/helm',
];
const CNI = ['ipam/host-local', 'main/bridge', 'main/loopback', 'meta/portmap'].map(
  (name) => `github.com/containernetworking/plugins/plugins/${name}`,
);
const VERSION_FLAGS = [
  `k8s.io/component-base/version.gitVersion=v${KUBERNETES}`,
  'k8s.io/component-base/version.gitMajor=1',
  'k8s.io/component-base/version.gitMinor=34',
  'k8s.io/component-base/version.gitTreeState=clean',
  'k8s.io/component-base/version.gitCommit=0000000',
  `k8s.io/client-go/pkg/version.gitVersion=v${KUBERNETES}`,
  'github.com/containerd/containerd/v2/version.Version=v2.2.1',
  'helm.sh/helm/v3/internal/version.version=v3.19.4',
].map((flag) => `-X ${flag}`);
const DEBIAN = ['runc', 'iptables', 'libxtables12', 'libip4tc2', 'libip6tc2', 'libnftnl11', 'libmnl0', 'libseccomp2'];
const DEBIAN_PACKAGES = [...DEBIAN, 'busybox-static'];
const KUBE_LINKS = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'kubectl',
  'etcd',
];
const IPTABLES_LINKS = ['iptables', 'ip6tables'].flatMap((name) => [name, `${name}-save`, `${name}-restore`]);
/** Older sets than these are removed when a new one is made; one is about 450 MB. */
const SETS_KEPT_MAX = 3;
const PROGRESS_EVERY_MS = 15_000;

export function cacheFolder(): string {
  return resolve(process.env.NACOS_KUBE_CACHE ?? join(homedir(), '.cache/nacos-kube/kube'));
}

export function programsFolder(): string {
  return join(cacheFolder(), `programs-${sourceHash()}`);
}

export function isBuilt(): boolean {
  return existsSync(join(programsFolder(), 'complete'));
}

/** What the build lacks on this machine; empty when it can start or is done. */
export function missingForBuild(): string[] {
  if (isBuilt()) return [];
  const missing = [];
  const go = findProgram('go');
  if (!go) missing.push(`Go ${GO_MIN.join('.')} or newer, which compiles Kubernetes (https://go.dev/dl)`);
  for (const name of ['apt-get', 'dpkg-deb'])
    if (!findProgram(name))
      missing.push(`${name}, which brings ${DEBIAN_PACKAGES.join(', ')} (a Debian or Ubuntu machine)`);
  return missing;
}

/** Makes what is missing in the cache, with a line of progress now and then, and says where everything is. */
export async function buildPrograms(report: Report = () => {}): Promise<Programs> {
  const folder = programsFolder();
  if (!isBuilt()) {
    const missing = missingForBuild();
    if (missing.length > 0) throw new Error(`the Kubernetes programs can't be built; missing: ${missing.join('; ')}`);
    await withLock(`${folder}.lock`, report, async () => {
      if (!isBuilt()) await build(folder, report);
    });
  }
  utimesSync(folder, new Date(), new Date());
  return layout(folder);
}

function layout(folder: string): Programs {
  const bin = join(folder, 'bin');
  const debian = join(folder, 'debian');
  const system = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  return {
    bin,
    cni: join(bin, 'cni'),
    debian,
    images: join(folder, 'images'),
    libraries: join(debian, 'usr/lib', process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu'),
    path: [bin, join(debian, 'usr/sbin'), join(debian, 'usr/bin'), join(debian, 'bin'), ...system].join(':'),
  };
}

async function build(folder: string, report: Report): Promise<void> {
  const startedMs = performance.now();
  report(
    `building Kubernetes ${KUBERNETES} into ${folder}: 6 to 12 minutes on two cores, 5 GB of Go caches, only once`,
  );
  const unfinished = `${folder}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  const programs = layout(unfinished);
  mkdirSync(programs.cni, { recursive: true });
  await unpackDebian(programs.debian, report);
  // Go wants a folder that it may write to; the checkout stays as it is.
  const sources = join(unfinished, 'src');
  cpSync(SOURCES, sources, { recursive: true });
  await compile(
    sources,
    ['-ldflags', `-s -w ${VERSION_FLAGS.join(' ')}`, '-o', `${programs.bin}/`, ...OWN, ...FOREIGN],
    report,
  );
  await compile(sources, ['-ldflags', '-s -w', '-o', `${programs.cni}/`, ...CNI], report);
  rmSync(sources, { recursive: true });
  for (const name of KUBE_LINKS) symlinkSync('kube', join(programs.bin, name));
  for (const name of IPTABLES_LINKS) symlinkSync('../debian/usr/sbin/xtables-nft-multi', join(programs.bin, name));
  await makeSystemImages(programs, cacheFolder());
  writeFileSync(join(unfinished, 'complete'), '');
  rmSync(folder, { recursive: true, force: true });
  renameSync(unfinished, folder);
  removeOldSets(folder);
  report(`Kubernetes ${KUBERNETES} is built (${Math.round((performance.now() - startedMs) / 1000)} s)`);
}

async function compile(sources: string, args: readonly string[], report: Report): Promise<void> {
  const go = await usableGo();
  const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-trimpath -mod=readonly -buildvcs=false' };
  const child = spawn(go, ['build', '-v', ...args], { cwd: sources, env, stdio: ['ignore', 'ignore', 'pipe'] });
  const startedMs = performance.now();
  const last: string[] = [];
  let downloaded = 0;
  let compiled = 0;
  let reportedMs = startedMs;
  createInterface({ input: child.stderr }).on('line', (line) => {
    last.push(line);
    if (last.length > 30) last.shift();
    if (line.startsWith('go: downloading')) downloaded += 1;
    else compiled += 1;
    if (performance.now() - reportedMs < PROGRESS_EVERY_MS) return;
    reportedMs = performance.now();
    const seconds = Math.round((reportedMs - startedMs) / 1000);
    report(`  ${seconds} s: ${downloaded} modules downloaded, ${compiled} of about 3400 packages compiled`);
  });
  const code = await new Promise((ended, failed) => child.once('error', failed).once('close', ended));
  if (code !== 0) throw new Error(`go build ended with ${code}:\n${last.join('\n')}`);
}

async function usableGo(): Promise<string> {
  const go = findProgram('go');
  if (!go) throw new Error('no program named go is found');
  const text = (await run(go, ['env', 'GOVERSION'])).trim();
  const version = text
    .replace(/^go/, '')
    .split('.')
    .map((part) => Number.parseInt(part, 10) || 0);
  const order = GO_MIN.map((min, i) => (version[i] ?? 0) - min).find((difference) => difference !== 0) ?? 0;
  if (order < 0) throw new Error(`${go} is ${text}; Kubernetes ${KUBERNETES} needs Go ${GO_MIN.join('.')} or newer`);
  return go;
}

async function unpackDebian(root: string, report: Report): Promise<void> {
  const downloads = `${root}-packages`;
  mkdirSync(downloads, { recursive: true });
  mkdirSync(root, { recursive: true });
  const download = () => run('apt-get', ['download', ...DEBIAN_PACKAGES], { cwd: downloads, timeoutMs: 300_000 });
  report(`  downloading ${DEBIAN_PACKAGES.join(', ')}`);
  await download().catch(async () => {
    report('  apt-get knows no such packages, or old ones: apt-get update');
    await run('apt-get', ['update'], { timeoutMs: 300_000 });
    await download();
  });
  for (const file of readdirSync(downloads)) await run('dpkg-deb', ['-x', join(downloads, file), root]);
  rmSync(downloads, { recursive: true });
}

function sourceHash(): string {
  const hash = createHash('sha256').update(
    JSON.stringify([VERSION_FLAGS, OWN, FOREIGN, CNI, DEBIAN_PACKAGES, process.arch]),
  );
  for (const name of (readdirSync(SOURCES, { recursive: true }) as string[]).sort()) {
    const file = join(SOURCES, name);
    if (statSync(file).isFile()) hash.update(`\0${name}\0`).update(readFileSync(file));
  }
  return hash.digest('hex').slice(0, 12);
}

/** One build at a time, also of several checkouts: a second one waits, unless the first is dead. */
async function withLock(file: string, report: Report, work: () => Promise<void>): Promise<void> {
  mkdirSync(cacheFolder(), { recursive: true });
  for (let isSaid = false; ; isSaid = true) {
    try {
      writeFileSync(file, JSON.stringify(identify(process.pid)), { flag: 'wx' });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = lockHolder(file);
    if (holder && !isAlive(holder)) rmSync(file, { force: true });
    else if (holder && !isSaid) report(`process ${holder.pid} builds the Kubernetes programs; waiting for it`);
    await delay(500);
  }
  try {
    await work();
  } finally {
    rmSync(file, { force: true });
  }
}

/** Undefined while the file is being written or has just been removed. */
function lockHolder(file: string): ProcessId | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessId;
  } catch {
    return undefined;
  }
}

function removeOldSets(current: string): void {
  const sets = readdirSync(cacheFolder())
    .filter((name) => /^programs-[0-9a-f]+$/.test(name))
    .map((name) => join(cacheFolder(), name))
    .filter((folder) => folder !== current)
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  for (const folder of sets.slice(SETS_KEPT_MAX - 1)) rmSync(folder, { recursive: true, force: true });
}
