/** The hub: a machine with the control plane, the bridge that the nodes hang on, and the door. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import * as plane from './control-plane.ts';
import { connectThrough } from './door.ts';
import { isProgramAlive, startMachine } from './machine.ts';
import { API_PORT, API_URL, HUB_ADDRESS, kubeconfig, nodeAddress, SERVICE_RANGE } from './node-config.ts';
import { until } from './processes.ts';
import type { Site } from './site.ts';

const READY_TIMEOUT_MS = 120_000;
const READYZ_TIMEOUT_MS = 2_000;

export async function startHub(site: Site): Promise<void> {
  const { files, state } = site;
  for (const folder of [files.pki, files.volumes, join(site.folder, 'conf')]) mkdirSync(folder, { recursive: true });
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(files.accountKey, privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 });
  writeFileSync(files.tokens, plane.tokensCsv(site.nodes));
  writeFileSync(files.adminKubeconfig, kubeconfig(API_URL, files.authority, 'admin-token'));
  writeFileSync(files.proxyKubeconfig, kubeconfig(API_URL, files.authority, 'proxy-token'));
  await startMachine(state, 'hub');
  const network = [
    'echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables',
    'ip link add br0 type bridge',
    `ip addr add ${HUB_ADDRESS}/24 dev br0`,
    'ip link set br0 up',
  ];
  await site.on('hub', 'bash', ['-ec', network.join('\n')]);
  startHubProgram(site, plane.etcd(files));
  startHubProgram(site, plane.apiServer(files));
  const door = join(import.meta.dirname, 'door.ts');
  site.start('hub', 'door', process.execPath, [door, site.door], { namespaces: 'network' });
}

/** What works through the API server, which must be ready. */
export function startControllers(site: Site): void {
  for (const program of plane.controllers(site.files)) startHubProgram(site, program);
}

export function startApiServer(site: Site): void {
  startHubProgram(site, plane.apiServer(site.files));
}

/** Services are reached by way of a node, which has a kube-proxy; the hub has none. */
export async function routeServicesBy(site: Site, index: number): Promise<void> {
  await site.on('hub', 'ip', ['route', 'replace', SERVICE_RANGE, 'via', nodeAddress(index)]);
}

export async function awaitApi(site: Site): Promise<void> {
  const isReady = async () => {
    if (!isProgramAlive(site.state, 'kube-apiserver')) throw new Error('kube-apiserver has ended');
    return (await readyz(site)) === 200;
  };
  await until('the API server is ready', isReady, { timeoutMs: READY_TIMEOUT_MS });
}

async function readyz(site: Site): Promise<number | undefined> {
  const socket = await connectThrough(site.door, HUB_ADDRESS, API_PORT);
  return await new Promise((resolve, reject) => {
    // The certificate is made by the server that is awaited.
    const options = { socket, path: '/readyz', agent: false, rejectUnauthorized: false, timeout: READYZ_TIMEOUT_MS };
    const asked = request(options, (response) => {
      response.resume().once('end', () => resolve(response.statusCode));
    });
    asked.once('timeout', () => asked.destroy(new Error('/readyz did not answer')));
    asked.once('error', reject).end();
  });
}

function startHubProgram(site: Site, { name, args }: plane.HubProgram): void {
  site.start('hub', name, name, args);
}
