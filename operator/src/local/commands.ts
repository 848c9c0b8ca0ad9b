import type { Host } from '@nacos-kube/core/host/host.ts';
import { readSettings, type SettingsSources, type SettingsTable } from '@nacos-kube/core/settings.ts';
import { settingOptions } from '@nacos-kube/core/settings-help.ts';
import { Command } from 'commander';
import { ControlError, findCluster } from './control-client.ts';
import { RESTART_SETTINGS, SCALE_SETTINGS, STATUS_SETTINGS } from './settings/steering.ts';
import { statusLines } from './status.ts';

/** What a command needs of the process that it is. */
export interface Shell {
  readonly host: () => Host;
  readonly resolve: (path: string) => string;
  readonly print: (line: string) => void;
  /** Ends the process. */
  readonly exit: (code: number) => void;
}

type Flags = Readonly<Record<string, string | boolean>>;

/** `nacos-kube up status`, `scale` and `restart`: what is asked of the `up` that runs. */
export function steeringCommands(shell: Shell): readonly Command[] {
  return [statusCommand(shell), scaleCommand(shell), restartCommand(shell)];
}

function statusCommand(shell: Shell): Command {
  const command = commandWith('status', STATUS_SETTINGS)
    .description('show the members of the cluster that runs here, as they see each other')
    .addHelpText(
      'after',
      `
Ends with 0 when all members are ready and up, else with 1.

LIST is the generation of the member list that a member obeys, SYNC LAG how long its oldest change that a peer lacks has
waited, and how many wait.

  nacos-kube up status
  nacos-kube up status --data /var/lib/nacos --json`,
    );
  return command.action(async (flags: Flags) => {
    const { data, name, json } = readSettings(STATUS_SETTINGS, sources(flags));
    const cluster = await findCluster(shell.host(), { data: shell.resolve(data), name });
    const status = await cluster.status();
    const lines = json === true ? [JSON.stringify(status, undefined, 2)] : statusLines(status);
    for (const line of lines) shell.print(line);
    shell.exit(status.isReady ? 0 : 1);
  });
}

function scaleCommand(shell: Shell): Command {
  const command = commandWith('scale', SCALE_SETTINGS)
    .argument('<replicas>', 'how many members there shall be')
    .description('change spec.replicas in the manifest of the running cluster, and wait until it is so')
    .addHelpText(
      'after',
      `
The manifest stays the truth: the number is changed there, everything else in the file stays as it is. Members that go
drain first: they leave the VIP, clients move, what they own is handed over.

  nacos-kube up scale 5
  nacos-kube up scale 1 --timeout 60`,
    );
  return command.action(async (text: string, flags: Flags) => {
    if (!/^\d{1,9}$/.test(text)) throw new ControlError(`replicas must be a whole number, not ${JSON.stringify(text)}`);
    const { data, name, timeout } = readSettings(SCALE_SETTINGS, sources(flags));
    const cluster = await findCluster(shell.host(), { data: shell.resolve(data), name });
    const id = await cluster.scale({ replicas: Number(text), timeoutMs: timeout * 1_000 });
    shell.exit((await cluster.follow(id, shell.print)) ? 0 : 1);
  });
}

function restartCommand(shell: Shell): Command {
  const command = commandWith('restart', RESTART_SETTINGS)
    .argument('[members...]', 'in this order; without any all, the highest first')
    .description('restart members one at a time, so that no request is lost')
    .addHelpText(
      'after',
      `
A member leaves the VIP, its clients move within six seconds, what it owns is handed over; then it stops and starts. The
next one follows when it is up for all others and has compared with them all that it owns. The first that does not come
back ends the restart. Ctrl-C only ends the looking on.

  nacos-kube up restart
  nacos-kube up restart demo-0 --data /var/lib/nacos`,
    );
  return command.action(async (members: readonly string[], flags: Flags) => {
    const { data, name, timeout } = readSettings(RESTART_SETTINGS, sources(flags));
    const cluster = await findCluster(shell.host(), { data: shell.resolve(data), name });
    const id = await cluster.restart({ members, timeoutMs: timeout * 1_000 });
    shell.exit((await cluster.follow(id, shell.print)) ? 0 : 1);
  });
}

function commandWith(name: string, table: SettingsTable): Command {
  const command = new Command(name).exitOverride();
  for (const { flags, description } of settingOptions(table)) command.option(flags, description);
  return command;
}

function sources(flags: Flags): SettingsSources {
  return { flags, env: {}, properties: new Map() };
}
