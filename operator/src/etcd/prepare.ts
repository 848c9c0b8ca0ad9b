import type { Endpoint, Host } from '@nacos-kube/core/host/host.ts';
import { DiskError, NetworkError } from '@nacos-kube/core/host/host.ts';
import { foundedClusterId } from './founding.ts';
import { EtcdError, EtcdGateway, type EtcdLogin } from './gateway.ts';
import { type LogIdentity, logIdentity } from './log-identity.ts';
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
 * It ends after so long, for what it was told may have changed since. Who shall be no member sooner: its pod is mostly
 * gone by then.
 */
const ENDS_AFTER_MS = { wait: 60_000, leave: 10_000 } as const;

/**
 * Makes a member of the managed etcd ready to start: writes its configuration, after it has joined the others when its
 * volume is empty. Waits while it may not start, until what it was told is too old or `isOver`. Resolves with whether it
 * may start.
 */
export async function prepareMember(host: Host, options: PrepareOptions, isOver = () => false): Promise<boolean> {
  const { dataDirectory, self, login } = options;
  const gateway = new EtcdGateway(host);
  let identity = await identityOf(host, dataDirectory);
  let saidMs = Number.NEGATIVE_INFINITY;
  const beganMs = host.clock.monotonic();
  const noteFile = `${dataDirectory}.joining`;
  if (identity !== 'none') await host.disk.remove(noteFile);
  // What lies beside a log that is lost belongs to a number that is given up.
  if (identity === 'none') await host.disk.remove(`${dataDirectory}/member`);
  while (!isOver()) {
    const { step, at } = await look(host, gateway, options, identity, await noteIn(host, noteFile));
    if (step.kind === 'start') {
      await host.disk.write(options.configFile, etcdConfigFile(options, step));
      return true;
    }
    if (step.kind === 'forget') {
      host.log.warn(`${step.why}: they are deleted, ${self.name} begins anew`);
      await host.disk.remove(`${dataDirectory}/member`);
      identity = 'none';
      continue;
    }
    const isWaiting = step.kind === 'wait' || step.kind === 'leave';
    if (isWaiting && host.clock.monotonic() - beganMs >= ENDS_AFTER_MS[step.kind]) {
      host.log.warn(`${step.why}: ending, to be told anew who shall be a member`);
      return false;
    }
    // The number it was written for is not, or will not be, its own.
    if (step.kind === 'remove' || step.kind === 'add') await host.disk.remove(noteFile);
    try {
      if (step.kind === 'remove' && at) {
        host.log.warn(`the volume is empty: member ${step.id} is removed, ${self.name} joins anew`);
        await gateway.removeMember(at, login, step.id);
        continue;
      }
      if (step.kind === 'add' && at) {
        await gateway.addLearner(at, login, self.peerUrl);
        host.log.info(`${self.name} was added as a learner`);
        continue;
      }
      say(isWaiting ? step.why : 'no other member answers');
    } catch (error) {
      // etcd refuses what would cost it its quorum, e.g. while another member joins: then it is this one's turn later.
      if (!isExpected(error)) throw error;
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

/** Of the data on the volume: none, somebody's that they do not name, or this member's. */
type Identity = 'none' | 'unknown' | LogIdentity;

async function look(
  host: Host,
  gateway: EtcdGateway,
  options: PrepareOptions,
  identity: Identity,
  joining: string | undefined,
) {
  const { self, wanted, isFormed, login, config } = options;
  const others = wanted.filter(({ name }) => name !== self.name);
  const answers = await Promise.all(others.map(({ client }) => membershipBy(host, gateway, client, login)));
  const heard = answers.find((answer) => answer !== undefined);
  const step: StartStep = nextStartStep({
    name: self.name,
    peerUrl: self.peerUrl,
    isFormed,
    wanted,
    hasData: identity !== 'none',
    foundedId: foundedClusterId(
      wanted.map(({ peerUrl }) => peerUrl),
      config.token,
    ),
    identity: typeof identity === 'string' ? undefined : identity,
    membership: heard?.membership,
    joining,
  });
  return heard ? { step, at: heard.at } : { step };
}

async function membershipBy(host: Host, gateway: EtcdGateway, at: Endpoint, login: EtcdLogin) {
  try {
    return { at, membership: await gateway.membership(at, login) };
  } catch (error) {
    if (!isExpected(error)) throw error;
    host.log.debug('another member does not answer', { at: at.address, error });
    return undefined;
  }
}

function isExpected(error: unknown): boolean {
  return error instanceof NetworkError || error instanceof EtcdError;
}

/** Written by versions that added members with a vote, before they did. */
async function noteIn(host: Host, file: string): Promise<string | undefined> {
  try {
    return new TextDecoder().decode(await host.disk.read(file));
  } catch (error) {
    if (error instanceof DiskError && error.kind === 'missing') return undefined;
    throw error;
  }
}

/** By the log, as etcd itself decides whether it has run before. */
async function identityOf(host: Host, dataDirectory: string): Promise<Identity> {
  const directory = `${dataDirectory}/member/wal`;
  const newest = (await host.disk.list(directory)).filter((name) => name.endsWith('.wal')).at(-1);
  if (newest === undefined) return 'none';
  return logIdentity(await host.disk.read(`${directory}/${newest}`)) ?? 'unknown';
}

/** Entries of the log; a snapshot is small, for the database is not in it. */
const SNAPSHOT_EVERY = 1_000;

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
    // Members of 3.4 write their checks of health to the log, and 3.6 ends at one that follows the last snapshot.
    'snapshot-count': SNAPSHOT_EVERY,
    // A machine short of processors for a second would cost the leader its place by etcd's own 100 and 1000 ms.
    'heartbeat-interval': 250,
    'election-timeout': 2_500,
    // A member that comes back from behind a cut asks first, instead of unseating the leader; off in 3.4 unless said.
    'pre-vote': true,
    // A bound for the case that no node compacts; a follower that was away for longer reads everything anew.
    'auto-compaction-mode': 'periodic',
    'auto-compaction-retention': '24h',
    logger: 'zap',
    'log-level': 'warn',
  };
  return `${JSON.stringify(settings, null, 2)}\n`;
}
