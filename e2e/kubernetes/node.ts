/** A node: a machine with containerd, kubelet and kube-proxy, linked to the hub's bridge. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clusterGroup, makeGroup } from './cgroups.ts';
import { SYSTEM_IMAGE_FILES } from './images.ts';
import { startMachine } from './machine.ts';
import * as config from './node-config.ts';
import { until } from './processes.ts';
import { nodeMachine, type Site } from './site.ts';

const CTR_TIMEOUT_MS = 120_000;
const CONTAINERD_TIMEOUT_MS = 30_000;

/** The machine with its link and containerd, which takes images while the API server is still starting. */
export async function powerOn(site: Site, index: number): Promise<void> {
  writeNodeFiles(site, index);
  const name = nodeMachine(index);
  const machine = await startMachine(site.state, name);
  const toHub = [
    // The link of a node that was killed may not have gone yet.
    `ip link del ${name} 2>/dev/null || true`,
    `ip link add ${name} type veth peer name eth0 netns ${machine.init.pid}`,
    `ip link set ${name} master br0 up`,
    `ip route replace ${config.podRange(index)} via ${config.nodeAddress(index)}`,
  ];
  // Only the hub's network is entered: among its processes the node's PID would mean another one.
  await site.on('hub', 'bash', ['-ec', toHub.join('\n')]);
  const toOthers = [
    `ip addr add ${config.nodeAddress(index)}/24 dev eth0`,
    'ip link set eth0 up',
    `ip route add default via ${config.HUB_ADDRESS}`,
    ...site.nodeIndexes
      .filter((other) => other !== index)
      .map((other) => `ip route add ${config.podRange(other)} via ${config.nodeAddress(other)}`),
    'echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables',
  ];
  await site.on(name, 'bash', ['-ec', toOthers.join('\n')], { namespaces: 'all' });
  makeGroup(nodeGroup(site, index));
  const { containerd } = config.nodeFiles(site.folder, index);
  site.start(name, `${name}-containerd`, 'containerd', ['--config', containerd]);
}

export async function importSystemImages(site: Site, index: number): Promise<void> {
  const answers = () => ctr(site, index, ['version']);
  await until(`containerd of node${index} answers`, answers, { timeoutMs: CONTAINERD_TIMEOUT_MS });
  for (const file of SYSTEM_IMAGE_FILES) await importImage(site, index, join(site.programs.images, file));
}

export function startKubelet(site: Site, index: number): void {
  const name = nodeMachine(index);
  const files = config.nodeFiles(site.folder, index);
  site.start(name, `${name}-kubelet`, 'kubelet', [
    `--config=${files.kubelet}`,
    `--kubeconfig=${files.kubeconfig}`,
    '--root-dir=/var/lib/kubelet',
    '--cert-dir=/var/lib/kubelet/pki',
    `--hostname-override=${name}`,
    `--node-ip=${config.nodeAddress(index)}`,
  ]);
  site.start(name, `${name}-kube-proxy`, 'kube-proxy', [`--config=${files.proxy}`]);
}

export async function importImage(site: Site, index: number, tar: string): Promise<void> {
  // Without the label the kubelet does not see the image.
  await ctr(site, index, ['images', 'import', '--local', '--label', 'io.cri-containerd.image=managed', tar]);
}

export async function tagImage(site: Site, index: number, image: string, added: string): Promise<void> {
  await ctr(site, index, ['images', 'tag', '--force', image, added]);
}

function ctr(site: Site, index: number, args: readonly string[]): Promise<string> {
  const options = { namespaces: 'all', timeoutMs: CTR_TIMEOUT_MS } as const;
  return site.on(nodeMachine(index), 'ctr', ['-n', 'k8s.io', ...args], options);
}

function writeNodeFiles(site: Site, index: number): void {
  const { folder, files } = site;
  const { authority, proxyKubeconfig } = files;
  const of = config.nodeFiles(folder, index);
  const resolvConf = join(folder, 'conf/resolv.conf');
  mkdirSync(of.cniFolder, { recursive: true });
  writeFileSync(resolvConf, '');
  writeFileSync(join(of.cniFolder, '10-bridge.conflist'), config.cniConfig(index));
  writeFileSync(of.containerd, config.containerdConfig(site.programs, folder, index));
  writeFileSync(of.kubelet, config.kubeletConfig(nodeGroup(site, index), resolvConf));
  writeFileSync(of.proxy, config.proxyConfig(proxyKubeconfig, index));
  writeFileSync(of.kubeconfig, config.kubeconfig(config.API_URL, authority, `node${index}-token`));
}

function nodeGroup(site: Site, index: number): string {
  return `/${clusterGroup(site.folder)}/${nodeMachine(index)}`;
}
