/** What the programs of a node are told. JSON is YAML, so most files are values written out. */
import { join } from 'node:path';
import type { Programs } from './build.ts';
import { PAUSE_IMAGE } from './images.ts';

export const HUB_ADDRESS = '10.77.0.1';
export const API_PORT = 6443;
export const API_URL = `https://${HUB_ADDRESS}:${API_PORT}`;
export const POD_RANGE = '10.244.0.0/16';
export const SERVICE_RANGE = '10.96.0.0/16';
export const DNS_ADDRESS = '10.96.0.10';

export function nodeName(index: number): string {
  return `node${index}`;
}

export function nodeAddress(index: number): string {
  return `10.77.0.1${index}`;
}

export function podRange(index: number): string {
  return `10.244.${index}.0/24`;
}

export interface NodeFiles {
  readonly containerd: string;
  readonly cniFolder: string;
  readonly kubelet: string;
  readonly proxy: string;
  readonly kubeconfig: string;
}

export function nodeFiles(folder: string, index: number): NodeFiles {
  const conf = join(folder, 'conf', nodeName(index));
  return {
    containerd: join(conf, 'containerd.toml'),
    cniFolder: join(conf, 'cni'),
    kubelet: join(conf, 'kubelet.json'),
    proxy: join(conf, 'proxy.json'),
    kubeconfig: join(conf, 'kubeconfig'),
  };
}

export function kubeconfig(server: string, authority: string, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'e2e', cluster: { server, 'certificate-authority': authority } }],
    users: [{ name: 'e2e', user: { token } }],
    contexts: [{ name: 'e2e', context: { cluster: 'e2e', user: 'e2e' } }],
    'current-context': 'e2e',
  });
}

export function cniConfig(index: number): string {
  return JSON.stringify({
    cniVersion: '1.0.0',
    name: 'pods',
    plugins: [
      {
        type: 'bridge',
        bridge: 'cni0',
        isDefaultGateway: true,
        hairpinMode: true,
        ipMasq: false,
        // In /run, which a machine that is started again finds empty, as after a real power cut.
        ipam: { type: 'host-local', dataDir: '/run/cni-ipam', ranges: [[{ subnet: podRange(index) }]] },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  });
}

export function containerdConfig(programs: Programs, folder: string, index: number): string {
  return `version = 3
root = "${join(folder, nodeName(index), 'containerd')}"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["${programs.cni}"]
    conf_dir = "${nodeFiles(folder, index).cniFolder}"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "${PAUSE_IMAGE}"
`;
}

export function kubeletConfig(cgroupRoot: string, resolvConf: string): string {
  return JSON.stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    cgroupDriver: 'cgroupfs',
    cgroupRoot,
    failSwapOn: false,
    failCgroupV1: false,
    // Lowering it needs CAP_SYS_RESOURCE, which a build machine's root often has not.
    oomScoreAdj: 0,
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    clusterDomain: 'cluster.local',
    clusterDNS: [DNS_ADDRESS],
    resolvConf,
    volumePluginDir: '/var/lib/kubelet/volume-plugins',
    evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
    nodeStatusUpdateFrequency: '2s',
    nodeStatusReportFrequency: '10s',
    nodeLeaseDurationSeconds: 8,
    // Also how long a changed ConfigMap takes into a pod at most.
    syncFrequency: '5s',
  });
}

export function proxyConfig(kubeconfigFile: string, index: number): string {
  return JSON.stringify({
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'iptables',
    clusterCIDR: POD_RANGE,
    clientConnection: { kubeconfig: kubeconfigFile },
    hostnameOverride: nodeName(index),
    oomScoreAdj: 0,
    // A network namespace can't set nf_conntrack_max; zero leaves it alone.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
    iptables: { minSyncPeriod: '0s' },
  });
}
