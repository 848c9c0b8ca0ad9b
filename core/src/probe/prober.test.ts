import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetworkError, type TcpStream } from '../host/host.ts';
import { FakeHost } from '../testing/fake-host.ts';
import { TARGETS_MAX } from './machine.ts';
import { PROBES_AT_ONCE_MAX, PROBES_PER_SECOND_MAX, Prober } from './prober.ts';
import { type Check, type ProbeTarget, type ProbeVerdict, targetId } from './target.ts';

const OPEN: TcpStream = { remote: { address: '', port: 0 }, join: async () => {}, close() {} };
const ipOf = (number: number) => `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`;
const target = (number: number, check: Check = { kind: 'TCP' }): ProbeTarget => ({
  service: 'public##g@@s',
  key: `${ipOf(number)}:80:DEFAULT`,
  ...{ ip: ipOf(number), port: 80, check, healthy: true },
});

function probing(count: number, options: ConstructorParameters<typeof Prober>[2] = {}) {
  const host = new FakeHost();
  const verdicts: ProbeVerdict[] = [];
  const prober = new Prober(host, { onVerdict: (verdict) => verdicts.push(verdict) }, options);
  prober.start();
  for (let number = 1; number <= count; number++) prober.put(target(number));
  return { host, prober, verdicts };
}

test('no more probes are under way than the bound, and no more start in a second', async () => {
  const { host, prober } = probing(3_000);
  let [started, most] = [0, 0];
  const waiting: (() => void)[] = [];
  host.network.accept = () => {
    started++;
    most = Math.max(most, started - (released ?? 0));
    return new Promise((resolve) => waiting.push(() => resolve(OPEN)));
  };
  let released = 0;
  await host.advance(8_000);
  assert.equal(prober.runningCount, PROBES_AT_ONCE_MAX);
  assert.equal(most, PROBES_AT_ONCE_MAX);
  assert.ok(prober.overdueCount > 1_000);
  host.network.accept = () => {
    started++;
    return OPEN;
  };
  released = waiting.length;
  for (const release of waiting) release();
  started = 0;
  await host.advance(1_000);
  assert.equal(started, PROBES_PER_SECOND_MAX);
});

test('a target that found no room is probed once there is some', () => {
  const { prober } = probing(TARGETS_MAX + 2);
  assert.deepEqual([prober.targetCount, [...prober.refused]], [TARGETS_MAX, [['too many targets', 2]]]);
  prober.remove(targetId(target(1)));
  assert.deepEqual([prober.targetCount, [...prober.refused]], [TARGETS_MAX, [['too many targets', 1]]]);
  prober.remove(targetId(target(TARGETS_MAX + 2)));
  prober.remove(targetId(target(2)));
  assert.deepEqual([prober.targetCount, [...prober.refused]], [TARGETS_MAX - 1, []]);
});

test('late probes are told in the log once a minute', async () => {
  const { host, prober } = probing(3_000);
  host.network.accept = () => OPEN;
  await host.advance(65_000);
  const lines = host.log.lines.filter((line) => line.includes('probes start late'));
  assert.equal(lines.length, 2);
  assert.match(lines[1] ?? '', /targets=3000,periodMs=\d+,perSecondMax=1000/);
  const periodMs = prober.periodMs ?? 0;
  assert.ok(Math.abs(periodMs - 3_000) < 300, `${periodMs}`);
});

test('a fault of the program is no result', async () => {
  const { host, prober, verdicts } = probing(1);
  host.network.accept = () => {
    throw new TypeError('a fault');
  };
  await host.advance(60_000);
  assert.deepEqual(verdicts, []);
  assert.ok([...prober.results()].every(({ count }) => count === 0));
  host.network.accept = () => {
    throw new NetworkError('refused', 'closed');
  };
  await host.advance(2_000);
  assert.equal(verdicts.length, 1);
});

test('each kind is asked in its way and counted by kind and result', async () => {
  const { host, prober } = probing(0, { mysql: async () => 'timeout' });
  host.network.accept = () => OPEN;
  host.network.answer = () => ({ status: 503, headers: {}, body: new Uint8Array() });
  prober.put(target(1));
  prober.put(target(2, { kind: 'HTTP', path: '/', headers: '' }));
  prober.put(target(3, { kind: 'MYSQL', user: '', password: '', command: 'select 1' }));
  await host.advance(20_000);
  const counted = [...prober.results()]
    .filter(({ count }) => count > 0)
    .map(({ kind, outcome }) => `${kind} ${outcome}`);
  assert.deepEqual(counted, ['TCP ok', 'HTTP busy', 'MYSQL timeout']);
});

test('another guard is another choice among the same targets, and the reasons are counted', async () => {
  const { host, prober } = probing(3);
  const tried = new Set<string>();
  host.network.accept = ({ address }) => {
    tried.add(address);
    return OPEN;
  };
  prober.guard = { forbidden: new Set(['10.0.0.1', '10.0.0.2']), isLoopbackAllowed: false };
  await host.advance(10_000);
  assert.deepEqual([...tried], ['10.0.0.3']);
  assert.deepEqual([...prober.refused], [['an address of the cluster itself', 2]]);
  prober.remove(targetId(target(1)));
  assert.deepEqual([...prober.refused.values()], [1]);
  prober.guard = { forbidden: new Set(['10.0.0.3']), isLoopbackAllowed: false };
  tried.clear();
  await host.advance(10_000);
  assert.deepEqual([...tried], ['10.0.0.2']);
});
