import { hostname } from 'node:os';
import { readSettings } from '@nacos-kube/core/settings.ts';
import { settingOptions } from '@nacos-kube/core/settings-help.ts';
import { Command } from 'commander';
import { OPERATOR_SETTINGS } from './settings/table.ts';

/** `nacos-kube operator`. What it needs is loaded when it runs: the Kubernetes client alone takes most of a second. */
export function operatorCommand(): Command {
  const command = new Command('operator').description(
    'turn NacosClusters into members, their list, VIP and volumes, and register annotated pods',
  );
  for (const { flags, description } of settingOptions(OPERATOR_SETTINGS)) command.option(flags, description);
  return command.action((flags: Record<string, string>) => run(flags));
}

async function run(flags: Record<string, string>): Promise<void> {
  const settings = readSettings(OPERATOR_SETTINGS, { flags, env: process.env, properties: new Map() });
  const [{ createNodeHost }, { createOperator }, { KubeClient }] = await Promise.all([
    import('@nacos-kube/core/host/node/node-host.ts'),
    import('./operator.ts'),
    import('./kube/client.ts'),
  ]);
  const identity = settings.identity ?? hostname();
  const { logLevel, logFormat } = settings;
  const host = createNodeHost({ name: identity, logLevel, logFormat });
  const ended = Promise.withResolvers<void>();
  const operator = createOperator(host, KubeClient.load(settings.kubeconfig, host.clock), {
    identity,
    watchNamespaces: settings.watchNamespaces,
    registration: settings.registration,
    podDefaults: {
      image: settings.image,
      etcdImage: settings.etcdImage,
      imagePullPolicy: settings.imagePullPolicy,
      clusterDomain: settings.clusterDomain,
    },
    listen: settings.listen,
    metricsPort: settings.metricsPort,
    lease: settings.leaderElection
      ? {
          kubeNamespace: settings.leaderElectionNamespace,
          name: settings.leaderElectionName,
          leaseMs: settings.leaseSeconds * 1000,
          renewDeadlineMs: settings.renewDeadlineSeconds * 1000,
          retryMs: settings.retrySeconds * 1000,
        }
      : undefined,
    // Nothing more may be written by this process, not even in the course of an orderly end.
    onLost: () => process.exit(1),
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => ended.resolve(operator.stop()));
  await operator.start();
  await ended.promise;
}
