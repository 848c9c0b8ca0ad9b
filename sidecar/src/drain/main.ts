import { createNodeHost } from '@nacos-kube/core/host/node/node-host.ts';
import { anyText, readSettings, SettingsError, wholeNumber } from '@nacos-kube/core/settings.ts';
import { settingOptions } from '@nacos-kube/core/settings-help.ts';
import { DRAIN_LINGER_MS, DRAIN_LINGER_MS_MAX } from '@nacos-kube/core/wire/sidecar.ts';
import { Command } from 'commander';
import { NodeCalls } from '../node-calls.ts';
import { SIDECAR_SETTINGS } from '../settings/table.ts';
import { readToken } from '../token.ts';

/** What `nacos-kube drain` is told, as the node beside it is. */
const DRAIN_SETTINGS = {
  port: {
    ...SIDECAR_SETTINGS.nodePort,
    flag: 'port',
    env: ['NACOS_APPLICATION_PORT'],
    help: 'public port of the node; it is spoken to on the port 1000 below, on loopback',
  },
  tokenFile: {
    flag: 'sidecar-token-file',
    value: 'FILE',
    env: ['NACOS_KUBE_SIDECAR_TOKEN_FILE'],
    help: 'token between node and sidecar',
    parse: anyText,
  },
  lingerSeconds: {
    flag: 'linger-seconds',
    value: 'SECONDS',
    env: [],
    default: String(DRAIN_LINGER_MS / 1_000),
    help: 'how long clients on kept connections are given to move to other members; it ends early when none is left',
    parse: wholeNumber(0, DRAIN_LINGER_MS_MAX / 1_000),
  },
  timeoutSeconds: {
    flag: 'timeout-seconds',
    value: 'SECONDS',
    env: [],
    default: '30',
    help: 'how long to wait for it',
    parse: wholeNumber(1, 600),
  },
} as const;

/** `nacos-kube drain`: what a pod runs before it is stopped. */
export function drainCommand(): Command {
  const command = new Command('drain').description(
    'make the node of this pod unready and wait until it has handed over what it owns',
  );
  for (const { flags, description } of settingOptions(DRAIN_SETTINGS)) command.option(flags, description);
  return command.action((flags: Record<string, string>) => run(flags));
}

async function run(flags: Record<string, string>): Promise<void> {
  const settings = readSettings(DRAIN_SETTINGS, { flags, env: process.env, properties: new Map() });
  const { port, tokenFile, lingerSeconds, timeoutSeconds } = settings;
  const { flag, env } = DRAIN_SETTINGS.tokenFile;
  if (tokenFile === undefined) throw new SettingsError([`--${flag} (or ${env.join()}) is missing`]);
  const host = createNodeHost({ name: 'drain', logLevel: 'warn', logFormat: 'text' });
  const token = await readToken(host, tokenFile);
  if (token === undefined)
    throw new SettingsError([`--${flag} ${tokenFile}: there is no token in it, has the sidecar run?`]);
  await new NodeCalls(host, port, token).drain(timeoutSeconds * 1_000, lingerSeconds * 1_000);
}
