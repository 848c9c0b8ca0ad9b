import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetworkError, type OutboundRequest, type TcpStream } from '@nacos-kube/core/host/host.ts';
import { DEFAULT_PARAMETERS } from '@nacos-kube/core/probe/parameters.ts';
import type { ProbeResult, ProbeTarget } from '@nacos-kube/core/probe/target.ts';
import type { TargetChanges, TargetsKnown } from '@nacos-kube/core/probe/target-changes.ts';
import { FakeHost, httpAnswer } from '@nacos-kube/core/testing/fake-host.ts';
import {
  SIDECAR_LEASE_MS,
  type SidecarLease,
  type SidecarQuestion,
  type SidecarVerdicts,
  TARGETS_PER_PAGE_MAX,
} from '@nacos-kube/core/wire/sidecar.ts';
import { NodeCalls } from '../node-calls.ts';
import { LEASE_TRUST_MS, ProbeAgent } from './agent.ts';

const target = (number: number): ProbeTarget => ({
  service: 'public##g@@s',
  key: `10.0.0.${number}:80:DEFAULT`,
  ip: `10.0.0.${number}`,
  port: 80,
  check: { kind: 'TCP' },
  healthy: true,
});

const OPEN: TcpStream = { remote: { address: '10.0.0.1', port: 80 }, join: async () => {}, close() {} };

/** A node that answers leases, takes verdicts, and can be away. */
class FakeNode {
  readonly host = new FakeHost();
  readonly results: ProbeResult[] = [];
  readonly agent: ProbeAgent;
  readonly taken: string[] = [];
  readonly batches: number[] = [];
  targets: ProbeTarget[] = [target(1)];
  epoch = 'e';
  parameters = DEFAULT_PARAMETERS;
  readonly questions: SidecarQuestion[] = [];
  /** Verdicts that count; the others are of services that others own by now. */
  owns = (_key: string) => true;
  verdictStatus = 200;
  isAway = false;
  leaseBody: string | undefined;
  leases = 0;
  lastRequest: OutboundRequest | undefined;

  constructor(forbidden: readonly string[] = []) {
    const calls = new NodeCalls(this.host, 8850, 'the-token');
    const onResult = (_target: ProbeTarget, result: ProbeResult) => this.results.push(result);
    this.agent = new ProbeAgent(this.host, () => calls, { onResult, forbidden });
    this.host.network.answer = (request) => this.#answer(request);
    this.host.network.accept = () => {
      throw new NetworkError('refused', 'closed');
    };
  }

  #answer(request: OutboundRequest) {
    if (this.isAway) throw new NetworkError('refused', 'away');
    this.lastRequest = request;
    if (request.path === '/sidecar/v1/lease') {
      this.leases++;
      const question = JSON.parse(String(request.body)) as SidecarQuestion;
      this.questions.push(question);
      return httpAnswer(this.leaseBody ?? this.#lease(question.targets));
    }
    const { verdicts } = JSON.parse(String(request.body)) as SidecarVerdicts;
    if (this.verdictStatus !== 200) return httpAnswer({}, this.verdictStatus);
    this.batches.push(verdicts.length);
    const counting = verdicts.filter(({ key }) => this.owns(key));
    const told = new Map(counting.map(({ key, healthy }) => [key, healthy]));
    for (const [key, healthy] of told) this.taken.push(`${key} ${healthy}`);
    this.targets = this.targets.map((one) => ({ ...one, healthy: told.get(one.key) ?? one.healthy }));
    return httpAnswer({ taken: counting.length });
  }

  /** Page by page what it has, and then nothing until somebody asks anew. */
  #changes({ epoch, version }: TargetsKnown): TargetChanges {
    const isFresh = epoch !== this.epoch;
    const from = isFresh ? 0 : version;
    const put = this.targets.slice(from, from + TARGETS_PER_PAGE_MAX);
    const count = this.targets.length;
    const to = from + put.length;
    return { epoch: this.epoch, version: to, base: count, isFresh, put, removed: [], isMore: to < count, count };
  }

  #lease(known: TargetsKnown): SidecarLease {
    return {
      member: '10.1.0.1:8850',
      isReady: true,
      notReadyReasons: [],
      memberList: { generation: 3, hash: 'h', refusal: null },
      members: [{ address: '10.1.0.2:8850', state: 'UP' }],
      lag: [],
      targets: this.#changes(known),
      parameters: this.parameters,
      guard: { forbidden: ['10.1.0.1'], isLoopbackAllowed: false },
    };
  }
}

test('it asks each second on the peer port with the token', async () => {
  const node = new FakeNode();
  node.agent.start();
  await node.host.advance(10_000);
  assert.equal(node.leases, 11);
  const { address, port, method, headers } = node.lastRequest ?? {};
  assert.deepEqual(
    [address, port, method, headers?.['authorization']],
    ['127.0.0.1', 7850, 'POST', 'Bearer the-token'],
  );
  node.agent.stop();
});

test('a refused port is a verdict that the node gets, once', async () => {
  const node = new FakeNode();
  node.agent.start();
  await node.host.advance(20_000);
  assert.deepEqual(node.taken, ['10.0.0.1:80:DEFAULT false']);
  assert.ok(node.results.every(({ outcome }) => outcome === 'down') && node.results.length > 1);
  node.agent.stop();
});

test('targets that the guard forbids are not connected to (S9)', async () => {
  const node = new FakeNode();
  node.targets = [
    { ...target(1), ip: '10.1.0.1' },
    { ...target(2), ip: '127.0.0.1' },
  ];
  node.host.network.accept = () => assert.fail('no connection');
  node.agent.start();
  await node.host.advance(20_000);
  assert.equal(node.agent.prober.targetCount, 0);
  assert.equal(node.agent.prober.refused.size, 2);
  node.agent.stop();
});

test('verdicts that the node did not take go with the next lease, in bounded batches', async () => {
  const node = new FakeNode();
  node.targets = Array.from({ length: 2_500 }, (_, number) => ({ ...target(1), key: `k${number}` }));
  node.verdictStatus = 503;
  node.agent.start();
  await node.host.advance(20_000);
  assert.equal(node.agent.waitingVerdicts, 2_500);
  node.verdictStatus = 200;
  await node.host.advance(2_000);
  assert.deepEqual(node.batches, [1_000, 1_000, 500]);
  assert.equal(new Set(node.taken).size, 2_500);
  assert.equal(node.agent.waitingVerdicts, 0);
  node.agent.stop();
});

test('of verdicts about one target only the latest is sent', async () => {
  const node = new FakeNode();
  node.verdictStatus = 503;
  node.agent.start();
  await node.host.advance(10_000);
  node.host.network.accept = () => OPEN;
  await node.host.advance(30_000);
  node.verdictStatus = 200;
  await node.host.advance(2_000);
  assert.deepEqual(node.taken, ['10.0.0.1:80:DEFAULT true']);
  node.agent.stop();
});

test('without leases it stops probing before the node starts to: never both', async () => {
  assert.ok(LEASE_TRUST_MS < SIDECAR_LEASE_MS);
  const node = new FakeNode();
  node.agent.start();
  await node.host.advance(10_000);
  node.isAway = true;
  await node.host.advance(LEASE_TRUST_MS + 1_000);
  const probed = node.results.length;
  assert.equal(node.agent.lease, undefined);
  await node.host.advance(60_000);
  assert.equal(node.results.length, probed, 'no probe after that');
  assert.equal(node.host.log.lines.filter((line) => line.startsWith('warn')).length, 2, 'told once each');
  node.isAway = false;
  await node.host.advance(20_000);
  assert.ok(node.results.length > probed, 'and it goes on when the node is back');
  node.agent.stop();
});

test('an answer that is no lease counts as none', async () => {
  const node = new FakeNode();
  for (const body of ['', '[]', '{"member":1}', '{"member":"a","members":[{"address":"b","state":"FINE"}]}']) {
    node.leaseBody = body;
    node.agent.start();
    await node.host.advance(1_000);
    assert.equal(node.agent.lease, undefined, body);
    node.agent.stop();
  }
  assert.ok(node.agent.leaseFailures >= 4);
});

test('verdicts that the node calls malformed are not sent for ever', async () => {
  const node = new FakeNode();
  node.verdictStatus = 400;
  node.agent.start();
  await node.host.advance(10_000);
  assert.equal(node.agent.waitingVerdicts, 0);
  node.agent.stop();
});

test('what the sidecar forbids is not probed, whatever the node allows (S9)', async () => {
  const node = new FakeNode(['10.0.0.2']);
  node.targets = [target(1), target(2)];
  node.agent.start();
  await node.host.advance(20_000);
  assert.equal(node.agent.prober.targetCount, 1);
  assert.ok(node.taken.includes('10.0.0.1:80:DEFAULT false'));
  assert.deepEqual(
    node.taken.filter((one) => one.startsWith('10.0.0.2')),
    [],
  );
  node.agent.stop();
});

test('it tells the node what that must not probe either, and how long the probes took', async () => {
  const node = new FakeNode(['10.9.0.1']);
  node.agent.start();
  await node.host.advance(10_000);
  assert.ok(node.questions.every(({ forbidden }) => forbidden.join() === '10.9.0.1'));
  const [first] = node.questions.flatMap(({ roundTrips }) => roundTrips);
  assert.deepEqual(first, {
    service: 'public##g@@s',
    cluster: 'DEFAULT',
    best: 5_000,
    worst: 5_000,
    normalized: 2_000,
  });
  node.agent.stop();
});

test('it asks for what it does not know yet, page by page, and for everything when the node began anew', async () => {
  const node = new FakeNode();
  node.targets = Array.from({ length: 2_500 }, (_, number) => ({ ...target(1), key: `k${number}` }));
  node.agent.start();
  await node.host.advance(500);
  assert.equal(node.agent.prober.targetCount, 2_500);
  assert.deepEqual(
    node.questions.map(({ targets }) => targets.version),
    [0, 1_000, 2_000],
  );
  await node.host.advance(1_000);
  assert.equal(node.questions.length, 4);
  node.epoch = 'f';
  node.targets = [target(1)];
  await node.host.advance(1_000);
  assert.equal(node.agent.prober.targetCount, 1);
  node.agent.stop();
});

test('what the node did not believe is asked for anew, and said again', async () => {
  const node = new FakeNode();
  node.owns = () => false;
  node.agent.start();
  await node.host.advance(12_000);
  assert.deepEqual(node.taken, []);
  node.owns = () => true;
  await node.host.advance(12_000);
  assert.deepEqual(node.taken, ['10.0.0.1:80:DEFAULT false']);
  node.agent.stop();
});

test('the switches of the node decide how many results make a verdict', async () => {
  const node = new FakeNode();
  node.parameters = { ...DEFAULT_PARAMETERS, checkTimes: 100 };
  node.host.network.accept = () => {
    throw new NetworkError('timeout', 'silent');
  };
  node.agent.start();
  await node.host.advance(60_000);
  assert.deepEqual(node.taken, []);
  node.parameters = { ...DEFAULT_PARAMETERS, checkTimes: 1 };
  await node.host.advance(6_000);
  assert.deepEqual(node.taken, ['10.0.0.1:80:DEFAULT false']);
  node.agent.stop();
});
