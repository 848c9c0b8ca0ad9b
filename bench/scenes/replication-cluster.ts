/** Three members as processes of this machine that share a store, each with ports of its own. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, freePorts } from '../../e2e/processes/ports.ts';
import { ownerAmong } from '../../server/src/members/owner.ts';
import { OK, type Requests, requestsFor } from '../requests.ts';
import { upTo } from '../rows.ts';
import { loadOnce, type OwnNode, scrape } from '../server.ts';
import type { Stage } from '../stage.ts';
import { type SpreadOrder, spreadService } from './replication-load.ts';
import { CountingRelay } from './replication-relay.ts';

export const MEMBERS = 3;
export const CHANGED: Size = { services: 1_000, instances: 10_000 };
export const QUICK_CHANGED: Size = { services: 10, instances: 100 };
export const QUIET: Size = { services: 1_000, instances: 100_000 };
export const QUICK_QUIET: Size = { services: 10, instances: 500 };
const CONNECTIONS = 192;
const PREFIX = 'bench-';
const READY_MS_MAX = 60_000;
const LOOK_EACH_MS = 5;
const LOOK_MS_MAX = 1_000;

export interface ClusterMember {
  /** In the member list. */
  readonly address: string;
  readonly node: () => OwnNode;
  /** Resolves when it is ready; `isEmpty`: nothing is on its disk. */
  readonly start: (isEmpty: boolean) => Promise<OwnNode>;
}

export interface Cluster {
  readonly members: readonly ClusterMember[];
  readonly to: Requests;
  /** Between members, both ways and with all headers, since the start; null without relays. */
  readonly bytes: () => number | null;
  readonly stop: () => Promise<void>;
}

export interface ClusterOptions {
  readonly members?: number;
  /** Counts what members say to each other, which then takes a little longer. */
  readonly hasRelays?: boolean;
}

/** Members that are not started yet. */
export async function prepareCluster(stage: Stage, options: ClusterOptions = {}): Promise<Cluster> {
  const { members: count = MEMBERS, hasRelays = false } = options;
  const folder = stage.folder();
  const keyFile = join(folder, 'cluster-key');
  writeFileSync(keyFile, randomBytes(32).toString('hex'), { mode: 0o600 });
  const port = hasRelays ? await freePort() : 0;
  const ports = hasRelays ? upTo(count).map(() => port) : await freePorts(count);
  // Behind relays each member has a loopback address that it listens on, and another one that the others call.
  const addresses = ports.map((own, n) => `${hasRelays ? `127.0.12.${n + 1}` : '127.0.0.1'}:${own}`);
  const relays: CountingRelay[] = [];
  const members = addresses.map((address, n): ClusterMember => {
    const host = hasRelays ? `127.0.13.${n + 1}` : '127.0.0.1';
    const data = join(folder, `member-${n}`);
    const flags = {
      ...{ mode: 'cluster', port: ports[n]!, listen: host, member: address, servers: addresses.join(','), data },
      ...{ 'cluster-key-file': keyFile, 'sqlite-file': join(folder, 'store.sqlite'), 'log-level': 'warn' },
    };
    let running: OwnNode | undefined;
    return {
      address,
      node() {
        if (running === undefined) throw new Error(`${address} was not started`);
        return running;
      },
      async start(isEmpty) {
        if (isEmpty) rmSync(data, { recursive: true, force: true });
        mkdirSync(data, { recursive: true });
        running = await startMember(stage, { host, port: ports[n]! }, flags);
        return running;
      },
    };
  });
  if (hasRelays) {
    for (const [n, own] of ports.entries()) {
      const [from, to] = [`127.0.12.${n + 1}`, `127.0.13.${n + 1}`];
      relays.push(await CountingRelay.start({ from, to, port: own - 1_000 }));
    }
  }
  return {
    members,
    to: requestsFor('/nacos', '127.0.0.1', PREFIX),
    bytes: () => (hasRelays ? relays.reduce((sum, relay) => sum + relay.bytes, 0) : null),
    async stop() {
      await stage.endAll();
      for (const relay of relays) relay.stop();
      stage.removeFolder(folder);
    },
  };
}

/** All are ready and see each other. */
export async function startCluster(stage: Stage, options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = await prepareCluster(stage, options);
  try {
    await Promise.all(cluster.members.map((member) => member.start(true)));
    await untilAllSeen(stage, cluster.members);
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

/** Each of these sees each of these up. */
export async function untilAllSeen(stage: Stage, members: readonly ClusterMember[]): Promise<void> {
  const endsMs = performance.now() + READY_MS_MAX;
  for (const member of members) {
    for (;;) {
      stage.throwIfInterrupted();
      const { host, port } = member.node();
      const url = `http://${host}:${port}/nacos/v1/core/cluster/nodes`;
      const { data } = (await (await fetch(url)).json()) as { data: { address: string; state: string }[] };
      const isUp = ({ address }: ClusterMember) => data.some((one) => one.address === address && one.state === 'UP');
      if (members.every(isUp)) break;
      if (performance.now() > endsMs) throw new Error(`${member.address} does not see all others up`);
      await delay(LOOK_EACH_MS);
    }
  }
}

/** Registers instances that need no beats, by one member. */
export async function fillCluster(stage: Stage, { members, to }: Cluster, size: Size): Promise<void> {
  const { services, instances } = size;
  const requests = upTo(instances).map((n) => to.register(spreadService(n % services), n, { isLasting: true }));
  await loadOnce(stage, members[0]!.node(), requests, OK);
  for (const { node } of members.filter(isStarted)) await untilCount(stage, node(), instances);
}

export interface Size {
  readonly services: number;
  readonly instances: number;
}

/** Weights of all of them changed over and over, by any of these members. */
export function changes(
  cluster: Cluster,
  { services, instances }: Size,
  timing: Pick<SpreadOrder, 'perSecond' | 'warmMs' | 'windowMs'>,
  members = cluster.members,
): SpreadOrder {
  const nodes = members.map(({ node }) => node());
  return {
    targets: nodes.map(({ host, port }) => ({ host, port })),
    contextPath: nodes[0]!.contextPath,
    prefix: cluster.to.prefix,
    connections: CONNECTIONS,
    work: 'changes',
    ...{ services, instances, ...timing },
    serverPids: nodes.map(({ pid }) => pid!),
  };
}

/** A name of a service that this member owns while all are well. */
export function serviceOwnedBy(owner: ClusterMember, { members, to }: Cluster, stem: string): string {
  const addresses = members.map(({ address }) => address).sort();
  for (let n = 0; ; n += 1) {
    const name = `${stem}-${n}`;
    if (ownerAmong(addresses, `public##DEFAULT_GROUP@@${to.prefix}${name}`) === owner.address) return name;
  }
}

/** Until it has so many instances. */
export async function untilCount(stage: Stage, node: OwnNode, instances: number): Promise<void> {
  const endsMs = performance.now() + READY_MS_MAX;
  while ((await scrape(node))('nacos_monitor{module="naming",name="ipCount"}') !== instances) {
    stage.throwIfInterrupted();
    if (performance.now() > endsMs) throw new Error(`a member does not have ${instances} instances`);
    await delay(LOOK_EACH_MS * 20);
  }
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}

function isStarted({ node }: ClusterMember): boolean {
  try {
    return node().child.exitCode === null && node().child.signalCode === null;
  } catch {
    return false;
  }
}

async function startMember(
  stage: Stage,
  { host, port }: { readonly host: string; readonly port: number },
  flags: Readonly<Record<string, string | number>>,
): Promise<OwnNode> {
  const startedMs = performance.now();
  const { child, log } = stage.startNode(Object.entries(flags).flatMap(([name, value]) => [`--${name}`, `${value}`]));
  const url = `http://${host}:${port}/nacos/v1/console/health/readiness`;
  for (;;) {
    const isReady = await fetch(url, { signal: AbortSignal.timeout(LOOK_MS_MAX) }).then(
      (response) => response.status === 200,
      () => false,
    );
    const readyAfterMs = performance.now() - startedMs;
    if (isReady) return { host, port, contextPath: '/nacos', pid: child.pid!, isOurs: true, child, readyAfterMs };
    if (child.exitCode !== null || child.signalCode !== null || readyAfterMs > READY_MS_MAX) {
      await stage.end(child);
      throw new Error(`a member was not ready ${Math.round(readyAfterMs)} ms after its start\n${log()}`);
    }
    await delay(LOOK_EACH_MS);
  }
}
