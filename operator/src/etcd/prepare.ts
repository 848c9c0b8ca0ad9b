import type { Endpoint, Host } from '@nacos-kube/core/host/host.ts';
import { DiskError, NetworkError } from '@nacos-kube/core/host/host.ts';
import { EtcdError, EtcdGateway, type EtcdLogin, type EtcdMember } from './gateway.ts';
import { nextStartStep, type StartStep } from './member-start.ts';

export interface MemberPlace {
  readonly name: string;
  readonly peerUrl: string;
  /** Where its clients call it. */
  readonly client: Endpoint;
}

export interface PrepareOptions {
  readonly self: MemberPlace;
  /** All that shall be members, itself included. */
  readonly wanted: readonly MemberPlace[];
  readonly isFormed: boolean;
  readonly login: EtcdLogin;
  readonly dataDirectory: string;
  /** What etcd is to be started with, `--config-file`. */
  readonly configFile: string;
  readonly config: EtcdConfig;
}

/** The part of etcd's configuration that is not about who is a member. */
export interface EtcdConfig {
  /** The same for all members of a cluster, another for each cluster: a stray member of another one is refused. */
  readonly token: string;
  readonly listen: string;
  readonly peerPort: number;
  readonly clientPort: number;
  /** Its metrics and its own view of its health, without login. */
  readonly metricsPort: number;
  readonly quotaBytes: number;
}

const LOOK_EVERY_MS = 1_000;
/** Said once in this time while it waits. */
const SAY_EVERY_MS = 30_000;

/**
 * Makes a member of the managed etcd ready to start: writes its configuration, after it has joined the others when its
 * volume is empty. Waits for as long as it may not start; `isOver` ends that.
 */
export async function prepareMember(host: Host, options: PrepareOptions, isOver = () => false): Promise<boolean> {
  const gateway = new EtcdGateway(host);
  const hasData = await hasLog(host, options.dataDirectory);
  const noteFile = `${options.dataDirectory}.joining`;
  if (hasData) await host.disk.remove(noteFile);
  // What lies beside a log that is lost belongs to a number that is given up.
  if (!hasData) await host.disk.remove(`${options.dataDirectory}/member`);
  let saidMs = Number.NEGATIVE_INFINITY;
  while (!isOver()) {
    const { step, at } = await look(host, gateway, options, hasData, await noteIn(host, noteFile));
    if (step.kind === 'start') {
      await host.disk.write(options.configFile, etcdConfigFile(options, step));
      return true;
    }
    try {
      if (step.kind === 'remove' && at) {
        host.log.warn(`the volume is empty: member ${step.id} is removed, ${options.self.name} joins anew`);
        await gateway.removeMember(at, options.login, step.id);
        continue;
      }
      if (step.kind === 'add' && at) {
        await host.disk.write(noteFile, step.initialCluster, { sync: true });
        await gateway.addMember(at, options.login, options.self.peerUrl);
        host.log.info(`${options.self.name} was added`);
        continue;
      }
      say(step.kind === 'wait' ? step.why : 'no other member answers');
    } catch (error) {
      // etcd refuses what would cost it its quorum, e.g. while another member joins: then it is this one's turn later.
      if (!isExpected(error)) throw error;
      // With the note it would start when nobody answers, be refused by the others for ever, and never come back here.
      if (step.kind === 'add' && isRefused(error)) await host.disk.remove(noteFile);
      say(`etcd does not ${step.kind} this member yet: ${(error as Error).message}`);
    }
    await host.clock.sleep(LOOK_EVERY_MS);
  }
  return false;

  function say(why: string): void {
    if (host.clock.monotonic() - saidMs < SAY_EVERY_MS) return;
    saidMs = host.clock.monotonic();
    host.log.warn(`waiting: ${why}`);
  }
}

async function look(
  host: Host,
  gateway: EtcdGateway,
  options: PrepareOptions,
  hasData: boolean,
  joining: string | undefined,
) {
  const { self, wanted, isFormed, login } = options;
  const facts = { name: self.name, peerUrl: self.peerUrl, hasData, isFormed, wanted, joining };
  if (hasData) return { step: nextStartStep({ ...facts, members: undefined }) };
  const others = wanted.filter(({ name }) => name !== self.name);
  const answers = await Promise.all(others.map(({ client }) => membersBy(host, gateway, client, login)));
  const heard = answers.find((answer) => answer !== undefined);
  const step: StartStep = nextStartStep({ ...facts, members: heard?.members });
  return heard ? { step, at: heard.at } : { step };
}

async function membersBy(host: Host, gateway: EtcdGateway, at: Endpoint, login: EtcdLogin) {
  try {
    const members: readonly EtcdMember[] = await gateway.members(at, login);
    return { at, members };
  } catch (error) {
    if (!isExpected(error)) throw error;
    host.log.debug('another member does not answer', { at: at.address, error });
    return undefined;
  }
}

function isExpected(error: unknown): boolean {
  return error instanceof NetworkError || error instanceof EtcdError;
}

/** It was surely not carried out; after any other error it may have been. */
function isRefused(error: unknown): boolean {
  return error instanceof EtcdError && /unhealthy cluster|not enough started members/.test(error.message);
}

async function noteIn(host: Host, file: string): Promise<string | undefined> {
  try {
    return new TextDecoder().decode(await host.disk.read(file));
  } catch (error) {
    if (error instanceof DiskError && error.kind === 'missing') return undefined;
    throw error;
  }
}

/** As etcd itself decides whether it has run before. */
async function hasLog(host: Host, dataDirectory: string): Promise<boolean> {
  return (await host.disk.list(`${dataDirectory}/member/wal`)).some((name) => name.endsWith('.wal'));
}

/** JSON is YAML, which etcd reads. */
export function etcdConfigFile(
  { self, dataDirectory, config }: Pick<PrepareOptions, 'self' | 'dataDirectory' | 'config'>,
  start: { readonly clusterState: 'new' | 'existing'; readonly initialCluster: string },
): string {
  const { listen, peerPort, clientPort, metricsPort, token, quotaBytes } = config;
  const settings = {
    name: self.name,
    'data-dir': dataDirectory,
    'listen-peer-urls': `http://${listen}:${peerPort}`,
    'listen-client-urls': `http://${listen}:${clientPort}`,
    'listen-metrics-urls': `http://${listen}:${metricsPort}`,
    'initial-advertise-peer-urls': self.peerUrl,
    'advertise-client-urls': `http://${self.client.address}:${self.client.port}`,
    'initial-cluster': start.initialCluster,
    'initial-cluster-state': start.clusterState,
    'initial-cluster-token': token,
    'strict-reconfig-check': true,
    // On by default but where a file says the rest (3.4): the operator speaks by it.
    'enable-grpc-gateway': true,
    'quota-backend-bytes': quotaBytes,
    // A machine short of processors for a second would cost the leader its place by etcd's own 100 and 1000 ms.
    'heartbeat-interval': 250,
    'election-timeout': 2_500,
    // A bound for the case that no node compacts; a follower that was away for longer reads everything anew.
    'auto-compaction-mode': 'periodic',
    'auto-compaction-retention': '24h',
    logger: 'zap',
    'log-level': 'warn',
  };
  return `${JSON.stringify(settings, null, 2)}\n`;
}
