import type { CheckKind } from '@nacos-kube/core/probe/target.ts';
import type { ConfigService } from '../config/service.ts';
import type { Distro } from '../distro/distro.ts';
import type { Checks } from '../naming/checks.ts';
import type { Parts } from '../parts.ts';
import { CONFIG_FIGURES, MEMBERS_FIGURES, TOTALS } from './figures.ts';
import { type GaugeSource, type MetricSources, plainGauge, plainTotal } from './metrics.ts';

/** Every figure of a node, by name; each is read only when somebody scrapes. */
export function metricSources(measured: Parts): MetricSources {
  const { host, naming, push, config, checks, distro, follower, operations } = measured;
  const { counts } = push.hub;
  const configFigure = (name: string) => () => config.metrics()[name] ?? 0;
  return {
    monitor: {
      config: {
        getConfig: configFigure('reads'),
        publish: configFigure('publishes'),
        longPolling: configFigure('longPolls'),
        configCount: configFigure('configs'),
        dumpTask: configFigure('dumpQueue'),
        notifyTask: configFigure('hintsWaiting'),
      },
      naming: {
        serviceCount: () => naming.registry.serviceCount,
        ipCount: () => naming.registry.instanceCount,
        totalPush: () => counts.sent,
        failedPush: () => counts.failed,
        maxPushCost: () => (push.delaysMs.length === 0 ? -1 : Math.max(...push.delaysMs)),
        avgPushCost: () => mean(push.delaysMs) ?? -1,
        // As the reference spells them.
        tcpHealthCheck: () => probesOf(checks, 'TCP'),
        httpHealthCheck: () => probesOf(checks, 'HTTP'),
        mysqlhealthCheck: () => probesOf(checks, 'MYSQL'),
      },
    },
    requests: operations.requests,
    exceptions: {
      config: {
        db: () => follower.metrics().failures,
        configNotify: configFigure('hintsFailed'),
        illegalArgument: () => operations.requests.count('/v1/cs', 400),
      },
      naming: { disk: () => distro.journal.failures },
    },
    timers: [{ module: 'config', name: 'notifyRt', timing: operations.hintTimes }],
    machine: host.machine,
    gauges: [
      ...nodeGauges(measured),
      ...copyGauges(measured),
      ...namingGauges(measured),
      ...checkGauges(checks),
      ...distroGauges(measured),
      ...configGauges(config),
    ],
  };
}

function nodeGauges({ lifecycle, settings, membership, follower, operations }: Parts): GaugeSource[] {
  return [
    plainTotal('access_log_dropped', 'lines of the access log that were lost, as the disk was slow or failed', () => {
      return operations.accessLog?.dropped ?? 0;
    }),
    plainGauge('ready', '1 when this node may be given traffic', () => Number(lifecycle.isReady())),
    plainGauge('auth_enabled', '1 when accounts guard the public port', () => 0),
    plainGauge(
      'store_behind',
      'revisions of the store that this node has not applied',
      () => follower.metrics().behind,
    ),
    plainTotal('store_failures', 'reads of the change feed that failed', () => follower.metrics().failures),
    plainGauge('member_list_generation', 'generation of the member list in force, -1 when it has none', () => {
      return membership.listState().generation ?? -1;
    }),
    plainTotal('member_list_refusals', 'member lists that were refused', () => membership.listRefusals()),
    ...Object.entries(MEMBERS_FIGURES).map(([name, help]) =>
      figure(`members_${snakeCase(name)}`, name, help, () => membership.counts()[name] ?? 0),
    ),
    {
      name: 'member_state',
      help: '1 for the state in which this node sees a member',
      labels: ['member', 'peer', 'state'],
      read: () =>
        membership.members().map(({ address, state }) => ({ labels: [settings.member, address, state], value: 1 })),
    },
  ];
}

function copyGauges({ copies }: Parts): GaugeSource[] {
  const figureOf = (name: keyof ReturnType<typeof copies.metrics>) => () => copies.metrics()[name];
  return [
    plainGauge(
      'records_stale',
      '1 while services, persistent instances, namespaces and switches may be older than the store',
      figureOf('stale'),
    ),
    plainGauge('records_copied', 'kinds of records that are served from the copy on the disk', figureOf('copied')),
    plainGauge('records_copy_failing', '1 while the disk does not take the copy of records', figureOf('failing')),
    plainTotal('records_copy_writes', 'times that a copy of records was written', figureOf('writes')),
    plainTotal('records_copy_failures', 'copies of records that could not be written', figureOf('failures')),
    plainTotal('records_copy_damaged', 'copies of records that were found damaged and not used', figureOf('damaged')),
  ];
}

function namingGauges({ naming, push }: Parts): GaugeSource[] {
  return [
    plainGauge(
      'expiry_held',
      'instances that expiry holds back because too many fell silent',
      () => naming.expiry.heldCount,
    ),
    plainTotal('naming_bad_rows', 'stored instances that could not be read', () => naming.badRows),
    plainGauge('push_subscriptions', 'subscriptions that are pushed to', () => push.hub.subscriptionCount),
    plainTotal(
      'push_refused',
      'subscriptions refused: another address, too many, or muted',
      () => push.hub.counts.refused,
    ),
    plainTotal('push_too_large', 'lists that fitted into no datagram', () => push.hub.counts.tooLarge),
    plainTotal('push_stray_packets', 'datagrams that were no ack of a push', () => push.strayPackets),
  ];
}

/** Of this process; while the sidecar probes, the figures are its own. */
function checkGauges(checks: Checks): GaugeSource[] {
  const { prober } = checks;
  return [
    plainGauge('checks_leased', '1 while the sidecar probes', () => Number(checks.isLeased)),
    plainGauge('checks_targets', 'persistent instances that this member has probed, by its sidecar or itself', () => {
      return checks.targetCount;
    }),
    {
      name: 'probe_results_total',
      help: 'probes of persistent instances by this process, by kind of check and result',
      labels: ['kind', 'result'],
      isTotal: true,
      read: () => [...prober.results()].map(({ kind, outcome, count }) => ({ labels: [kind, outcome], value: count })),
    },
    plainTotal('checks_verdicts', 'verdicts on persistent instances that counted', () => checks.verdicts),
    plainTotal('probe_late', 'probes that started over a second late', () => prober.lateCount),
    plainGauge('probe_targets', 'persistent instances that this process probes', () => prober.targetCount),
    {
      name: 'probe_targets_refused',
      help: 'persistent instances that may not be probed, or not as their cluster says, and keep their health, by reason',
      labels: ['reason'],
      read: () => [...prober.refused].map(([reason, value]) => ({ labels: [reason], value })),
    },
    plainGauge('probe_running', 'probes under way', () => prober.runningCount),
    plainGauge('probe_overdue', 'probes that are due and wait for their turn', () => prober.overdueCount),
    plainGauge(
      'probe_period_seconds',
      'measured time between two probes of an instance, a mean over the last ones; 0 before there were any',
      () => (prober.periodMs ?? 0) / 1000,
    ),
  ];
}

function probesOf(checks: Checks, asked: CheckKind): number {
  return [...checks.prober.results()].reduce((sum, { kind, count }) => sum + (kind === asked ? count : 0), 0);
}

function distroGauges({ distro, settings }: Parts): GaugeSource[] {
  const perPeer = (
    name: string,
    help: string,
    read: (lag: ReturnType<Distro['lag']>[number]) => number,
  ): GaugeSource => ({
    name,
    help,
    labels: ['member', 'peer'],
    read: () => distro.lag().map((lag) => ({ labels: [settings.member, lag.peer], value: read(lag) })),
  });
  return [
    perPeer(
      'sync_lag_seconds',
      'how long the oldest change that a peer lacks has waited',
      (lag) => lag.waitingMs / 1000,
    ),
    perPeer('sync_lag_entries', 'changes that wait for a peer', (lag) => lag.entries),
    plainTotal('sync_merged', 'datums of peers that were looked at', () => distro.merged),
    plainTotal('sync_refused', 'datums of peers that were not believed', () => distro.refused),
    plainTotal('sync_bad_messages', 'messages of peers that broke their schema', () => distro.badMessages),
    plainTotal(
      'sync_overflows',
      'times that changes for a peer were left to the digests',
      () => distro.counts.overflows,
    ),
    plainTotal('forwarded', 'operations carried out by the owner', () => distro.counts.forwarded),
    plainTotal(
      'forward_unreachable',
      'operations carried out here since the owner did not answer',
      () => distro.counts.unreachable,
    ),
    plainTotal('forward_late', 'calls of peers that came when the peer had given them up', () => distro.lateness.count),
    plainTotal(
      'introduced',
      'instances that an owner did not know when a beat came, and was told of',
      () => distro.introductions.count,
    ),
    plainTotal('sync_slow', 'deltas and forwards that a peer took over a second for', () => distro.slowCalls),
    plainTotal('verify_differing', 'services that were found to differ from a peer', () => distro.verify.differing),
    plainTotal('journal_failures', 'writes of the journal that failed', () => distro.journal.failures),
  ];
}

function configGauges(config: ConfigService): GaugeSource[] {
  return Object.entries(CONFIG_FIGURES).map(([name, help]) =>
    figure(`config_${snakeCase(name)}`, name, help, () => config.metrics()[name] ?? 0),
  );
}

function figure(exported: string, name: string, help: string, read: () => number): GaugeSource {
  return TOTALS.has(name) ? plainTotal(exported, help, read) : plainGauge(exported, help, read);
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function mean(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}
