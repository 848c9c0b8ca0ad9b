import { isIpLiteral } from '@nacos-kube/core/model/ip-literal.ts';
import { peerPort } from '@nacos-kube/core/model/member.ts';
import { parseMemberAddress, splitMemberAddress } from '@nacos-kube/core/model/member-list.ts';
import { anyText, LOG_SETTINGS, listOf, oneOf, type Setting, wholeNumber, yesOrNo } from '@nacos-kube/core/settings.ts';
import { STORAGE_SETTINGS } from './storage.ts';

/** Every setting of a node: the help, the reference page and the parser are all made from this table. */
export const SERVER_SETTINGS = {
  mode: {
    flag: 'mode',
    value: 'MODE',
    env: ['MODE'],
    default: 'standalone',
    help: 'standalone: one node on its own; cluster: a member among those of the member list',
    parse: oneOf('standalone', 'cluster'),
  },
  port: {
    flag: 'port',
    value: 'PORT',
    env: ['NACOS_APPLICATION_PORT'],
    properties: ['server.port'],
    default: '8848',
    help: 'public HTTP port; members talk on the port 1000 below it',
    parse: wholeNumber(1_001, 64_535),
  },
  listen: {
    flag: 'listen',
    value: 'IP',
    env: ['NACOS_KUBE_LISTEN'],
    default: '0.0.0.0',
    help: 'address to listen on, for both ports',
    parse: ipLiteral,
  },
  data: {
    flag: 'data',
    value: 'DIR',
    env: ['NACOS_KUBE_DATA'],
    properties: ['nacos.home'],
    default: 'data',
    help: 'directory for the dump of configurations, the journal of instances and the embedded store',
    parse: anyText,
  },
  contextPath: {
    flag: 'context-path',
    value: 'PATH',
    env: ['SERVER_SERVLET_CONTEXTPATH'],
    properties: ['server.servlet.contextPath', 'server.servlet.context-path'],
    default: '/nacos',
    help: 'prefix of every path of the public port; / for none',
    parse: contextPath,
  },
  member: {
    flag: 'member',
    value: 'HOST:PORT',
    env: ['NACOS_KUBE_MEMBER'],
    help: "this node's own line in the member list (default: its first address and the port)",
    parse: memberAddress,
  },
  serverIp: {
    flag: 'server-ip',
    value: 'IP',
    env: ['NACOS_SERVER_IP'],
    properties: ['nacos.inetutils.ip-address'],
    help: 'host part of --member, with --port as the port',
    parse: ipLiteral,
  },
  memberList: {
    flag: 'member-list',
    value: 'FILE',
    env: ['NACOS_KUBE_MEMBER_LIST'],
    help: 'cluster.conf, watched for changes (default: conf/cluster.conf below --data)',
    parse: anyText,
  },
  servers: {
    flag: 'servers',
    value: 'LIST',
    env: ['NACOS_SERVERS'],
    properties: ['nacos.member.list'],
    help: 'members separated by spaces or commas, instead of a file',
    parse: (text) => listOf(text).map(memberAddress),
  },
  clusterKeyFile: {
    flag: 'cluster-key-file',
    value: 'FILE',
    env: ['NACOS_KUBE_CLUSTER_KEY_FILE'],
    help: 'secret that members share, at least 32 characters; a second line is accepted too while keys change',
    parse: anyText,
  },
  sidecarTokenFile: {
    flag: 'sidecar-token-file',
    value: 'FILE',
    env: ['NACOS_KUBE_SIDECAR_TOKEN_FILE'],
    help: 'token that the sidecar of this node wrote; without it no sidecar is served',
    parse: anyText,
  },
  ...STORAGE_SETTINGS,
  mysqlChecks: {
    flag: 'mysql-checks',
    value: 'on|off',
    env: ['NACOS_KUBE_MYSQL_CHECKS'],
    default: 'off',
    help: 'check instances of clusters of type MYSQL by logging in there and running their command; off: they keep their health',
    parse: yesOrNo,
  },
  cleanEmptyServices: {
    flag: 'clean-empty-services',
    value: 'on|off',
    env: ['NACOS_KUBE_CLEAN_EMPTY_SERVICES'],
    properties: ['nacos.naming.empty-service.auto-clean'],
    default: 'on',
    help: 'forget services, and what was set of them, that had no instance for more than two minutes',
    parse: yesOrNo,
  },
  trustedProxies: {
    flag: 'trusted-proxies',
    value: 'LIST',
    env: ['NACOS_KUBE_TRUSTED_PROXIES'],
    default: '',
    help: 'addresses whose X-Forwarded-For says who called',
    parse: (text) => listOf(text).map(ipLiteral),
  },
  accessLog: {
    flag: 'access-log',
    value: 'FILE|-|on|off',
    env: ['NACOS_KUBE_ACCESS_LOG', 'TOMCAT_ACCESSLOG_ENABLED'],
    properties: ['server.tomcat.accesslog.enabled'],
    default: 'off',
    help: 'one line for each answer of the public port: to a file, to standard output (-), or to logs/access.log below --data (on)',
    parse: accessLog,
  },
  manageCapacity: {
    flag: 'manage-capacity',
    value: 'on|off',
    env: ['NACOS_KUBE_MANAGE_CAPACITY'],
    properties: ['isManageCapacity'],
    default: 'on',
    help: 'hold groups and namespaces to quotas at all; off: --enforce-capacity has no effect',
    parse: yesOrNo,
  },
  enforceCapacity: {
    flag: 'enforce-capacity',
    value: 'on|off',
    env: ['NACOS_KUBE_ENFORCE_CAPACITY'],
    properties: ['isCapacityLimitCheck'],
    default: 'off',
    help: 'refuse to publish what is over the limits below, or over those set for a group or namespace',
    parse: yesOrNo,
  },
  clusterQuota: {
    flag: 'cluster-quota',
    value: 'COUNT',
    env: ['NACOS_KUBE_CLUSTER_QUOTA'],
    properties: ['defaultClusterQuota'],
    default: '100000',
    help: 'configurations that there may be in all',
    parse: wholeNumber(1, 1_000_000_000),
  },
  groupQuota: {
    flag: 'group-quota',
    value: 'COUNT',
    env: ['NACOS_KUBE_GROUP_QUOTA'],
    properties: ['defaultGroupQuota'],
    default: '200',
    help: 'configurations that a group of the public namespace may have',
    parse: wholeNumber(1, 1_000_000_000),
  },
  namespaceQuota: {
    flag: 'namespace-quota',
    value: 'COUNT',
    env: ['NACOS_KUBE_NAMESPACE_QUOTA'],
    properties: ['defaultTenantQuota'],
    default: '200',
    help: 'configurations that any other namespace may have',
    parse: wholeNumber(1, 1_000_000_000),
  },
  configSizeMax: {
    flag: 'config-size-max',
    value: 'BYTES',
    env: ['NACOS_KUBE_CONFIG_SIZE_MAX'],
    properties: ['defaultMaxSize'],
    default: '102400',
    help: 'size of one configuration while --enforce-capacity is on',
    parse: wholeNumber(1, 1_000_000_000),
  },
  aggregateCountMax: {
    flag: 'aggregate-count-max',
    value: 'COUNT',
    env: ['NACOS_KUBE_AGGREGATE_COUNT_MAX'],
    properties: ['defaultMaxAggrCount'],
    default: '10000',
    help: 'parts of an aggregate; shown, as no call writes parts',
    parse: wholeNumber(1, 1_000_000_000),
  },
  aggregateSizeMax: {
    flag: 'aggregate-size-max',
    value: 'BYTES',
    env: ['NACOS_KUBE_AGGREGATE_SIZE_MAX'],
    properties: ['defaultMaxAggrSize'],
    default: '1024',
    help: 'size of a part of an aggregate; shown, as no call writes parts',
    parse: wholeNumber(1, 1_000_000_000),
  },
  auth: {
    flag: 'auth',
    value: 'on|off',
    env: ['NACOS_AUTH_ENABLE'],
    properties: ['nacos.core.auth.enabled'],
    default: 'off',
    help: 'user accounts on the public port; only off until they are there, and a warning says so',
    parse: authOff,
  },
  ...LOG_SETTINGS,
} as const satisfies Readonly<Record<string, Setting<unknown>>>;

function contextPath(text: string): string {
  if (text === '/') return '';
  if (!/^(\/[\w.~-]+)+$/.test(text)) throw new Error('must be / or start with / and not end with it, e.g. /nacos');
  return text;
}

function accessLog(text: string): string | boolean {
  if (/^(true|yes|on|1|false|no|off|0)$/i.test(text)) return yesOrNo(text);
  return anyText(text);
}

function ipLiteral(text: string): string {
  if (!isIpLiteral(text)) throw new Error(`${JSON.stringify(text)} is no IP address`);
  return text;
}

function memberAddress(text: string): string {
  const address = parseMemberAddress(text);
  if (address === undefined) throw new Error(`${JSON.stringify(text)} is no host:port`);
  if (peerPort(splitMemberAddress(address).port) < 1) throw new Error(`${address} leaves no port for peers`);
  return address;
}

function authOff(text: string): 'off' {
  if (yesOrNo(text)) throw new Error('accounts are not there yet: leave it off and keep the port inside your network');
  return 'off';
}
