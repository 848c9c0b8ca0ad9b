import { createNodeHost } from '@nacos-kube/core/host/node/node-host.ts';
import { readSettings } from '@nacos-kube/core/settings.ts';
import { settingOptions } from '@nacos-kube/core/settings-help.ts';
import { Command } from 'commander';
import { type MemberPlace, prepareMember } from './prepare.ts';
import { ETCD_MEMBER_SETTINGS } from './settings/table.ts';

/** `nacos-kube etcd-member`: the init container of a managed etcd. */
export function etcdMemberCommand(): Command {
  const command = new Command('etcd-member').description(
    'make a member of the managed etcd ready to start: join the others when its volume is empty, write its configuration',
  );
  for (const { flags, description } of settingOptions(ETCD_MEMBER_SETTINGS)) command.option(flags, description);
  return command.action((flags: Record<string, string>) => run(flags));
}

async function run(flags: Record<string, string>): Promise<void> {
  const settings = readSettings(ETCD_MEMBER_SETTINGS, { flags, env: process.env, properties: new Map() });
  const { name = '', domain = '', token = '', userFile = '', passwordFile = '' } = settings;
  const base = /^(.+)-\d+$/.exec(name)?.[1];
  if (base === undefined) throw new Error(`--name ${JSON.stringify(name)} does not end in a number`);
  const { logLevel, logFormat, clientPort, peerPort, metricsPort, quotaBytes } = settings;
  const host = createNodeHost({ name, logLevel, logFormat });
  const read = async (file: string) => new TextDecoder().decode(await host.disk.read(file)).trim();
  const place = (member: string): MemberPlace => ({
    name: member,
    peerUrl: `http://${member}.${domain}:${peerPort}`,
    client: { address: `${member}.${domain}`, port: clientPort },
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1));
  const mayStart = await prepareMember(host, {
    self: place(name),
    wanted: Array.from({ length: settings.members }, (_, ordinal) => place(`${base}-${ordinal}`)),
    isFormed: settings.state === 'existing',
    login: { user: await read(userFile), password: await read(passwordFile) },
    dataDirectory: settings.data,
    configFile: settings.configFile,
    config: { token, listen: '0.0.0.0', peerPort, clientPort, metricsPort, quotaBytes },
  });
  process.exit(mayStart ? 0 : 1);
}
