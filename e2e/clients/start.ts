/** The two clients as programs that are open on a target. */
import { join } from 'node:path';
import { freePort } from '../processes/ports.ts';
import { buildJavaClient } from './java/build.ts';
import { ClientProgram } from './program.ts';

/** What clients are run against. */
export interface Target {
  readonly name: string;
  /** `host:port` as the clients are given them. */
  readonly servers: readonly string[];
  readonly contextPath: string;
  /** A namespace's id; without it the clients' own default, which is `public`. */
  readonly namespace?: string;
  /** Own address of the clients, where the host name does not lead to it: Java would have pushes sent to a wrong one. */
  readonly ownIp?: string;
  /** Where the clients have to run to reach the servers, e.g. in a network namespace: the command for a command. */
  readonly runner?: (command: readonly [string, ...string[]]) => readonly [string, ...string[]];
}

export const CLIENT_NAMES = ['java', 'npm'] as const;
export type ClientName = (typeof CLIENT_NAMES)[number];

/** Starts a client with a home of its own, so that nothing cached by another run is read. */
export async function startClient(name: ClientName, target: Target, home: string): Promise<ClientProgram> {
  const command = name === 'java' ? await javaCommand(home, target.ownIp) : npmCommand();
  const program = new ClientProgram({
    name,
    command: target.runner?.(command) ?? command,
    // npm nacos-config otherwise shares one client among all processes of the machine, whatever server they name.
    env: { ...process.env, HOME: home, NODE_CLUSTER_CLIENT_PORT: `${await freePort()}` },
  });
  try {
    const { servers, contextPath, namespace } = target;
    await program.call('open', { servers, contextPath, namespace, cacheDir: join(home, 'cache') });
    return program;
  } catch (error) {
    await program.kill();
    throw error;
  }
}

async function javaCommand(home: string, ownIp: string | undefined): Promise<[string, ...string[]]> {
  const properties = {
    ...{ 'JM.SNAPSHOT.PATH': home, 'JM.LOG.PATH': join(home, 'logs'), 'user.home': home },
    ...(ownIp === undefined ? {} : { 'com.alibaba.nacos.client.naming.local.ip': ownIp }),
  };
  return [
    'java',
    // A small program that lives for a minute, beside nodes and other suites.
    '-Xmx128m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    ...Object.entries(properties).map(([key, value]) => `-D${key}=${value}`),
    '-cp',
    await buildJavaClient((line) => console.error(line)),
    'e2e.Main',
  ];
}

function npmCommand(): [string, ...string[]] {
  return [process.execPath, join(import.meta.dirname, 'npm', 'main.ts')];
}
