#!/usr/bin/env -S node --max-semi-space-size=16
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { whenParentIsGone } from '@nacos-kube/core/host/node/processes.ts';
import { Command, CommanderError } from 'commander';

interface Program {
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** What is not chosen is not loaded: a drain must not wait for the Kubernetes client. */
const PROGRAMS: Readonly<Record<string, Program>> = {
  up: {
    summary: 'run the cluster of a manifest on this machine',
    load: async () => (await import('../operator/src/local/main.ts')).upCommand(),
  },
  server: {
    summary: 'run one node: registry, health, push, configuration',
    load: async () => (await import('../server/src/main.ts')).serverCommand(),
  },
  sidecar: {
    summary: 'run the agent beside a node',
    load: async () => (await import('../sidecar/src/main.ts')).sidecarCommand(),
  },
  operator: {
    summary: 'run the operator of a Kubernetes cluster',
    load: async () => (await import('../operator/src/main.ts')).operatorCommand(),
  },
  'etcd-member': {
    summary: 'make a member of the managed etcd ready to start',
    load: async () => (await import('../operator/src/etcd/main.ts')).etcdMemberCommand(),
  },
  drain: {
    summary: 'make the node of this pod unready and wait until it has handed over what it owns',
    load: async () => (await import('../sidecar/src/drain/main.ts')).drainCommand(),
  },
  store: {
    summary: 'move, back up and restore the central store',
    load: async () => (await import('../server/src/rebuild/main.ts')).storeCommandWithRebuild(),
  },
  version: { summary: 'print the version', load: versionCommand },
};

const FAILED = 1;
const MISUSED = 2;

async function main(args: readonly string[]): Promise<void> {
  const [name = ''] = args;
  const program = new Command('nacos-kube')
    .description('A service registry and configuration center for Nacos 1.x clients that runs itself on Kubernetes')
    .helpCommand(false)
    // So that a command's command, as `up status`, has its options for itself.
    .enablePositionalOptions()
    .addHelpText('after', '\nnacos-kube COMMAND --help lists the settings of a command.')
    .exitOverride();
  for (const [command, { summary, load }] of Object.entries(PROGRAMS)) {
    if (command === name) program.addCommand((await load()).exitOverride());
    else program.command(command).description(summary);
  }
  if (name !== '' && !name.startsWith('-') && !Object.hasOwn(PROGRAMS, name)) {
    console.error(
      `nacos-kube: there is no command ${JSON.stringify(name)}: use one of ${Object.keys(PROGRAMS).join(', ')}`,
    );
    process.exitCode = MISUSED;
    return;
  }
  // Started by `up`: without its parent a process of this machine's cluster would stay for ever.
  whenParentIsGone(() => process.kill(process.pid, 'SIGTERM'));
  await program.parseAsync(args, { from: 'user' });
}

async function versionCommand(): Promise<Command> {
  const { VERSION } = await import('../server/src/version.ts');
  return new Command('version').description('print the version').action(() => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'));
    console.log(`nacos-kube ${version}, speaks Nacos ${VERSION}, runs on Node ${process.versions.node}`);
  });
}

function isDebugging(args: readonly string[]): boolean {
  const at = args.indexOf('--log-level');
  return (
    (at >= 0 && args[at + 1] === 'debug') ||
    args.includes('--log-level=debug') ||
    process.env['NACOS_KUBE_LOG_LEVEL'] === 'debug'
  );
}

const args = process.argv.slice(2);
try {
  await main(args);
} catch (error) {
  if (error instanceof CommanderError) {
    // The parser has said what is wrong, or has shown the help that was asked for.
    process.exitCode = error.exitCode === 0 ? 0 : MISUSED;
  } else {
    console.error(isDebugging(args) ? error : `nacos-kube ${args[0]}: ${(error as Error).message}`);
    // Not only the code: what had been started before it failed may keep the process.
    process.exit(FAILED);
  }
}
