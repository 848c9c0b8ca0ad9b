import type { CheckKind } from '@nacos-kube/core/probe/target.ts';
import type { ConfigService } from '../config/service.ts';
import type { Distro } from '../distro/distro.ts';
import type { Checks } from '../naming/checks.ts';
import type { Parts } from '../parts.ts';
import { CONFIG_FIGURES, MEMBERS_FIGURES } from './figures.ts';
import { type GaugeSource, type MetricSources, plainGauge } from './metrics.ts';

/** Every figure of a node, by name; each is read only when somebody scrapes. */
export function metricSources(measured: Parts): MetricSources {
  const { naming, push, config, checks } = measured;
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
        // Hints are sent at once or not at all: nothing queues.
        notifyTask: () => 0,
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
    gauges: [...nodeGauges(measured), ...namingGauges(measured), ...distroGauges(measured), ...configGauges(config)],
  };
}

function nodeGauges({ lifecycle, settings, membership, follower }: Parts): GaugeSource[] {
  return [
    plainGauge('ready', '1 when this node may be given traffic', () => Number(lifecycle.isReady())),
    plainGauge('auth_enabled', '1 when accounts guard the public port', () => 0),
    plainGauge(
      'store_behind',
      'revisions of the store that this node has not applied',
      () => follower.metrics().behind,
    ),
    plainGauge('store_failures', 'reads of the change feed that failed', () => follower.metrics().failures),
    plainGauge('member_list_generation', 'generation of the member list in force, -1 when it has none', () => {
      return membership.listState().generation ?? -1;
    }),
    plainGauge('member_list_refusals', 'member lists that were refused', () => membership.listRefusals()),
    ...Object.entries(MEMBERS_FIGURES).map(([name, help]) =>
      plainGauge(`members_${snakeCase(name)}`, help, () => membership.counts()[name] ?? 0),
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

function namingGauges({ naming, push, checks }: Parts): GaugeSource[] {
  return [
    plainGauge(
      'expiry_held',
      'instances that expiry holds back because too many fell silent',
      () => naming.expiry.heldCount,
    ),
    plainGauge('naming_bad_rows', 'stored instances that could not be read', () => naming.badRows),
    plainGauge('push_subscriptions', 'subscriptions that are pushed to', () => push.hub.subscriptionCount),
    plainGauge(
      'push_refused',
      'subscriptions refused: another address, too many, or muted',
      () => push.hub.counts.refused,
    ),
    plainGauge('push_too_large', 'lists that fitted into no datagram', () => push.hub.counts.tooLarge),
    plainGauge('push_stray_packets', 'datagrams that were no ack of a push', () => push.strayPackets),
    plainGauge('checks_leased', '1 while the sidecar probes', () => Number(checks.isLeased)),
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
    plainGauge('sync_merged', 'datums of peers that were looked at', () => distro.merged),
    plainGauge('sync_refused', 'datums of peers that were not believed', () => distro.refused),
    plainGauge('sync_bad_messages', 'messages of peers that broke their schema', () => distro.badMessages),
    plainGauge(
      'sync_overflows',
      'times that changes for a peer were left to the digests',
      () => distro.counts.overflows,
    ),
    plainGauge('forwarded', 'operations carried out by the owner', () => distro.counts.forwarded),
    plainGauge(
      'forward_unreachable',
      'operations carried out here since the owner did not answer',
      () => distro.counts.unreachable,
    ),
    plainGauge('verify_differing', 'services that were found to differ from a peer', () => distro.verify.differing),
    plainGauge('journal_failures', 'writes of the journal that failed', () => distro.journal.failures),
  ];
}

function configGauges(config: ConfigService): GaugeSource[] {
  return Object.entries(CONFIG_FIGURES).map(([name, help]) =>
    plainGauge(`config_${snakeCase(name)}`, help, () => config.metrics()[name] ?? 0),
  );
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function mean(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}
