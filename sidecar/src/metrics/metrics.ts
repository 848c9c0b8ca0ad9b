import type { ProbeResult, ProbeTarget } from '@nacos-kube/core/probe/target.ts';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { MEMBER_STATES } from '../lease.ts';
import { REFUSAL_KINDS } from '../member-list/decide.ts';
import type { MemberListKeeper } from '../member-list/keeper.ts';
import type { ProbeAgent } from '../probe/agent.ts';

const DURATION_BUCKETS_S = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];

export interface Facts {
  /** Label before the node has told its own name. */
  readonly member: string;
  readonly list: MemberListKeeper;
  readonly probe: ProbeAgent;
  readonly apiFailures: () => number;
}

/** Counted as it happens. */
export interface SidecarMetrics {
  readonly registry: Registry;
  onProbe(target: ProbeTarget, result: ProbeResult): void;
}

/** What Prometheus sees of a node and its sidecar. All but the probes is read when it asks. */
export function createMetrics(facts: () => Facts): SidecarMetrics {
  const registry = new Registry();
  const registers = [registry];
  const durations = new Histogram({
    name: 'nacos_kube_probe_duration_seconds',
    help: 'How long probes of persistent instances took by kind of check, failures included.',
    labelNames: ['kind'],
    buckets: DURATION_BUCKETS_S,
    registers,
  });
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });

  addNodeMetrics(registry, facts);
  gauge(
    'nacos_kube_probe_targets',
    'Persistent instances that are probed now.',
    () => facts().probe.prober.targetCount,
  );
  gauge('nacos_kube_probe_running', 'Probes under way.', () => facts().probe.prober.runningCount);
  gauge('nacos_kube_probe_overdue', 'Probes that are due and wait for their turn.', () => {
    return facts().probe.prober.overdueCount;
  });
  gauge(
    'nacos_kube_probe_period_seconds',
    'Measured time between two probes of an instance, a mean over the last ones; 0 before there were any.',
    () => (facts().probe.prober.periodMs ?? 0) / 1_000,
  );
  new Gauge({
    name: 'nacos_kube_probe_targets_refused',
    help: 'Persistent instances that may not be probed, or not as their cluster says, and keep their health, by reason.',
    labelNames: ['reason'],
    registers,
    collect() {
      this.reset();
      for (const [reason, count] of facts().probe.prober.refused) this.set({ reason }, count);
    },
  });
  gauge('nacos_kube_probe_verdicts_waiting', 'Verdicts that the node has not taken yet.', () => {
    return facts().probe.waitingVerdicts;
  });
  addTotals(registry, facts);
  return {
    registry,
    onProbe({ check }, { tookMs }) {
      durations.observe({ kind: check.kind }, tookMs / 1_000);
    },
  };
}

/** As the node told them with its last lease; without a trusted lease only that it is not up. */
function addNodeMetrics(registry: Registry, facts: () => Facts): void {
  const registers = [registry];
  const own = () => facts().probe.lease?.member ?? facts().member;
  const labelled = (name: string, help: string, labelNames: string[], collect: (gauge: Gauge) => void) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        collect(this);
      },
    });

  labelled('nacos_kube_node_up', 'Whether the node beside this sidecar answers it.', ['member'], (gauge) => {
    gauge.set({ member: own() }, facts().probe.lease === undefined ? 0 : 1);
  });
  labelled('nacos_kube_node_ready', 'Whether the node says that it is ready.', ['member'], (gauge) => {
    gauge.set({ member: own() }, facts().probe.lease?.isReady === true ? 1 : 0);
  });
  labelled('nacos_kube_lease_age_seconds', 'Time since the lease was asked for.', ['member'], (gauge) => {
    const { leaseAgeMs } = facts().probe;
    if (Number.isFinite(leaseAgeMs)) gauge.set({ member: own() }, leaseAgeMs / 1_000);
  });
  labelled(
    'nacos_kube_member_state',
    'State of each peer as this member sees it: 1 for the state it is in, 0 for the others.',
    ['member', 'peer', 'state'],
    (gauge) => {
      const member = own();
      for (const { address: peer, state: is } of facts().probe.lease?.members ?? []) {
        for (const state of MEMBER_STATES) gauge.set({ member, peer, state }, state === is ? 1 : 0);
      }
    },
  );
  labelled(
    'nacos_kube_sync_lag_seconds',
    'How long the oldest change has waited that a peer has not taken yet.',
    ['member', 'peer'],
    (gauge) => {
      const member = own();
      for (const { peer, seconds } of facts().probe.lease?.lag ?? []) gauge.set({ member, peer }, seconds);
    },
  );
  labelled(
    'nacos_kube_sync_lag_entries',
    'How many changes wait for a peer to take them.',
    ['member', 'peer'],
    (gauge) => {
      const member = own();
      for (const { peer, entries } of facts().probe.lease?.lag ?? []) gauge.set({ member, peer }, entries);
    },
  );
  labelled(
    'nacos_kube_member_list_generation',
    'Generation of the member list: in the file, and as the node obeys it.',
    ['member', 'where'],
    (gauge) => {
      const member = own();
      const { generation } = facts().list;
      const obeyed = facts().probe.lease?.memberList.generation ?? undefined;
      if (generation !== undefined) gauge.set({ member, where: 'file' }, generation);
      if (obeyed !== undefined) gauge.set({ member, where: 'node' }, obeyed);
    },
  );
  labelled(
    'nacos_kube_member_list_refused',
    'Whether the node refuses the list in its file at the moment.',
    ['member'],
    (gauge) => {
      const { lease } = facts().probe;
      if (lease !== undefined) gauge.set({ member: lease.member }, lease.memberList.refusal === null ? 0 : 1);
    },
  );
}

function addTotals(registry: Registry, facts: () => Facts): void {
  const total = (name: string, help: string, labelNames: string[], read: () => Iterable<readonly [object, number]>) =>
    new Counter({
      name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.inc(labels, value);
      },
    });
  total(
    'nacos_kube_member_list_refusals_total',
    'Member lists that the sidecar did not pass on, by reason.',
    ['reason'],
    () => REFUSAL_KINDS.map((reason) => [{ reason }, facts().list.refusals.get(reason) ?? 0]),
  );
  total(
    'nacos_kube_member_list_repairs_total',
    'Times that cluster.conf was found otherwise than this sidecar wrote it, and was written again.',
    [],
    () => [[{}, facts().list.repairs]],
  );
  total('nacos_kube_lease_failures_total', 'Questions to the node that it did not answer.', [], () => [
    [{}, facts().probe.leaseFailures],
  ]);
  total('nacos_kube_probe_verdicts_sent_total', 'Verdicts that the node has taken.', [], () => [
    [{}, facts().probe.verdictsSent],
  ]);
  total(
    'nacos_kube_probe_results_total',
    'Probes of persistent instances by kind of check and result.',
    ['kind', 'result'],
    () => [...facts().probe.prober.results()].map(({ kind, outcome, count }) => [{ kind, result: outcome }, count]),
  );
  total('nacos_kube_probe_late_total', 'Probes that started over a second late.', [], () => [
    [{}, facts().probe.prober.lateCount],
  ]);
  total('nacos_kube_api_failures_total', 'Reads and watches of the Kubernetes API that failed.', [], () => [
    [{}, facts().apiFailures()],
  ]);
}
