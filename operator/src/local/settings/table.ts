import { anyText, oneOf, portNumber, type Setting, wholeNumber, yesOrNo } from '@nacos-kube/core/settings.ts';

/** Every setting of `nacos-kube up`: help and parser are made from this table. */
export const UP_SETTINGS = {
  file: {
    flag: 'file',
    value: 'FILE',
    env: [],
    help: 'manifest of a NacosCluster, with the Secret of its database if it names one; watched for changes of replicas',
    parse: anyText,
  },
  data: {
    flag: 'data',
    value: 'DIR',
    env: [],
    default: 'data',
    help: 'directory for all that the cluster keeps, below its name',
    parse: anyText,
  },
  vipPort: {
    flag: 'vip-port',
    value: 'PORT',
    env: [],
    help: 'port of the VIP (default: spec.vip.port of the manifest, 8848 unless it says otherwise)',
    parse: portNumber,
  },
  basePort: {
    flag: 'base-port',
    value: 'PORT',
    env: [],
    default: '8850',
    help: 'public port of the first member, the others follow in steps of 10; members talk on the ports 1000 below',
    parse: wholeNumber(1_001, 64_535),
  },
  metricsBasePort: {
    flag: 'metrics-base-port',
    value: 'PORT',
    env: [],
    default: '9100',
    help: 'metrics port of the first sidecar, the others follow',
    parse: portNumber,
  },
  etcdBasePort: {
    flag: 'etcd-base-port',
    value: 'PORT',
    env: [],
    default: '8950',
    help: 'client port of the first member of a managed etcd, its other two ports follow, then the other members in steps of 10',
    parse: wholeNumber(1_024, 65_400),
  },
  hints: {
    flag: 'hints',
    value: undefined,
    env: [],
    default: 'false',
    help: 'print commands to try once all members are up',
    parse: yesOrNo,
  },
  logLevel: {
    flag: 'log-level',
    value: 'LEVEL',
    env: [],
    default: 'info',
    help: 'debug, info, warn or error; of nodes and sidecars, whose logs are in files',
    parse: oneOf('debug', 'info', 'warn', 'error'),
  },
} as const satisfies Readonly<Record<string, Setting<unknown>>>;
