import { anyText, LOG_SETTINGS, listOf, oneOf, type Setting, wholeNumber, yesOrNo } from '@nacos-kube/core/settings.ts';

/** Every setting of the operator: the help and the parser are made from this table. */
export const OPERATOR_SETTINGS = {
  watchNamespaces: {
    flag: 'watch-namespaces',
    value: 'LIST',
    env: ['NACOS_KUBE_WATCH_NAMESPACES'],
    default: '',
    help: 'Kubernetes namespaces whose NacosClusters and annotated pods are looked after, separated by commas; empty: all',
    parse: namespaceList,
  },
  kubeconfig: {
    flag: 'kubeconfig',
    value: 'FILE',
    env: ['NACOS_KUBE_KUBECONFIG'],
    help: 'kubeconfig file (default: KUBECONFIG, ~/.kube/config, or the service account of the pod)',
    parse: anyText,
  },
  image: {
    flag: 'image',
    value: 'IMAGE',
    env: ['NACOS_KUBE_IMAGE'],
    default: 'nacos-kube:0.1.0',
    help: 'image of node and sidecar, for what a NacosCluster does not say itself',
    parse: imageName,
  },
  etcdImage: {
    flag: 'etcd-image',
    value: 'IMAGE',
    env: ['NACOS_KUBE_ETCD_IMAGE'],
    default: 'quay.io/coreos/etcd:v3.6.5',
    help: 'image with the program etcd, 3.4 to 3.6, for managed stores whose NacosCluster names none',
    parse: imageName,
  },
  imagePullPolicy: {
    flag: 'image-pull-policy',
    value: 'POLICY',
    env: ['NACOS_KUBE_IMAGE_PULL_POLICY'],
    default: 'IfNotPresent',
    help: 'Always, IfNotPresent or Never, for NacosClusters that do not say',
    parse: oneOf('Always', 'IfNotPresent', 'Never'),
  },
  clusterDomain: {
    flag: 'cluster-domain',
    value: 'DOMAIN',
    env: ['NACOS_KUBE_CLUSTER_DOMAIN'],
    default: 'cluster.local',
    help: 'DNS domain of the Kubernetes cluster; members are named in it',
    parse: domainName,
  },
  registration: {
    flag: 'registration',
    value: 'on|off',
    env: ['NACOS_KUBE_REGISTRATION'],
    default: 'on',
    help: 'whether pods annotated nacos-kube.dev/register: "true" are registered',
    parse: yesOrNo,
  },
  listen: {
    flag: 'listen',
    value: 'IP',
    env: ['NACOS_KUBE_LISTEN'],
    default: '0.0.0.0',
    help: 'address for metrics and probes',
    parse: anyText,
  },
  metricsPort: {
    flag: 'metrics-port',
    value: 'PORT',
    env: ['NACOS_KUBE_METRICS_PORT'],
    default: '9101',
    help: 'port of /metrics, /healthz and /readyz; 0 takes any that is free',
    parse: wholeNumber(0, 65_535),
  },
  leaderElection: {
    flag: 'leader-election',
    value: 'on|off',
    env: ['NACOS_KUBE_LEADER_ELECTION'],
    default: 'on',
    help: 'take turns with other operators by a Lease; off only where there is one for sure',
    parse: yesOrNo,
  },
  leaderElectionNamespace: {
    flag: 'leader-election-namespace',
    value: 'NAMESPACE',
    env: ['NACOS_KUBE_LEADER_ELECTION_NAMESPACE', 'POD_NAMESPACE'],
    default: 'default',
    help: 'Kubernetes namespace of the Lease',
    parse: anyText,
  },
  leaderElectionName: {
    flag: 'leader-election-name',
    value: 'NAME',
    env: ['NACOS_KUBE_LEADER_ELECTION_NAME'],
    default: 'nacos-kube-operator',
    help: 'name of the Lease; another for each set of operators',
    parse: anyText,
  },
  leaseSeconds: {
    flag: 'lease-seconds',
    value: 'N',
    env: ['NACOS_KUBE_LEASE_SECONDS'],
    default: '15',
    help: 'after so long without renewal another takes over',
    parse: wholeNumber(3, 600),
  },
  renewDeadlineSeconds: {
    flag: 'renew-deadline-seconds',
    value: 'N',
    env: ['NACOS_KUBE_RENEW_DEADLINE_SECONDS'],
    default: '10',
    help: 'a leader that cannot renew for so long ends; less than --lease-seconds',
    parse: wholeNumber(2, 600),
  },
  retrySeconds: {
    flag: 'retry-seconds',
    value: 'N',
    env: ['NACOS_KUBE_RETRY_SECONDS'],
    default: '2',
    help: 'time between two tries to take or renew; less than --renew-deadline-seconds',
    parse: wholeNumber(1, 600),
  },
  identity: {
    flag: 'identity',
    value: 'NAME',
    env: ['NACOS_KUBE_IDENTITY', 'POD_NAME'],
    help: 'name of this operator in the Lease and in events (default: host name)',
    parse: anyText,
  },
  ...LOG_SETTINGS,
} as const satisfies Readonly<Record<string, Setting<unknown>>>;

function namespaceList(text: string): readonly string[] {
  const names = listOf(text);
  const wrong = names.find((name) => !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name));
  if (wrong !== undefined) throw new Error(`${JSON.stringify(wrong)} is no name of a Kubernetes namespace`);
  return [...new Set(names)];
}

function imageName(text: string): string {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9._/:@-]*$/.test(text)) throw new Error('must be like registry.example/nacos-kube:0.1.0');
  return text;
}

function domainName(text: string): string {
  if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(text)) throw new Error('must be a domain without dot at the end');
  return text;
}
