/** Three nodes with their clients at work, and what is asked of them again and again. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, type TestContext } from 'node:test';
import { ownerAmong } from '../../../server/src/members/owner.ts';
import { until } from '../../kubernetes/processes.ts';
import type { Watch, Work } from './client.ts';
import { PartitionCluster, type PartitionNode } from './cluster.ts';
import { type Event, type Failure, findMisses } from './history.ts';

/** P1, P11. */
export const EQUAL_MS_MAX = 15_000;
/** A peer that is silent is DOWN after three calls of 1.5 s. */
export const SEEN_MS_MAX = 12_000;
export const PARTLY_SEEN = 'nacos_kube_members_partly_seen';
export const USUAL = { beatMs: 5_000, metadata: {} };

const SERVICES_OF_EACH = 2;
const PER_SERVICE = 2;
const WATCH_MS = 200;
const SHOWN_MAX = 20;

export interface JudgeOptions {
  readonly byDigests?: boolean;
  readonly isExcused?: (failure: Failure) => boolean;
}

export type Three = readonly [PartitionNode, PartitionNode, PartitionNode];

/** For all tests of a suite; to be called in it, and its result in its tests. */
export function staged(): () => PartitionStage {
  let stage: PartitionStage | undefined;
  before(async () => {
    stage = await PartitionStage.start();
  });
  after(async () => {
    await stage?.cluster[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    await stage!.cluster.history();
  });
  return () => stage!;
}

export class PartitionStage {
  readonly cluster: PartitionCluster;
  readonly services: readonly string[];

  static async start(): Promise<PartitionStage> {
    const cluster = await PartitionCluster.start();
    try {
      const stage = new PartitionStage(cluster);
      await Promise.all(cluster.clients.map((_, index) => stage.work(index)));
      await cluster.agree(await cluster.alive(), { services: stage.services, withinMs: EQUAL_MS_MAX });
      await stage.watch(cluster.nodes);
      return stage;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(cluster: PartitionCluster) {
    this.cluster = cluster;
    this.services = evenServices(cluster.nodes);
  }

  get nodes(): Three {
    return this.cluster.nodes as Three;
  }

  /** A client registers with the node beside it, or with these, and beats. */
  async work(index: number, changes: Partial<Work> = {}): Promise<void> {
    const { cluster, services } = this;
    const { program, ip } = cluster.clients[index]!;
    const servers = [cluster.nodes[index]!.address];
    const usual: Work = { servers, services, perService: PER_SERVICE, ip, ...USUAL };
    await program.call('work', { ...usual, ...changes });
  }

  async churn(isOn: boolean): Promise<void> {
    await Promise.all(this.cluster.clients.map(({ program }) => program.call('churn', { isOn })));
  }

  async watch(nodes: readonly PartitionNode[]): Promise<void> {
    const { cluster, services } = this;
    const watched: Watch = { nodes: nodes.map(({ address }) => address), services, everyMs: WATCH_MS };
    await cluster.eye.program.call('watch', { ...watched });
  }

  /** In the end all agree, no list missed an instance meanwhile, and no call failed but those that had to. */
  async judge(context: TestContext, options: JudgeOptions = {}): Promise<readonly Event[]> {
    const { byDigests = false, isExcused = () => false } = options;
    const { cluster, services } = this;
    const alive = await cluster.alive();
    const tookMs = await cluster
      .agree(alive, { services, withinMs: EQUAL_MS_MAX, byDigests })
      .catch((error: Error) => error);
    const events = await cluster.history();
    const signs = events.filter(({ kind }) => kind === 'sign').length;
    const looks = events.filter(({ kind }) => kind === 'look').length;
    const failures = events.filter((event) => event.kind === 'failure');
    const wrong = failures.filter((failure) => !isExcused(failure));
    const misses = findMisses(events, cluster.faults);
    const excused = failures.length > wrong.length ? `, ${failures.length - wrong.length} excused` : '';
    context.diagnostic(`${signs} registrations and beats, ${looks} lists: ${misses.length} misses`);
    context.diagnostic(`${wrong.length} calls failed${excused}`);
    const told = wrong.map(({ startMs, endMs, node, call, message }) => {
      return `at ${Math.round(startMs)} ms ${node} ${call}: ${message} (${Math.round(endMs - startMs)} ms)`;
    });
    const all = [...(typeof tookMs === 'number' ? [] : [tookMs.message]), ...misses, ...told];
    assert.ok(
      all.length === 0,
      [...all.slice(0, SHOWN_MAX), JSON.stringify(cluster.faults), cluster.describe()].join('\n'),
    );
    assert.ok(looks > 0 && signs > 0);
    const what = byDigests ? 'lists and digests' : 'lists';
    context.diagnostic(
      `${what} of ${alive.length} instances equal on all nodes ${Math.round(tookMs as number)} ms after`,
    );
    return events;
  }

  async seenBy(node: PartitionNode, other: PartitionNode) {
    return (await this.cluster.members(node)).find(({ address }) => address === other.address)!;
  }

  async statesAt(node: PartitionNode): Promise<string[]> {
    return (await this.cluster.members(node)).map(({ state }) => state);
  }

  async isSightWhole(): Promise<void> {
    const { cluster } = this;
    const seen = async () => (await Promise.all(cluster.nodes.map((node) => cluster.figure(node, PARTLY_SEEN)))).join();
    await until('all are seen by both sides', async () => (await seen()) === '0,0,0', { timeoutMs: SEEN_MS_MAX });
  }
}

/** Each node owns as many of them as every other one while all are well. */
function evenServices(nodes: readonly PartitionNode[]): string[] {
  const members = nodes.map(({ address }) => address).sort();
  const owned = new Map(members.map((member) => [member, [] as string[]]));
  for (let i = 0; [...owned.values()].some(({ length }) => length < SERVICES_OF_EACH); i += 1) {
    const name = `parted-${i}`;
    const ofOwner = owned.get(ownerAmong(members, `public##DEFAULT_GROUP@@${name}`))!;
    if (ofOwner.length < SERVICES_OF_EACH) ofOwner.push(name);
  }
  return [...owned.values()].flat();
}
