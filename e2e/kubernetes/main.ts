/** The cluster for people: `npx node e2e/kubernetes/main.ts --help`. */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { buildPrograms, isBuilt, programsFolder } from './build.ts';
import { missingForCluster, OwnCluster } from './cluster.ts';
import { findMachine } from './machine.ts';
import { type MachineName, nodeMachine } from './site.ts';
import { describeState, removeCluster, stateFolder } from './state.ts';

const HELP = `A Kubernetes of one to three nodes on this computer (Linux, root), for the e2e tests and for looking around.

  npx node e2e/kubernetes/main.ts COMMAND

  build                    make its programs in the cache: 6 to 12 minutes the first time, then at once
  up [--nodes 1|2|3]       start it; it goes on until down
  image [TAG]              make the product's image of this checkout and put it on every node (tag: e2e)
  kubectl ARGS...          kubectl in it; helm ARGS... likewise
  on MACHINE PROGRAM...    run a program in the network of hub, node1, node2 or node3
  forward HOST PORT        lead a port of 127.0.0.1 to an address in it, until Ctrl-C; without HOST and PORT: to
                           its API server, with a kubeconfig file
  status                   what runs, and where
  down                     end it and remove every trace, also after a crash

  NACOS_KUBE_STATE         folder of the running cluster (now: STATE)
  NACOS_KUBE_CACHE         folder of the built programs and layers (~/.cache/nacos-kube/kube)
  NACOS_KUBE_REUSE=1       suites use the cluster that is up, instead of one of their own
  NACOS_KUBE_LOGS          folder that the logs are copied to when a cluster ends
  KUBECONFIG               suites use that cluster (kind, k3d) instead, with the image named by NACOS_KUBE_IMAGE
`;

const say = (line: string) => console.error(line);
const [command = '--help', ...args] = process.argv.slice(2);

try {
  process.exitCode = await perform();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

async function perform(): Promise<number> {
  switch (command) {
    case 'build':
      await buildPrograms(say);
      console.log(programsFolder());
      return 0;
    case 'up':
      return await up();
    case 'image':
      console.log((await (await OwnCluster.attach()).productImage(args[0])).image);
      return 0;
    case 'kubectl':
    case 'helm':
      return await handOver((await OwnCluster.attach()).commandLine(command, args));
    case 'on':
      process.stdout.write(
        await (await OwnCluster.attach()).on(machineName(args[0]), args[1] ?? 'bash', args.slice(2)),
      );
      return 0;
    case 'forward':
      return await forward();
    case 'status':
      return status();
    case 'down':
      await removeCluster(stateFolder());
      return 0;
    case '--help':
    case '-h':
    case 'help':
      console.log(help());
      return 0;
    default:
      say(`no such command: ${command}\n\n${help()}`);
      return 2;
  }
}

function help(): string {
  return HELP.replace('(now: STATE)', `(now: ${stateFolder()})`);
}

async function up(): Promise<number> {
  const { values } = parseArgs({ args, options: { nodes: { type: 'string', default: '1' } } });
  const nodes = Number(values.nodes);
  if (nodes !== 1 && nodes !== 2 && nodes !== 3) throw new Error(`--nodes is 1, 2 or 3, not ${values.nodes}`);
  const cluster = await OwnCluster.start({ nodes, outlives: true }, say);
  console.log(`${cluster.folder}\ntry: npx node e2e/kubernetes/main.ts kubectl get pods -A -o wide`);
  return 0;
}

async function forward(): Promise<number> {
  const cluster = await OwnCluster.attach();
  const [host, port] = args;
  if (host === undefined) console.log(`export KUBECONFIG=${cluster.kubeconfig}`);
  else console.log(`127.0.0.1:${(await cluster.forward({ host, port: Number(port) })).port} leads to ${host}:${port}`);
  say('until Ctrl-C');
  await new Promise((ended) => {
    const keepsRunning = setInterval(() => {}, 60_000);
    process.once('SIGINT', () => ended(clearInterval(keepsRunning)));
  });
  await cluster.stop();
  return 0;
}

function status(): number {
  const folder = stateFolder();
  console.log(`programs  ${isBuilt() ? programsFolder() : 'not built'}`);
  const missing = missingForCluster();
  if (missing.length > 0) console.log(`missing   ${missing.join('\n          ')}`);
  const description = describeState(folder);
  console.log(`state     ${folder}${description ? '' : ' (no cluster)'}`);
  if (!description) return 0;
  const names: MachineName[] = ['hub', ...Array.from({ length: description.nodes }, (_, i) => nodeMachine(i + 1))];
  for (const name of names) {
    try {
      const { init } = findMachine({ folder, isBound: description.isBound }, name);
      console.log(`${name.padEnd(9)} up, PID 1 is ${init.pid}`);
    } catch (error) {
      console.log(`${name.padEnd(9)} ${(error as Error).message}`);
    }
  }
  return 0;
}

async function handOver([program = '', ...rest]: string[]): Promise<number> {
  const child = spawn(program, rest, { stdio: 'inherit' });
  return await new Promise((ended, failed) => {
    child.once('error', failed).once('close', (code) => ended(code ?? 1));
  });
}

function machineName(name: string | undefined): MachineName {
  return name === 'hub' ? name : nodeMachine(Number(/^node(\d)$/.exec(name ?? '')?.[1]));
}
