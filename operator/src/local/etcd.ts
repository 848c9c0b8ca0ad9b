import { doubledMs } from '@nacos-kube/core/back-off.ts';
import { DiskError, type Host, NetworkError } from '@nacos-kube/core/host/host.ts';
import { ProcessError, type Processes, type RunningProcess } from '@nacos-kube/core/host/processes.ts';
import { EtcdError, EtcdGateway, type EtcdLogin } from '../etcd/gateway.ts';
import { type MemberPlace, prepareMember } from '../etcd/prepare.ts';
import { promoteWhenInSync } from '../etcd/promote.ts';
import { shrinkEtcd } from './etcd-shrink.ts';
import { type ClusterLayout, type EtcdLayout, etcdMemberAt, LOOPBACK } from './layout.ts';
import { LogFile } from './log-file.ts';
import { RESTART_FIRST_MS, RESTART_MAX_MS, WELL_MS } from './machine.ts';

/** A database of a laptop; on Kubernetes it is half of the volume. */
const QUOTA_BYTES = 2 * 1024 ** 3;
const SERVES_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 200;
/** etcd hands over and ends within a second; who takes longer hangs. */
const STOP_MAX_MS = 10_000;
/** A manifest has 5 members of etcd at most. */
const ORDINALS_MAX = 5;
const LAST_LINE_CHARS_MAX = 300;

/**
 * etcd itself knows nothing of the pipe that tells a program of ours that its parent is gone. So a shell waits for its
 * end in the background, and becomes etcd in the foreground: signals and exit codes are etcd's own.
 */
const UNTIL_PARENT_IS_GONE = 'exec 3<&0; (cat <&3; kill -TERM $$) >/dev/null 2>&1 & exec "$@" </dev/null 3<&-';

/** The managed etcd of a manifest as processes of this machine; what pods and their init containers are elsewhere. */
export class LocalEtcd {
  readonly #host: Host;
  readonly #layout: ClusterLayout;
  readonly #processes: Processes;
  readonly #note: (text: string) => void;
  readonly #gateway: EtcdGateway;
  readonly #running = new Map<string, RunningProcess>();
  readonly #lastLines = new Map<string, string>();
  /** Each until its member shall run no more. */
  readonly #keeping = new Map<string, Promise<void>>();
  readonly #removed = new Set<string>();
  #isFormed = false;
  #isStopping = false;

  constructor(host: Host, layout: ClusterLayout, processes: Processes, note: (text: string) => void) {
    this.#host = host;
    this.#layout = layout;
    this.#processes = processes;
    this.#note = note;
    this.#gateway = new EtcdGateway(host);
  }

  /** Resolves when it serves and asks for its login; else with why it does not, with nothing left running. */
  async start(): Promise<string | undefined> {
    const { etcd } = this.#layout;
    if (etcd.length === 0) return undefined;
    const missing = await this.#missing();
    if (missing !== undefined) return missing;
    const login = await this.#login();
    this.#isFormed = (await this.#read(this.#layout.etcdFormedFile)) !== undefined;
    const leaving = await this.#leaving();
    const members = [...etcd, ...leaving];
    for (const member of members) {
      // Who leaves asks those that stay alone, and joins nobody again.
      const keeping = this.#keep(member, etcd.includes(member) ? members : etcd, login);
      this.#keeping.set(member.name, keeping);
      this.#host.background('running etcd', keeping);
    }
    const problem = (await this.#untilItServes(members, login)) ?? (await this.#shrink(leaving, login));
    if (problem !== undefined) await this.stop();
    return problem;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    const timer = this.#host.clock.after(STOP_MAX_MS, () => this.kill());
    // One after the other: who leads hands over, and for one that is stopping too it would wait 10 s.
    for (const process of [...this.#running.values()]) {
      process.kill('SIGTERM');
      await process.exited;
    }
    await Promise.all(this.#keeping.values());
    timer.cancel();
  }

  kill(): void {
    this.#isStopping = true;
    for (const process of this.#running.values()) process.kill('SIGKILL');
  }

  /** Pids by name, for whoever wants to see what a lost member costs. */
  pids(): ReadonlyMap<string, number> {
    return new Map([...this.#running].map(([name, { pid }]) => [name, pid]));
  }

  async #missing(): Promise<string | undefined> {
    try {
      await (await this.#processes.spawn('etcd', ['--version'], {})).exited;
      return undefined;
    } catch (error) {
      if (!(error instanceof ProcessError)) throw error;
      return (
        'spec.storage.etcd.managed needs the program etcd, 3.4 to 3.6, in PATH (Debian: apt-get install etcd-server); ' +
        'or leave spec.storage out: then the members of this machine share a file'
      );
    }
  }

  /** One member, again and again, until all shall end. */
  async #keep(member: EtcdLayout, members: readonly EtcdLayout[], login: EtcdLogin): Promise<void> {
    const log = new LogFile(this.#host, member.logFile);
    const wanted = members.map(placeOf);
    const shallEnd = () => this.#isStopping || this.#removed.has(member.name);
    let failures = 0;
    while (!shallEnd()) {
      const isPrepared = await prepareMember(
        this.#host,
        {
          self: placeOf(member),
          wanted,
          isFormed: this.#isFormed,
          login,
          dataDirectory: `${member.directory}/data`,
          configFile: member.configFile,
          config: {
            token: this.#layout.name,
            listen: LOOPBACK,
            peerPort: member.peerPort,
            clientPort: member.clientPort,
            metricsPort: member.metricsPort,
            quotaBytes: QUOTA_BYTES,
          },
        },
        shallEnd,
      );
      // It looks again after a while, unless all shall end.
      if (!isPrepared) continue;
      const startedMs = this.#host.clock.monotonic();
      let isOver = false;
      const promoted = promoteWhenInSync(
        this.#host,
        this.#gateway,
        { self: placeOf(member), all: wanted, login },
        () => isOver || shallEnd(),
      );
      this.#host.background('promoting a member of etcd', promoted);
      const how = await this.#run(member, log);
      isOver = true;
      if (shallEnd()) break;
      failures = this.#host.clock.monotonic() - startedMs >= WELL_MS ? 0 : failures;
      const delayMs = doubledMs(failures++, RESTART_FIRST_MS, RESTART_MAX_MS);
      // One that leaves ends by itself when it is no member any more, which is told where it is done.
      if (this.#layout.etcd.includes(member)) {
        this.#note(`${member.name} ${how}, starting it again in ${delayMs / 1000} s`);
      }
      await this.#host.clock.sleep(delayMs);
    }
    await log.close();
  }

  async #run(member: EtcdLayout, log: LogFile): Promise<string> {
    const args = ['-c', UNTIL_PARENT_IS_GONE, 'sh', 'etcd', '--config-file', member.configFile];
    try {
      const process = await this.#processes.spawn('/bin/sh', args, {
        onOutput: (line) => {
          this.#lastLines.set(member.name, line.trim().slice(0, LAST_LINE_CHARS_MAX));
          log.add(line);
        },
      });
      this.#running.set(member.name, process);
      if (this.#isStopping || this.#removed.has(member.name)) process.kill('SIGTERM');
      const { code, signal } = await process.exited;
      this.#running.delete(member.name);
      return signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
    } catch (error) {
      if (!(error instanceof ProcessError)) throw error;
      return `cannot be started: ${error.message}`;
    }
  }

  /** Members of earlier, when more were wanted; what is no data of anybody is deleted. */
  async #leaving(): Promise<readonly EtcdLayout[]> {
    const { disk } = this.#host;
    const { directory, etcd } = this.#layout;
    const ordinals = (await disk.list(`${directory}/etcd`)).filter((name) => /^\d$/.test(name)).map(Number);
    const leaving: EtcdLayout[] = [];
    for (const ordinal of ordinals.filter((one) => one >= etcd.length)) {
      const member = etcdMemberAt(this.#layout, ordinal);
      const hasLog = (await disk.list(`${member.directory}/data/member/wal`)).length > 0;
      if (this.#isFormed && hasLog) leaving.push(member);
      else await disk.remove(member.directory);
    }
    return leaving;
  }

  /** Those that are leaving do, one at a time. Resolves with what is wrong. */
  async #shrink(leaving: readonly EtcdLayout[], login: EtcdLogin): Promise<string | undefined> {
    if (leaving.length === 0) return undefined;
    const { etcd } = this.#layout;
    const [all, wanted] = [etcd.length + leaving.length, etcd.length];
    this.#note(
      `etcd shall have ${wanted} ${wanted === 1 ? 'member' : 'members'}, not ${all}: the others leave it, one at a time`,
    );
    const why = await shrinkEtcd(this.#host, {
      gateway: this.#gateway,
      login,
      places: Array.from({ length: ORDINALS_MAX }, (_, ordinal) => ({
        ...placeOf(etcdMemberAt(this.#layout, ordinal)),
        ordinal,
      })),
      wanted,
      isOver: () => this.#isStopping,
      onRemoved: async (ordinal) => {
        const member = leaving.find(({ name }) => name === etcdMemberAt(this.#layout, ordinal).name);
        if (member && !this.#removed.has(member.name)) await this.#remove(member);
      },
    });
    if (why !== undefined) {
      const enough = all % 2 === 0 ? all + 1 : all;
      return (
        `etcd cannot go from ${all} members to ${wanted}: ${why}.\n  Set spec.storage.etcd.managed.members to ${enough}, ` +
        `and to ${wanted} again when all of them are up; its logs are in ${this.#layout.logs}`
      );
    }
    return undefined;
  }

  /** It is no member any more, so what it holds is of no use to anybody. */
  async #remove({ name, directory }: EtcdLayout): Promise<void> {
    this.#removed.add(name);
    this.#running.get(name)?.kill('SIGTERM');
    await this.#keeping.get(name);
    this.#keeping.delete(name);
    await this.#host.disk.remove(directory);
    this.#note(`${name} has left etcd, its data are deleted`);
  }

  async #untilItServes(members: readonly EtcdLayout[], login: EtcdLogin): Promise<string | undefined> {
    const { clock } = this.#host;
    const startedMs = clock.monotonic();
    let last = '';
    while (clock.monotonic() - startedMs < SERVES_WITHIN_MS && !this.#isStopping) {
      for (const { clientPort } of members) {
        const at = { address: LOOPBACK, port: clientPort };
        try {
          await this.#gateway.members(at, login);
          await this.#host.disk.write(this.#layout.etcdFormedFile, 'the members have found together\n', { sync: true });
          this.#isFormed = true;
          if (!(await this.#gateway.isGuarded(at, login))) await this.#gateway.guard(at, login);
          return undefined;
        } catch (error) {
          if (!(error instanceof NetworkError || error instanceof EtcdError)) throw error;
          last = error.message;
        }
      }
      await clock.sleep(LOOK_EVERY_MS);
    }
    const words = [...this.#lastLines].map(([name, line]) => `${name}: ${line}`).join('\n  ');
    return `etcd does not serve (${last}); its logs are in ${this.#layout.logs}\n  ${words}`;
  }

  async #login(): Promise<EtcdLogin> {
    const { databaseDirectory } = this.#layout;
    const [user = '', password = ''] = await Promise.all(
      ['user', 'password'].map((key) => this.#read(`${databaseDirectory}/${key}`)),
    );
    return { user, password };
  }

  async #read(file: string): Promise<string | undefined> {
    try {
      return new TextDecoder().decode(await this.#host.disk.read(file)).trim();
    } catch (error) {
      if (error instanceof DiskError && error.kind === 'missing') return undefined;
      throw error;
    }
  }
}

function placeOf({ name, peerPort, clientPort }: EtcdLayout): MemberPlace {
  return {
    name,
    peerUrl: `http://${LOOPBACK}:${peerPort}`,
    client: { address: LOOPBACK, port: clientPort },
  };
}
