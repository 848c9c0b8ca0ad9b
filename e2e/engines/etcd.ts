import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { needs, programPath } from '../../scripts/needs.ts';
import { freePorts } from '../processes/ports.ts';
import { type EtcdCertificates, makeEtcdCertificates } from './etcd-certificates.ts';
import { OwnProcess } from './own-process.ts';

export interface EtcdOptions {
  /** Default 1. */
  readonly members?: 1 | 3;
  /** Clients speak TLS and show a certificate. Default false. */
  readonly tls?: boolean;
  /** Login is needed; `user` may read and write what stands below `PREFIX`. Default false. */
  readonly auth?: boolean;
  /** Further flags of each member. */
  readonly flags?: readonly string[];
  /** Where the folder of their data is made, e.g. a small file system; default: the one for temporary files. */
  readonly parent?: string;
  /** Default 127.0.0.1 for each. */
  readonly addressOf?: (index: number) => string;
  /** Where a member shall run, e.g. in a network namespace: the command for a command. The process must stay the same. */
  readonly runner?: (command: readonly [string, ...string[]], index: number) => readonly [string, ...string[]];
  /** Asks a member that is not reached from here: resolves with the answer to a GET, or undefined. */
  readonly probe?: (url: string, index: number) => Promise<string | undefined>;
}

/** One etcd cluster of its own, with an empty key space. */
export interface Etcd {
  readonly members: readonly EtcdMember[];
  /** As settings take them. */
  readonly endpoints: readonly string[];
  /** Undefined without `auth`. */
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** Undefined without `tls`. */
  readonly certificates: EtcdCertificates | undefined;
  /** What a store needs to reach it. */
  settings(prefix?: string): EtcdReach;
  /** etcdctl on all members, as root where there is a login. Resolves with what it printed. */
  ctl(...args: readonly string[]): Promise<string>;
  /** The same, with this text to read. */
  ctlWith(input: string, ...args: readonly string[]): Promise<string>;
  /** The member that leads; asked again until there is one. */
  leader(): Promise<EtcdMember>;
  /** All members at once: SIGKILL; the data stay for `start`. */
  kill(): Promise<void>;
  /** Those that do not run, on their own data and ports. Resolves when all of them answer. */
  start(): Promise<void>;
  /** All members killed, and started without their data on the same ports, as if an older state was put back. */
  startEmpty(): Promise<void>;
  /** Another authority and other certificates, in the same files; members take them when they start. */
  renewCertificates(): Promise<void>;
  /** SIGSTOP of all: they hold their connections and answer nothing. */
  pause(): Promise<void>;
  resume(): void;
  /** Ends all members and removes their data. */
  stop(): Promise<void>;
}

export interface EtcdReach {
  readonly endpoints: readonly string[];
  readonly prefix: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}

export interface EtcdMember {
  readonly name: string;
  readonly endpoint: string;
  readonly address: string;
  readonly clientPort: number;
  readonly peerPort: number;
  /** Undefined while it does not run. */
  readonly pid: number | undefined;
  /** False when it was killed, and when it has ended by itself. */
  readonly isRunning: boolean;
  kill(): Promise<void>;
  /** Resolves when it answers, for which most of the members must run. */
  start(): Promise<void>;
  pause(): Promise<void>;
  resume(): void;
}

export const PREFIX = '/nacos-kube/';
const READY_WITHIN_MS = 60_000;
const PROBE_MS = 1000;
const USER = 'nacos';

/** Why no etcd can be started here, or undefined. Where `CI` is set a lack is an error and no reason to skip. */
export async function etcdMissing(): Promise<string | undefined> {
  for (const [program, debianPackage] of [['etcd', 'etcd-server'] as const, ['etcdctl', 'etcd-client'] as const]) {
    const missing = await needs(program, debianPackage);
    if (missing !== false) return missing;
  }
  return undefined;
}

export async function startEtcd(options: EtcdOptions = {}): Promise<Etcd> {
  const count = options.members ?? 1;
  const directory = await mkdtemp(join(options.parent ?? tmpdir(), 'nacos-kube-etcd-'));
  const certificates = options.tls === true ? await makeEtcdCertificates(directory) : undefined;
  const ports = await freePorts(count * 3);
  const addressOf = options.addressOf ?? (() => '127.0.0.1');
  const places = Array.from({ length: count }, (_, index): MemberPlace => {
    const [clientPort, peerPort, probePort] = ports.slice(index * 3) as [number, number, number];
    return { name: `etcd-${index}`, address: addressOf(index), clientPort, peerPort, probePort };
  });
  const initialCluster = places.map((place) => `${place.name}=${peerUrlOf(place)}`).join(',');
  const members = places.map((place, index) => {
    const run = options.runner ?? ((command) => command);
    const flags = [
      ...(certificates?.memberFlags ?? []),
      ...(options.flags ?? []),
      `--initial-cluster=${initialCluster}`,
    ];
    const scheme = certificates === undefined ? 'http' : 'https';
    const probe = options.probe ?? get;
    return new Member(
      place,
      scheme,
      directory,
      flags,
      (command) => run(command, index),
      (url) => probe(url, index),
    );
  });
  const etcd = new EtcdCluster(directory, members, certificates, options.auth === true);
  try {
    await etcd.start();
    if (options.auth === true) await etcd.requireLogin();
    return etcd;
  } catch (error) {
    await etcd.stop();
    throw error;
  }
}

class EtcdCluster implements Etcd {
  readonly members: readonly Member[];
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly certificates: EtcdCertificates | undefined;
  readonly #directory: string;
  readonly #rootPassword = randomBytes(12).toString('hex');
  #needsLogin = false;

  constructor(
    directory: string,
    members: readonly Member[],
    certificates: EtcdCertificates | undefined,
    auth: boolean,
  ) {
    this.#directory = directory;
    this.members = members;
    this.certificates = certificates;
    this.user = auth ? USER : undefined;
    this.password = auth ? randomBytes(12).toString('hex') : undefined;
  }

  get endpoints(): readonly string[] {
    return this.members.map((member) => member.endpoint);
  }

  settings(prefix = PREFIX): EtcdReach {
    const { caFile, certFile, keyFile } = this.certificates ?? {};
    const { endpoints, user, password } = this;
    return { endpoints, prefix, user, password, caFile, certFile, keyFile };
  }

  ctl(...args: readonly string[]): Promise<string> {
    return this.ctlWith('', ...args);
  }

  async ctlWith(input: string, ...args: readonly string[]): Promise<string> {
    const flags = [`--endpoints=${this.endpoints.join(',')}`];
    if (this.#needsLogin) flags.push(`--user=root:${this.#rootPassword}`);
    if (this.certificates !== undefined) {
      const { caFile, certFile, keyFile } = this.certificates;
      flags.push(`--cacert=${caFile}`, `--cert=${certFile}`, `--key=${keyFile}`);
    }
    const program = (await programPath('etcdctl')) ?? 'etcdctl';
    const env = { ...process.env, ETCDCTL_API: '3' };
    const running = promisify(execFile)(program, [...flags, ...args], { env });
    // It may end without reading; its exit code says whether that was wrong.
    running.child.stdin?.on('error', () => undefined).end(input);
    return (await running).stdout;
  }

  async requireLogin(): Promise<void> {
    await this.ctl('user', 'add', `root:${this.#rootPassword}`);
    await this.ctl('user', 'grant-role', 'root', 'root');
    await this.ctl('role', 'add', USER);
    await this.ctl('role', 'grant-permission', USER, 'readwrite', '--prefix', PREFIX);
    await this.ctl('user', 'add', `${USER}:${this.password}`);
    await this.ctl('user', 'grant-role', USER, USER);
    await this.ctl('auth', 'enable');
    this.#needsLogin = true;
  }

  async leader(): Promise<Member> {
    const deadline = performance.now() + READY_WITHIN_MS;
    for (;;) {
      for (const member of this.members) if (await member.isLeader()) return member;
      if (performance.now() > deadline) throw new Error('no member of etcd leads');
      await sleep(50);
    }
  }

  async kill(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
  }

  async start(): Promise<void> {
    await Promise.all(this.members.map((member) => member.start()));
  }

  async startEmpty(): Promise<void> {
    await this.kill();
    for (const { name } of this.members) await rm(join(this.#directory, name), { recursive: true });
    await this.start();
  }

  async renewCertificates(): Promise<void> {
    await makeEtcdCertificates(this.#directory);
  }

  async pause(): Promise<void> {
    await Promise.all(this.members.map((member) => member.pause()));
  }

  resume(): void {
    for (const member of this.members) member.resume();
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
    await rm(this.#directory, { recursive: true, force: true });
  }
}

interface MemberPlace {
  readonly name: string;
  readonly address: string;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly probePort: number;
}

class Member implements EtcdMember {
  readonly name: string;
  readonly address: string;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly endpoint: string;
  readonly #place: MemberPlace;
  readonly #directory: string;
  readonly #flags: readonly string[];
  readonly #runner: (command: readonly [string, ...string[]]) => readonly [string, ...string[]];
  readonly #get: (url: string) => Promise<string | undefined>;
  readonly #process = new OwnProcess();

  constructor(
    place: MemberPlace,
    scheme: string,
    directory: string,
    flags: readonly string[],
    runner: (command: readonly [string, ...string[]]) => readonly [string, ...string[]],
    get: (url: string) => Promise<string | undefined>,
  ) {
    ({ name: this.name, address: this.address, clientPort: this.clientPort, peerPort: this.peerPort } = place);
    this.endpoint = `${scheme}://${place.address}:${place.clientPort}`;
    this.#place = place;
    this.#directory = directory;
    this.#flags = flags;
    this.#runner = runner;
    this.#get = get;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get isRunning(): boolean {
    return this.#process.isRunning;
  }

  async start(): Promise<void> {
    if (this.#process.isRunning) return;
    const peerUrl = peerUrlOf(this.#place);
    const log = join(this.#directory, `${this.name}.log`);
    const [program, ...args] = this.#runner([
      (await programPath('etcd')) ?? 'etcd',
      ...[`--name=${this.name}`, `--data-dir=${join(this.#directory, this.name)}`],
      ...[`--listen-client-urls=${this.endpoint}`, `--advertise-client-urls=${this.endpoint}`],
      ...[`--listen-peer-urls=${peerUrl}`, `--initial-advertise-peer-urls=${peerUrl}`],
      ...[`--listen-metrics-urls=${probeUrlOf(this.#place)}`, '--logger=zap', `--log-outputs=${log}`],
      ...this.#flags,
    ]);
    this.#process.start(program, args);
    const deadline = performance.now() + READY_WITHIN_MS;
    while (!(await this.#isHealthy())) {
      if (this.#process.hasFailed || performance.now() > deadline) {
        const written = await readFile(log, 'utf8').catch(() => 'it wrote no log');
        throw new Error(`etcd did not start: ${written.slice(-2000)}`);
      }
      await sleep(50);
    }
  }

  async isLeader(): Promise<boolean> {
    return /^etcd_server_is_leader 1$/m.test((await this.#probe('/metrics')) ?? '');
  }

  async kill(): Promise<void> {
    await this.#process.end('SIGKILL');
  }

  async pause(): Promise<void> {
    await this.#process.pause();
  }

  resume(): void {
    this.#process.resume();
  }

  async stop(): Promise<void> {
    await this.#process.end('SIGTERM');
  }

  /** Only while the member knows a leader. */
  async #isHealthy(): Promise<boolean> {
    return /"health":\s*"true"/.test((await this.#probe('/health')) ?? '');
  }

  #probe(path: string): Promise<string | undefined> {
    return this.#get(`${probeUrlOf(this.#place)}${path}`);
  }
}

async function get(url: string): Promise<string | undefined> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(PROBE_MS) });
    return await answer.text();
  } catch {
    return undefined;
  }
}

function peerUrlOf({ address, peerPort }: MemberPlace): string {
  return `http://${address}:${peerPort}`;
}

function probeUrlOf({ address, probePort }: MemberPlace): string {
  return `http://${address}:${probePort}`;
}
