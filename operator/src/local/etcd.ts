import { doubledMs } from '@nacos-kube/core/back-off.ts';
import { DiskError, type Host, NetworkError } from '@nacos-kube/core/host/host.ts';
import { ProcessError, type Processes, type RunningProcess } from '@nacos-kube/core/host/processes.ts';
import { EtcdError, EtcdGateway, type EtcdLogin } from '../etcd/gateway.ts';
import { type MemberPlace, prepareMember } from '../etcd/prepare.ts';
import { promoteWhenInSync } from '../etcd/promote.ts';
import { type ClusterLayout, type EtcdLayout, LOOPBACK } from './layout.ts';
import { LogFile } from './log-file.ts';
import { RESTART_FIRST_MS, RESTART_MAX_MS, WELL_MS } from './machine.ts';

/** A database of a laptop; on Kubernetes it is half of the volume. */
const QUOTA_BYTES = 2 * 1024 ** 3;
const SERVES_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 200;
/** etcd hands over and ends within a second; who takes longer hangs. */
const STOP_MAX_MS = 10_000;
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
  #members: Promise<unknown> = Promise.resolve();
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
    this.#members = Promise.all(etcd.map((member) => this.#keep(member, login)));
    this.#host.background('running etcd', this.#members);
    const problem = await this.#untilItServes(login);
    if (problem !== undefined) await this.stop();
    return problem;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const process of this.#running.values()) process.kill('SIGTERM');
    const timer = this.#host.clock.after(STOP_MAX_MS, () => this.kill());
    await this.#members;
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
  async #keep(member: EtcdLayout, login: EtcdLogin): Promise<void> {
    const log = new LogFile(this.#host, member.logFile);
    const wanted = this.#layout.etcd.map(placeOf);
    let failures = 0;
    while (!this.#isStopping) {
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
        () => this.#isStopping,
      );
      // It looks again after a while, unless all shall end.
      if (!isPrepared) continue;
      const startedMs = this.#host.clock.monotonic();
      let isOver = false;
      const promoted = promoteWhenInSync(
        this.#host,
        this.#gateway,
        { self: placeOf(member), all: wanted, login },
        () => isOver || this.#isStopping,
      );
      this.#host.background('promoting a member of etcd', promoted);
      const how = await this.#run(member, log);
      isOver = true;
      if (this.#isStopping) break;
      failures = this.#host.clock.monotonic() - startedMs >= WELL_MS ? 0 : failures;
      const delayMs = doubledMs(failures++, RESTART_FIRST_MS, RESTART_MAX_MS);
      this.#note(`${member.name} ${how}, starting it again in ${delayMs / 1000} s`);
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
      if (this.#isStopping) process.kill('SIGTERM');
      const { code, signal } = await process.exited;
      this.#running.delete(member.name);
      return signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
    } catch (error) {
      if (!(error instanceof ProcessError)) throw error;
      return `cannot be started: ${error.message}`;
    }
  }

  async #untilItServes(login: EtcdLogin): Promise<string | undefined> {
    const { clock } = this.#host;
    const startedMs = clock.monotonic();
    let last = '';
    while (clock.monotonic() - startedMs < SERVES_WITHIN_MS && !this.#isStopping) {
      for (const { clientPort } of this.#layout.etcd) {
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
