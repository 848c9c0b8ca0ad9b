import { createNodeHost } from '@nacos-kube/core/host/node/node-host.ts';
import { nodeSecureRequests } from '@nacos-kube/core/host/node/secure-requests.ts';
import { createMysqlProbe } from '@nacos-kube/core/probe/mysql-check.ts';
import { settingOptions } from '@nacos-kube/core/settings-help.ts';
import { Command } from 'commander';
import { readSidecarSettings } from './settings/read.ts';
import { SIDECAR_SETTINGS } from './settings/table.ts';
import { createSidecar } from './sidecar.ts';

/** `nacos-kube sidecar`: the agent beside one node, until it is told to stop. */
export function sidecarCommand(): Command {
  const command = new Command('sidecar').description(
    'run the agent beside a node: it keeps cluster.conf current, probes persistent instances and exports metrics',
  );
  for (const { flags, description } of settingOptions(SIDECAR_SETTINGS)) command.option(flags, description);
  command.addHelpText('after', '\nDefaults < environment < flags.');
  return command.action((flags: Record<string, string>) => run(flags));
}

async function run(flags: Record<string, string>): Promise<void> {
  const settings = readSidecarSettings({ flags, env: process.env, properties: new Map() });
  const { logLevel, logFormat } = settings;
  const host = createNodeHost({ name: 'sidecar', logLevel, logFormat });
  const mysql = settings.mysqlChecks ? createMysqlProbe(host, (await import('mysql2')).createConnection) : undefined;
  const lifecycle = createSidecar(host, nodeSecureRequests, settings, mysql);
  let signals = 0;
  const stop = (): void => {
    signals++;
    if (signals > 1) process.exit(1);
    host.background(
      'stop',
      lifecycle.stop().then(() => process.exit(0)),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  await lifecycle.start();
  host.log.info('started', { metrics: `${settings.listen}:${settings.metricsPort}`, source: settings.source.kind });
}
