import { chmod, readFile, realpath, rename, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { NODE_FLAGS } from '@nacos-kube/core/host/node/node-flags.ts';
import { createNodeHost } from '@nacos-kube/core/host/node/node-host.ts';
import { nodeProcesses } from '@nacos-kube/core/host/node/processes.ts';
import { readSettings } from '@nacos-kube/core/settings.ts';
import { settingOptions } from '@nacos-kube/core/settings-help.ts';
import { Command } from 'commander';
import { steeringCommands } from './commands.ts';
import type { OwnProcess } from './lock.ts';
import type { Terminal } from './screen.ts';
import { UP_SETTINGS } from './settings/table.ts';
import { LocalCluster, UpError } from './up.ts';

const CRD_FILE = join(import.meta.dirname, '../../../crds/nacosclusters.yaml');
/** Where Node keeps what it compiled: a start then is quicker, and 40 MB smaller, without the compiler of TypeScript. */
const COMPILE_CACHE = 'NODE_COMPILE_CACHE';
/** What a shell may have for a node of its own; nodes of a manifest are told all they need. */
const FOREIGN = /^(NACOS_|MYSQL_SERVICE_|SPRING_DATASOURCE_|SPRING_SQL_|SERVER_SERVLET_|MODE$)/;

/** `nacos-kube up`: the cluster of a manifest on this machine, until Ctrl-C. */
export function upCommand(): Command {
  const command = new Command('up').description(
    'run the cluster of a manifest on this machine: members, sidecars and VIP on loopback, no Kubernetes needed',
  );
  for (const { flags, description } of settingOptions(UP_SETTINGS)) {
    command.option(flags.startsWith('--file ') ? `-f, ${flags}` : flags, description);
  }
  command.action((flags: Record<string, string | boolean>) => run(flags));
  // So that what stands after `status` belongs to `status`, as --data.
  command.enablePositionalOptions();
  const shell = {
    host: () => createNodeHost({ name: 'up', logLevel: 'error', logFormat: 'text' }),
    resolve,
    print: (line: string) => void process.stdout.write(`${line}\n`),
    exit: (code: number) => process.exit(code),
  };
  for (const one of steeringCommands(shell)) command.addCommand(one);
  return command;
}

async function run(flags: Record<string, string | boolean>): Promise<void> {
  const settings = readSettings(UP_SETTINGS, { flags, env: process.env, properties: new Map() });
  if (settings.file === undefined) throw new UpError('-f FILE is missing: the manifest of a NacosCluster');
  const host = createNodeHost({
    name: 'up',
    logLevel: settings.logLevel === 'debug' ? 'debug' : 'warn',
    logFormat: 'text',
  });
  const cluster = new LocalCluster(
    host,
    {
      manifestFile: resolve(settings.file),
      crdYaml: await readFile(CRD_FILE, 'utf8'),
      data: resolve(settings.data),
      basePort: settings.basePort,
      metricsBasePort: settings.metricsBasePort,
      etcdBasePort: settings.etcdBasePort,
      vipPort: settings.vipPort,
      logLevel: settings.logLevel,
      withHints: settings.hints,
    },
    {
      launcher: {
        processes: nodeProcesses,
        command: process.execPath,
        args: [...new Set([...NODE_FLAGS, ...process.execArgv]), process.argv[1] as string],
        env: {
          ...Object.fromEntries(
            Object.keys(process.env)
              .filter((name) => FOREIGN.test(name))
              .map((name) => [name, undefined]),
          ),
          [COMPILE_CACHE]: process.env[COMPILE_CACHE] ?? resolve(settings.data, 'compiled'),
        },
      },
      terminal: ownTerminal(),
      own: ownProcess,
      rewrite,
    },
  );
  const stop = () => cluster.stop();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  await cluster.start();
  await cluster.whenOver();
  process.exit(0);
}

function ownTerminal(): Terminal {
  const { stdout } = process;
  stdout.on('error', () => {}); // nobody reads any more: no reason to stop the cluster
  return {
    isInteractive: stdout.isTTY === true,
    columns: () => stdout.columns ?? 120,
    write: (text) => void stdout.write(text),
  };
}

async function rewrite(file: string, text: string): Promise<void> {
  const real = await realpath(file);
  const temporary = `${real}.${process.pid}`;
  const { mode } = await stat(real);
  await writeFile(temporary, text);
  await chmod(temporary, mode);
  await rename(temporary, real);
}

const ownProcess: OwnProcess = {
  pid: process.pid,
  isRunning(pid) {
    try {
      process.kill(pid, 0);
      return true;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EPERM';
    }
  },
};
