/**
 * Hosts with a network namespace and an address each, joined by one that routes between them and loses what it is told
 * to. Namespaces live as long as processes in them, so they have no names, and nothing is left when this process dies.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, run, until } from '../kubernetes/processes.ts';

export type Command = readonly [string, ...string[]];

export interface Direction {
  readonly from: string;
  readonly to: string;
  /** Only what is sent to this TCP port: calls get lost, answers to calls of the other side do not. */
  readonly port?: number;
}

const ROUTER_ADDRESS = '10.77.0.1';
const FIRST_HOST = 11;
const HOSTS_MAX = 200;
const UP_MS_MAX = 10_000;

/** Tried in a namespace that ends with the attempt. */
const KERNEL_NEEDS = [
  { what: 'links between namespaces (VETH of the kernel)', command: 'ip link add one type veth peer name other' },
  {
    what: 'rules that lose packets (IP_MULTIPLE_TABLES of the kernel)',
    command: 'ip rule add from 10.77.0.2 blackhole',
  },
  {
    what: 'filters that lose a share of them (NET_SCH_INGRESS and NET_CLS_BPF of the kernel)',
    command:
      'tc qdisc add dev lo clsact && ' +
      `tc filter add dev lo ingress protocol ip bpf direct-action bytecode "1,6 0 0 ${0xffff_ffff}"`,
  },
] as const;

/** What this machine lacks. */
export function missingForNamespaces(): string[] {
  const programs = {
    ip: 'iproute2',
    tc: 'iproute2',
    unshare: 'util-linux',
    nsenter: 'util-linux',
    setpriv: 'util-linux',
  };
  const missing = Object.entries(programs)
    .filter(([program]) => findProgram(program) === undefined)
    .map(([program, of]) => `${program} (apt-get install ${of})`);
  if (process.getuid?.() !== 0) return [...missing, 'root, for network namespaces'];
  if (missing.length > 0) return missing;
  if (spawnSync('unshare', ['-n', 'true']).status !== 0) return ['the right to unshare -n'];
  return KERNEL_NEEDS.filter(({ command }) => spawnSync('unshare', ['-n', 'sh', '-c', command]).status !== 0).map(
    ({ what }) => what,
  );
}

export class Network implements AsyncDisposable {
  /** For files of the hosts' programs; removed at the end, however this process ends. */
  readonly folder: string;
  readonly #router: Holder;
  readonly #hosts: ReadonlyMap<string, Holder>;
  readonly #cuts = new Set<string>();
  #lossy: readonly string[] = [];

  static async start(hosts: readonly string[]): Promise<Network> {
    if (hosts.length > HOSTS_MAX) throw new Error(`${hosts.length} hosts, ${HOSTS_MAX} are the most`);
    const network = new Network(hosts);
    try {
      await network.#join();
      return network;
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(hosts: readonly string[]) {
    this.folder = mkdtempSync(join(tmpdir(), 'nacos-kube-net-'));
    // When its input ends, all others are being killed; what they were writing is done after a moment.
    this.#router = new Holder(['sh', '-c', 'cat >/dev/null; sleep 0.5; rm -rf -- "$0"', this.folder]);
    this.#hosts = new Map(hosts.map((host) => [host, new Holder(guarded(['cat']))]));
  }

  get hosts(): string[] {
    return [...this.#hosts.keys()];
  }

  /** Of all that the namespaces live by. */
  get pids(): number[] {
    return [this.#router, ...this.#hosts.values()].map(({ pid }) => pid);
  }

  address(host: string): string {
    const index = this.hosts.indexOf(host);
    if (index < 0) throw new Error(`there is no host ${host}`);
    return `10.77.0.${FIRST_HOST + index}`;
  }

  /** The command that runs one on a host; it becomes the program, and dies with this process. */
  command(host: string, command: Command): Command {
    return guarded(inside(this.#holder(host), command));
  }

  /** What goes these ways is lost without a word, of open connections too. */
  async cut(directions: readonly Direction[]): Promise<void> {
    const rules = directions.map(({ from, to, port }) => {
      const only = port === undefined ? '' : ` ipproto tcp dport ${port}`;
      return `from ${this.address(from)} to ${this.address(to)}${only}`;
    });
    const added = rules.filter((rule) => !this.#cuts.has(rule));
    await this.#configure(added.map((rule) => `rule add ${rule} blackhole`));
    for (const rule of added) this.#cuts.add(rule);
  }

  /** Both ways between each of these and each of those. */
  async part(these: readonly string[], those: readonly string[]): Promise<void> {
    await this.cut(
      these.flatMap((a) =>
        those.flatMap((b) => [
          { from: a, to: b },
          { from: b, to: a },
        ]),
      ),
    );
  }

  /** This share of all packets that these hosts send to each other is lost. */
  async lose(share: number, hosts: readonly string[]): Promise<void> {
    const addresses = hosts.map((host) => numberOf(this.address(host)));
    const filter = lossFilter(share, Math.min(...addresses), Math.max(...addresses));
    this.#lossy = hosts;
    for (const host of hosts) {
      await this.#onRouter(['tc', 'qdisc', 'add', 'dev', linkOf(host), 'clsact']);
      const where = ['filter', 'add', 'dev', linkOf(host), 'ingress', 'protocol', 'ip'];
      await this.#onRouter(['tc', ...where, 'bpf', 'direct-action', 'bytecode', filter]);
    }
  }

  /** Packets that were lost since `lose`. */
  async lost(): Promise<number> {
    let lost = 0;
    for (const host of this.#lossy) {
      const text = await this.#onRouter(['tc', '-s', 'qdisc', 'show', 'dev', linkOf(host), 'clsact']);
      lost += Number(/dropped (\d+)/.exec(text)?.[1] ?? 0);
    }
    return lost;
  }

  /** Nothing is cut and nothing lost any more. */
  async heal(): Promise<void> {
    await this.#configure([...this.#cuts].map((rule) => `rule del ${rule} blackhole`));
    this.#cuts.clear();
    for (const host of this.#lossy) await this.#onRouter(['tc', 'qdisc', 'del', 'dev', linkOf(host), 'clsact']);
    this.#lossy = [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#hosts.values()].map((holder) => holder.end()));
    await this.#router.end();
  }

  async #join(): Promise<void> {
    await Promise.all([this.#router, ...this.#hosts.values()].map((holder) => holder.up()));
    await this.#onRouter(['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward']);
    for (const host of this.hosts) {
      const link = linkOf(host);
      const address = this.address(host);
      await this.#configure([
        `link add name ${link} type veth peer name eth0 netns ${this.#holder(host).pid}`,
        `link set ${link} up`,
        `addr add ${ROUTER_ADDRESS}/32 dev ${link}`,
        `route add ${address}/32 dev ${link}`,
      ]);
      const own = [
        'link set lo up',
        `addr add ${address}/32 dev eth0`,
        'link set eth0 up',
        `route add ${ROUTER_ADDRESS}/32 dev eth0`,
        `route add default via ${ROUTER_ADDRESS}`,
      ];
      await runAll(this.#holder(host), own);
    }
  }

  #holder(host: string): Holder {
    const holder = this.#hosts.get(host);
    if (holder === undefined) throw new Error(`there is no host ${host}`);
    return holder;
  }

  async #configure(lines: readonly string[]): Promise<void> {
    if (lines.length > 0) await runAll(this.#router, lines);
  }

  async #onRouter(command: Command): Promise<string> {
    const [program, ...args] = inside(this.#router, command);
    return await run(program, args);
  }
}

/** A process that does nothing but keep a network namespace; its input ends with this process. */
class Holder {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  constructor(command: Command) {
    this.#child = spawn('unshare', ['--net', '--', ...command], {
      stdio: ['pipe', 'ignore', 'inherit'],
      detached: true,
    });
    this.#child.stdin?.on('error', () => {});
    this.#exited = once(this.#child, 'close').catch(() => {});
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('unshare did not start');
    return this.#child.pid;
  }

  /** Before this its namespace is still the one of this machine. */
  async up(): Promise<void> {
    const isApart = async () => readlinkSync(`/proc/${this.pid}/ns/net`) !== readlinkSync('/proc/self/ns/net');
    await until('a network namespace is there', isApart, { timeoutMs: UP_MS_MAX, everyMs: 5 });
  }

  async end(): Promise<void> {
    this.#child.stdin?.end();
    await this.#exited;
  }
}

function guarded([program, ...args]: Command): Command {
  return ['setpriv', '--pdeathsig', 'KILL', '--', program, ...args];
}

function inside({ pid }: Holder, command: Command): Command {
  return ['nsenter', '-t', `${pid}`, '-n', '--', ...command];
}

async function runAll(holder: Holder, lines: readonly string[]): Promise<void> {
  const [program, ...args] = inside(holder, ['ip', '-batch', '-']);
  await run(program, args, { input: `${lines.join('\n')}\n` });
}

function linkOf(host: string): string {
  return `to-${host}`;
}

function numberOf(address: string): number {
  return address.split('.').reduce((number, part) => number * 256 + Number(part), 0);
}

/**
 * Classic BPF, since few kernels have netem built in: drops by a random number what goes to an address in the range,
 * and has no opinion on the rest.
 */
function lossFilter(share: number, lowest: number, highest: number): string {
  const destination = 0xfff0_0000 + 16;
  const random = 0xffff_f000 + 56;
  const threshold = Math.floor(share * 0xffff_ffff);
  const program = [
    `32 0 0 ${destination}`,
    `53 0 4 ${lowest}`,
    `37 3 0 ${highest}`,
    `32 0 0 ${random}`,
    `53 1 0 ${threshold}`,
    '6 0 0 2',
    `6 0 0 ${0xffff_ffff}`,
  ];
  return `${program.length},${program.join(',')}`;
}
