import { readFile } from 'node:fs/promises';
import { flushCompileCache } from 'node:module';
import type { Host } from '@nacos-kube/core/host/host.ts';
import { boundHeapGrowth } from '@nacos-kube/core/host/node/heap-growth.ts';
import { createNodeHost } from '@nacos-kube/core/host/node/node-host.ts';
import { createMysqlProbe } from '@nacos-kube/core/probe/mysql-check.ts';
import { parseProperties, type SettingsSources, takeSettings } from '@nacos-kube/core/settings.ts';
import { settingOptions } from '@nacos-kube/core/settings-help.ts';
import { Command } from 'commander';
import { createMembership } from './members/create.ts';
import { createNacosServer } from './server.ts';
import { loadNodeSettings } from './settings/settings.ts';
import { SERVER_SETTINGS } from './settings/table.ts';
import { takeDataFolder } from './store/data-folder.ts';
import { openStore, type StorageSettings } from './store/open.ts';

const LOOP_CHECK_MS = 1_000;

/** `nacos-kube server`: one node, until it is told to stop. */
export function serverCommand(): Command {
  const command = new Command('server').description('run one node: registry, health, push, configuration');
  command.option('--properties <FILE>', 'settings as key=value lines, under the names of application.properties');
  for (const { flags, description } of settingOptions(SERVER_SETTINGS)) command.option(flags, description);
  command.addHelpText('after', '\nDefaults < properties file < environment < flags. Secrets belong in files.');
  command.action((flags: Record<string, string>) => runServer(flags));
  return command;
}

async function runServer(flags: Record<string, string>): Promise<void> {
  const { properties, problems } = await propertiesOf(flags);
  const sources: SettingsSources = { flags, env: process.env, properties };
  const { logLevel, logFormat, mysqlPassword, mysqlChecks } = takeSettings(SERVER_SETTINGS, sources).values;
  const secrets = mysqlPassword === undefined ? [] : [mysqlPassword];
  const host = createNodeHost({ name: 'node', logLevel, logFormat, secrets });
  const settings = await loadNodeSettings(host, sources, problems);
  // Before anything is written there; it has it until it ends.
  await takeDataFolder(host, settings.data);
  await rebuildIfAsked(host, settings.storage);
  const store = await openStore(host, settings.storage);
  const membership = createMembership(host, settings);
  const mysqlProbe = mysqlChecks === true ? await mysqlProbeOf(host) : undefined;
  const { lifecycle } = createNacosServer({ host, settings, store, membership, withProcessMetrics: true, mysqlProbe });

  let signals = 0;
  const stop = (signal: NodeJS.Signals): void => {
    signals++;
    // An exit would wait for threads that wait for a disk, and close what they had not ended.
    if (signals > 1) process.kill(process.pid, 'SIGKILL');
    host.log.info(`${signal}: draining and stopping; a second signal ends at once`);
    host.background(
      'stop',
      lifecycle.stop().finally(() => process.exit(0)),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);

  host.log.info('starting', { mode: settings.mode, member: settings.member, storage: settings.storage.kind });
  host.log.warn('accounts are off: whoever reaches the public port may read and write');
  boundHeapGrowth(host.clock);
  await lifecycle.start();
  reportReadiness(host, () => lifecycle.notReadyReasons());
}

/** Only a file that is damaged, and only when told to: whoever does not know why it is had better look first. */
async function rebuildIfAsked(host: Host, storage: StorageSettings): Promise<void> {
  if (storage.kind !== 'sqlite' || storage.rebuildsFrom === undefined) return;
  // The first start finds no file either, and nothing to make one of.
  if ((await host.disk.stat(storage.path)) === undefined) return;
  const { rebuildSqlite } = await import('./rebuild/rebuild.ts');
  const rebuilt = await rebuildSqlite({ host, path: storage.path, data: storage.rebuildsFrom });
  if (rebuilt !== undefined) host.log.error('the sqlite file was damaged and has been made anew', { ...rebuilt });
}

/** The library is loaded only where it is used. */
async function mysqlProbeOf(host: Host) {
  return createMysqlProbe(host, (await import('mysql2')).createConnection);
}

/**
 * Where a folder for what is compiled is set it is written now, not at an end that may be a kill: the next start has no
 * types to strip, which is seconds, and 50 MB in this thread and those of the store.
 */
function ready(host: Host): void {
  flushCompileCache();
  host.log.info('ready');
}

/** Says once why the node is not ready, and once that it is. */
function reportReadiness(host: Host, reasons: () => readonly string[]): void {
  let told = '';
  const tell = (): void => {
    const now = reasons().join('; ');
    if (now === told) return;
    if (now === '') ready(host);
    else host.log.info(`not ready: ${now}`);
    told = now;
  };
  told = 'unknown';
  tell();
  host.clock.every(LOOP_CHECK_MS, tell);
}

async function propertiesOf(
  flags: Record<string, string>,
): Promise<Pick<SettingsSources, 'properties'> & { readonly problems: readonly string[] }> {
  const path = flags.properties ?? process.env.NACOS_KUBE_PROPERTIES;
  if (path === undefined) return { properties: new Map(), problems: [] };
  try {
    return { properties: parseProperties(await readFile(path, 'utf8')), problems: [] };
  } catch (error) {
    return { properties: new Map(), problems: [`--properties ${JSON.stringify(path)}: ${(error as Error).message}`] };
  }
}
