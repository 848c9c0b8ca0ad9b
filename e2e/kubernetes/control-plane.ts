/** The programs of the hub and what they are told. */
import { join } from 'node:path';
import { API_PORT, HUB_ADDRESS, SERVICE_RANGE } from './node-config.ts';

export interface HubProgram {
  readonly name: string;
  readonly args: readonly string[];
}

export interface ControlPlaneFiles {
  readonly pki: string;
  readonly authority: string;
  readonly accountKey: string;
  readonly tokens: string;
  readonly adminKubeconfig: string;
  readonly proxyKubeconfig: string;
  readonly volumes: string;
  readonly etcd: string;
}

export function controlPlaneFiles(folder: string): ControlPlaneFiles {
  const pki = join(folder, 'pki');
  return {
    pki,
    // The API server makes its own certificate, which is its own authority.
    authority: join(pki, 'apiserver.crt'),
    accountKey: join(pki, 'service-accounts.key'),
    tokens: join(folder, 'conf/tokens.csv'),
    adminKubeconfig: join(folder, 'conf/admin.kubeconfig'),
    proxyKubeconfig: join(folder, 'conf/proxy.kubeconfig'),
    volumes: join(folder, 'volumes'),
    etcd: join(folder, 'etcd'),
  };
}

export function etcd(files: ControlPlaneFiles): HubProgram {
  const client = 'http://127.0.0.1:2379';
  const peer = 'http://127.0.0.1:2380';
  return {
    name: 'etcd',
    args: [
      `--data-dir=${files.etcd}`,
      '--unsafe-no-fsync',
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
      '--log-level=warn',
    ],
  };
}

export function apiServer(files: ControlPlaneFiles): HubProgram {
  return {
    name: 'kube-apiserver',
    args: [
      '--etcd-servers=http://127.0.0.1:2379',
      `--cert-dir=${files.pki}`,
      '--bind-address=0.0.0.0',
      `--secure-port=${API_PORT}`,
      `--advertise-address=${HUB_ADDRESS}`,
      `--service-cluster-ip-range=${SERVICE_RANGE}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${files.accountKey}`,
      `--service-account-signing-key-file=${files.accountKey}`,
      `--token-auth-file=${files.tokens}`,
      '--authorization-mode=Node,RBAC',
      '--enable-admission-plugins=NodeRestriction',
      // Webhooks are called at their pods, since the hub has no kube-proxy.
      '--enable-aggregator-routing=true',
      '--kubelet-preferred-address-types=InternalIP',
      '--allow-privileged=true',
      '--profiling=false',
      '--default-not-ready-toleration-seconds=5',
      '--default-unreachable-toleration-seconds=5',
    ],
  };
}

/** What works through the API server, so it starts when that one is ready. */
export function controllers(files: ControlPlaneFiles): HubProgram[] {
  const common = [`--kubeconfig=${files.adminKubeconfig}`, '--leader-elect=false', '--bind-address=127.0.0.1'];
  return [
    {
      name: 'kube-controller-manager',
      args: [
        ...common,
        `--service-account-private-key-file=${files.accountKey}`,
        `--root-ca-file=${files.authority}`,
        '--controllers=*,-nodeipam,-cloud-node-lifecycle-controller',
        '--flex-volume-plugin-dir=/var/lib/kubelet/volume-plugins',
        '--node-monitor-period=1s',
        '--node-monitor-grace-period=10s',
        '--profiling=false',
      ],
    },
    { name: 'kube-scheduler', args: [...common, '--profiling=false'] },
    { name: 'hostpath', args: [`--kubeconfig=${files.adminKubeconfig}`, `--root=${files.volumes}`] },
  ];
}

/** Static identities: `token,user,uid,groups`. */
export function tokensCsv(nodes: number): string {
  const lines = ['admin-token,admin,admin,system:masters', 'proxy-token,system:kube-proxy,proxy'];
  for (let i = 1; i <= nodes; i += 1) lines.push(`node${i}-token,system:node:node${i},node${i},system:nodes`);
  return `${lines.join('\n')}\n`;
}
