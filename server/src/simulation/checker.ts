import { compareStamps, type Stamp } from '@nacos-kube/core/model/stamp.ts';
import type { World } from '@nacos-kube/core/sim/world.ts';
import type { SimulatedClient } from './client.ts';
import { addressOf, type SimulatedCluster, type SimulatedNode } from './cluster.ts';
import { VIP } from './vip.ts';

const TTL_MS = 15_000;
/** How far back an instance's signs of life decide whether it must be listed. */
const WINDOW_MS = 35_000;
/** Between two signs of life; with more the time-out may strike rightly. */
const GAP_MS = 12_000;
const HEAL_MS = 15_000;
/** A registration may be lost with the node that took it, if that dies before it could tell anyone. */
const SPREAD_MS = 5_000;
const UNDER_WAY_MS = 2_000;
const UNDER_WAY_STEP_MS = 100;
export const VIOLATIONS_MAX = 20;

/**
 * Promise P3, seen from outside: what a ready node has listed once, it lists as long as the instance shows signs of life
 * to nodes that this one can hear. And a node that turns ready lists what a peer that it could hear all along lists, and
 * what its own earlier life listed, if its disk survived.
 */
export class ListChecker {
  readonly violations: string[] = [];
  readonly #cluster: SimulatedCluster;
  readonly #clients: readonly SimulatedClient[];
  readonly #lastCutMs = new Map<string, number>();
  /** `node start service ip` to when it was first seen there. */
  readonly #seen = new Map<string, number>();
  /** And when it was last seen there. */
  readonly #last = new Map<string, number>();
  #isCut: (a: string, b: string) => boolean = () => false;
  #isHolding = false;
  /** The newest stamp that was seen of it there. */
  readonly #stamps = new Map<string, Stamp>();
  /** Nodes whose disk was full in this run. */
  readonly #distrusted = new Set<string>();
  samples = 0;

  constructor(cluster: SimulatedCluster, clients: readonly SimulatedClient[]) {
    this.#cluster = cluster;
    this.#clients = clients;
  }

  /** Tells which nodes cannot hear each other from now on. */
  setCut(isCut: (a: string, b: string) => boolean): void {
    this.#isCut = isCut;
  }

  /** From now on messages are held, so many of them perhaps that two nodes lose each other. */
  setHolding(isHolding: boolean): void {
    this.#isHolding = isHolding;
  }

  /** What this node had written before now need not be there after a restart: its disk takes nothing. */
  distrustDisk(name: string): void {
    this.#distrusted.add(name);
  }

  /** Looks at every list of every ready node. */
  sample(nowMs: number): void {
    this.samples++;
    this.#noteCuts(nowMs);
    const ready = this.#cluster.ready();
    for (const node of ready) {
      if (this.#cluster.isPaused(node.name)) continue;
      const listed = listedOn(node);
      for (const client of this.#clients) {
        const place = `${client.service} ${client.ip}`;
        const seen = `${node.name} ${node.startedMs} ${place}`;
        this.#checkStamp(node, client, seen, nowMs);
        const isListed = listed.has(place);
        if (isListed && !this.#seen.has(seen)) this.#seen.set(seen, nowMs);
        if (isListed) this.#last.set(seen, nowMs);
        if (isListed) continue;
        if (this.#seen.has(seen) && tookSigns(node, client, nowMs) && !this.#isHealing(node, client, nowMs)) {
          this.#violated(`${node.name} dropped ${place}, whose signs of life it takes itself`, client, nowMs);
        }
        if (!this.#mustBeListed(node, client, nowMs)) continue;
        if (this.#seen.has(seen)) this.#violated(`${node.name} lost ${place}`, client, nowMs);
        else if (this.#wasOnDisk(node, place)) this.#violated(`${node.name} forgot ${place}`, client, nowMs);
        else if (this.#peerLists(node, place, ready, nowMs)) {
          this.#violated(`${node.name} is ready and lacks ${place}`, client, nowMs);
        }
      }
    }
  }

  /** Promises P1 and P11, so long after healing: all nodes have the same, and whoever was acknowledged is among it. */
  async checkHealed(world: World): Promise<void> {
    const { nowMs } = world;
    for (const node of this.#cluster.ready()) {
      const listed = listedOn(node);
      for (const client of this.#clients) {
        const isAcked = client.acks.some(({ atMs }) => atMs > nowMs - GAP_MS && atMs < nowMs - SPREAD_MS);
        if (client.state !== 'wanted' || !isAcked || listed.has(`${client.service} ${client.ip}`)) continue;
        this.#violated(`${node.name} is healed and lacks ${client.service} ${client.ip}`, client, nowMs);
      }
    }
    // What changes just then is on its way for a moment.
    for (let waitedMs = 0; waitedMs < UNDER_WAY_MS; waitedMs += UNDER_WAY_STEP_MS) {
      if (new Set(this.#cluster.ready().map(digestsOf)).size <= 1) return;
      await world.advance(UNDER_WAY_STEP_MS);
    }
    this.violations.push('digests differ 15 s after healing');
  }

  /** After all is whole again: every list is the same, with all who live and nobody else. */
  checkEqual(): void {
    const ready = this.#cluster.ready();
    if (ready.length !== this.#cluster.names.length) this.violations.push('not every node became ready again');
    const [first, ...rest] = ready;
    if (first === undefined) return;
    const digests = digestsOf(first);
    for (const node of rest) {
      if (digestsOf(node) !== digests) this.violations.push(`digests of ${first.name} and ${node.name} differ`);
    }
    for (const node of ready) {
      const listed = listedOn(node);
      const all = listedOn(node, true);
      for (const client of this.#clients) {
        const place = `${client.service} ${client.ip}`;
        if (client.state === 'wanted' && !listed.has(place))
          this.violations.push(`${node.name} lacks ${place} at the end`);
        if (client.state !== 'wanted' && all.has(place)) this.violations.push(`${node.name} still lists ${place}`);
      }
    }
  }

  /** P1: what a node knows of an instance never gives way to something older. */
  #checkStamp({ name, server }: SimulatedNode, client: SimulatedClient, seen: string, nowMs: number): void {
    const [datum] = server.naming.registry.datumsOfInstance(client.serviceKey, client.instanceKey);
    const before = this.#stamps.get(seen);
    if (before !== undefined && (datum === undefined || compareStamps(datum.stamp, before) < 0)) {
      this.#violated(`${name} went back on ${client.service} ${client.ip}`, client, nowMs);
    }
    if (datum !== undefined) this.#stamps.set(seen, datum.stamp);
  }

  #noteCuts(nowMs: number): void {
    for (const a of this.#cluster.names) {
      for (const b of this.#cluster.names) {
        if (a === b) continue;
        const isCut =
          this.#isCut(a, b) || this.#isCut(b, a) || (this.#isHolding && this.#haveLostEachOther(a, b, nowMs));
        if (isCut) this.#lastCutMs.set(`${a} ${b}`, nowMs);
      }
    }
  }

  /** Both have waited for several answers in vain: nothing goes between them until they have heard each other again. */
  #haveLostEachOther(a: string, b: string, nowMs: number): boolean {
    const [one, other] = [this.#cluster.node(a), this.#cluster.node(b)];
    if (one === undefined || other === undefined) return false;
    // One that has just started has not found the others yet, and is to be whole all the same.
    if (nowMs - Math.max(one.startedMs, other.startedMs) < HEAL_MS) return false;
    return !one.sees().includes(addressOf(b)) && !other.sees().includes(addressOf(a));
  }

  /** What it buried rightly while it was cut off comes back with the digests, and an owner takes its beats before that. */
  #isHealing({ name, server }: SimulatedNode, client: SimulatedClient, nowMs: number): boolean {
    const [datum] = server.naming.registry.datumsOfInstance(client.serviceKey, client.instanceKey);
    if (datum?.kind !== 'expired') return false;
    return this.#cluster.names.some((other) => {
      const lastMs = this.#lastCutMs.get(`${name} ${other}`) ?? nowMs;
      return lastMs < nowMs && nowMs - lastMs <= HEAL_MS;
    });
  }

  /** Of what came by way of a proxy nobody knows which node took it. */
  #couldHear(a: string, b: string, nowMs: number): boolean {
    const { names } = this.#cluster;
    if (b === VIP) return names.every((name) => this.#couldHear(a, name, nowMs));
    return a === b || nowMs - (this.#lastCutMs.get(`${a} ${b}`) ?? Number.NEGATIVE_INFINITY) > HEAL_MS + WINDOW_MS;
  }

  /** It shows signs of life without a gap, to nodes that this one could hear for long enough. */
  #mustBeListed(node: SimulatedNode, client: SimulatedClient, nowMs: number): boolean {
    if (client.state !== 'wanted') return false;
    const acks = client.acks.filter((ack) => nowMs - ack.atMs <= WINDOW_MS);
    const first = acks[0];
    if (first === undefined || nowMs - first.atMs < WINDOW_MS - GAP_MS) return false;
    const hasGap = acks.some((ack, index) => ack.atMs - (acks[index - 1]?.atMs ?? ack.atMs) > GAP_MS);
    if (hasGap || nowMs - acks.at(-1)!.atMs > Math.min(GAP_MS, TTL_MS)) return false;
    // The owner may be any of the nodes: all must have been heard by all.
    return this.#cluster.names.every((other) =>
      acks.every((ack) => this.#couldHear(node.name, ack.by, nowMs) && this.#couldHear(other, ack.by, nowMs)),
    );
  }

  #peerLists(node: SimulatedNode, place: string, ready: readonly SimulatedNode[], nowMs: number): boolean {
    return ready.some((peer) => {
      const since = this.#seen.get(`${peer.name} ${peer.startedMs} ${place}`);
      const isOld = since !== undefined && since < node.startedMs - SPREAD_MS;
      return isOld && this.#couldHear(node.name, peer.name, nowMs) && listedOn(peer).has(place);
    });
  }

  /** Its earlier life listed it for long enough, and its disk survived. */
  #wasOnDisk(node: SimulatedNode, place: string): boolean {
    const { endedMs, startedMs } = node.earlier ?? {};
    if (endedMs === undefined || startedMs === undefined || this.#distrusted.has(node.name)) return false;
    const since = this.#seen.get(`${node.name} ${startedMs} ${place}`);
    const last = this.#last.get(`${node.name} ${startedMs} ${place}`);
    return since !== undefined && last !== undefined && since < endedMs - SPREAD_MS && last > endedMs - SPREAD_MS;
  }

  #violated(what: string, client: SimulatedClient, nowMs: number): void {
    if (this.violations.length >= VIOLATIONS_MAX) return;
    const last = client.acks.at(-1);
    const beaten = `last sign of life at ${seconds(last?.atMs ?? 0)} to ${last?.by}`;
    this.violations.push(`at ${seconds(nowMs)} ${what}, ${beaten}`);
  }
}

/** The node itself took two signs of life in a row, the last one just now: whatever it is told, it knows better. */
function tookSigns({ name, startedMs }: SimulatedNode, client: SimulatedClient, nowMs: number): boolean {
  const [before, last] = client.acks.slice(-2);
  if (client.state !== 'wanted' || before === undefined || last === undefined) return false;
  const isOwn = before.by === name && last.by === name && before.atMs > startedMs;
  return isOwn && nowMs - before.atMs < GAP_MS;
}

/** `service ip` of those that clients would call: an unhealthy one is as good as gone. */
function listedOn({ server }: SimulatedNode, withUnhealthy = false): ReadonlySet<string> {
  const listed = new Set<string>();
  for (const view of server.naming.registry.views()) {
    for (const { ip, healthy } of view.instances)
      if (healthy || withUnhealthy) listed.add(`${view.id.name.slice(view.id.name.indexOf('@@') + 2)} ${ip}`);
  }
  return listed;
}

function digestsOf({ server }: SimulatedNode): string {
  return JSON.stringify([...server.naming.registry.digests()].sort());
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
