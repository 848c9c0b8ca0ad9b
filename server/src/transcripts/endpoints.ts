/** Every endpoint and parameter that the reference's 1.4 server has, by the place in its specification. */
export interface Endpoint {
  readonly spec: string;
  readonly calls: readonly string[];
  /** Names of form parameters; `header:` and `body:` mark what travels elsewhere. */
  readonly parameters: readonly string[];
  /** Why it is not served. */
  readonly refused?: string;
  /** A test that shows it, where a transcript would say too little or change too often. */
  readonly shownIn?: string;
  /** Parameters that no transcript can show, with the test that does. */
  readonly elsewhere?: Readonly<Record<string, string>>;
}

const PEERS = 'members talk on the peer port, signed with the cluster key';
const NO_RAFT = 'no consensus of our own: the engine of the store has that';
const NO_DERBY = 'SQL by HTTP (CVE-2021-29442); there is no Derby here';
const NO_CMDB = 'there is no CMDB: labels are metadata, see docs/protocol/naming-services.md';
const ACCOUNTS = 'there are no accounts yet; NACOS_AUTH_ENABLE=true is refused at the start';

const INSTANCE = ['serviceName', 'groupName', 'namespaceId', 'ip', 'port', 'clusterName', 'cluster'];
const INSTANCE_DATA = ['weight', 'enabled', 'enable', 'healthy', 'ephemeral', 'metadata', 'app'];
const LIST = 'namespaceId clusters clientIP udpPort env isCheck app tid healthyOnly'.split(' ');
const BEAT = 'namespaceId beat clusterName ip port'.split(' ');

export const ENDPOINTS: readonly Endpoint[] = [
  naming('1.1', ['POST /instance', 'PUT /instance'], [...INSTANCE, ...INSTANCE_DATA, 'encoding']),
  naming('1.1', ['DELETE /instance'], [...INSTANCE, 'ephemeral']),
  naming(
    '1.1',
    ['PATCH /instance'],
    [
      ...['serviceName', 'namespaceId', 'ip', 'port', 'clusterName', 'cluster'],
      ...['metadata', 'app', 'weight', 'healthy', 'enabled'],
    ],
  ),
  naming('1.1', ['GET /instance'], ['serviceName', 'groupName', 'namespaceId', 'ip', 'port', 'clusterName']),
  naming('2', ['GET /instance/list'], ['serviceName', 'groupName', ...LIST]),
  naming('3', ['PUT /instance/beat'], ['serviceName', 'groupName', ...BEAT]),
  naming(
    '1.1',
    ['PUT /instance/metadata/batch', 'DELETE /instance/metadata/batch'],
    [...['serviceName', 'namespaceId', 'metadata', 'consistencyType', 'instances']],
  ),
  naming('1.1, 8', ['GET /instance/statuses'], ['key']),

  naming(
    '1.2',
    ['POST /service', 'PUT /service'],
    [...['serviceName', 'groupName', 'namespaceId', 'protectThreshold', 'metadata', 'selector']],
  ),
  naming('1.2', ['DELETE /service', 'GET /service'], ['serviceName', 'groupName', 'namespaceId']),
  naming('1.2', ['GET /service/list'], ['pageNo', 'pageSize', 'namespaceId', 'groupName', 'selector']),
  naming('1.2', ['GET /service/names'], ['namespaceId', 'expr', 'responsibleOnly']),
  naming('1.2', ['GET /service/subscribers'], ['serviceName', 'namespaceId', 'pageNo', 'pageSize', 'aggregation']),
  naming('1.2', ['PUT /service/checksum'], ['serviceName', 'namespaceId']),
  naming('1.2, 8', ['POST /service/status'], ['body:statuses', 'body:clientIP'], PEERS),

  naming('1.3', ['GET /catalog/service'], ['serviceName', 'namespaceId']),
  naming('1.3', ['GET /catalog/instances'], ['serviceName', 'namespaceId', 'clusterName', 'pageNo', 'pageSize']),
  naming(
    '1.3',
    ['GET /catalog/services'],
    [
      ...['namespaceId', 'pageNo', 'pageSize', 'serviceNameParam', 'groupNameParam'],
      ...['instance', 'hasIpCount', 'withInstances'],
    ],
  ),
  naming('1.3', ['GET /catalog/rt/service'], ['serviceName', 'namespaceId']),

  naming('1.4', ['GET /health/server'], []),
  naming(
    '1.4',
    ['PUT /health', 'PUT /health/instance'],
    [...['serviceName', 'namespaceId', 'ip', 'port', 'clusterName', 'healthy', 'valid']],
  ),
  naming('1.4', ['GET /health/checkers'], []),
  naming(
    '1.4',
    ['PUT /cluster'],
    [
      ...[
        'serviceName',
        'namespaceId',
        'clusterName',
        'checkPort',
        'useInstancePort4Check',
        'healthChecker',
        'metadata',
      ],
    ],
  ),

  ...['/operator', '/ops'].flatMap((base) => [
    naming('1.5', [`GET ${base}/metrics`, `GET ${base}/switches`], []),
    naming('1.5, 10', [`PUT ${base}/switches`], ['entry', 'value', 'debug']),
    naming('1.5', [`GET ${base}/push/state`], ['detail', 'reset']),
    naming('1.5', [`GET ${base}/distro/server`], ['serviceName', 'namespaceId']),
    naming('1.5', [`GET ${base}/distro/status`], ['action']),
    naming('1.5', [`GET ${base}/servers`], ['healthy']),
    naming('1.5', [`GET ${base}/cluster/state`], [], NO_RAFT),
    naming('1.5', [`GET ${base}/server/status`], ['serverStatus'], PEERS),
    naming('1.5', [`PUT ${base}/log`], ['logName', 'logLevel']),
  ]),

  naming('1.6, 7', ['PUT /distro/datum', 'GET /distro/datum', 'GET /distro/datums', 'PUT /distro/checksum'], [], PEERS),
  naming('1.6', ['POST /raft/vote', 'POST /raft/beat', 'POST /raft/datum', 'DELETE /raft/datum'], [], NO_RAFT),
  naming('1.6', ['GET /raft/datum', 'POST /raft/datum/commit', 'DELETE /raft/datum/commit'], [], NO_RAFT),
  naming('1.6', ['PUT /raft/datum/reload', 'GET /raft/peer', 'GET /raft/state'], [], NO_RAFT),
  naming('1.6', ['GET /raft/leader', 'GET /raft/listeners'], [], NO_RAFT),
  naming('1.6', ['GET /api/allDomNames'], ['responsibleOnly']),
  naming('1.6', ['GET /api/srvIPXT'], ['dom', ...LIST]),
  naming('1.6', ['GET /api/clientBeat'], ['dom', ...BEAT]),
  naming('1.6', ['POST /api', 'PUT /api', 'DELETE /api', 'GET /api'], [...['serviceName', 'ip', 'port']]),
  naming('1.6', ['PATCH /api', 'GET /api/list', 'PUT /api/beat'], ['serviceName']),
  naming('1.6', ['PUT /api/metadata/batch', 'DELETE /api/metadata/batch'], ['serviceName']),
  naming('1.6', ['GET /api/statuses'], ['key']),

  config(
    '1.2',
    ['POST /configs'],
    [
      ...['dataId', 'group', 'content', 'tenant', 'tag', 'appName', 'src_user', 'config_tags'],
      ...['desc', 'use', 'effect', 'type', 'schema', 'header:betaIps'],
    ],
  ),
  config('1.2, 3', ['GET /configs'], ['dataId', 'group', 'tenant', 'tag', 'header:Vipserver-Tag']),
  config('1.2', ['GET /configs?show=all'], ['dataId', 'group', 'tenant', 'show']),
  config(
    '1.2',
    ['GET /configs?search=accurate', 'GET /configs?search=blur'],
    [...['search', 'dataId', 'group', 'pageNo', 'pageSize', 'tenant', 'appName', 'config_tags']],
  ),
  config('1.2', ['GET /configs?beta=true', 'DELETE /configs?beta=true'], ['beta', 'dataId', 'group', 'tenant']),
  config(
    '1.2, 1.3',
    ['GET /configs?export=true', 'GET /configs?exportV2=true'],
    [...['ids', 'dataId', 'group', 'tenant', 'appName']],
  ),
  config('1.2', ['DELETE /configs'], ['dataId', 'group', 'tenant', 'tag']),
  config('1.2', ['DELETE /configs?delType=ids'], ['delType', 'ids']),
  config('1.2, 1.4', ['POST /configs?import=true'], ['import', 'namespace', 'policy', 'src_user', 'body:file']),
  config('1.2, 1.4', ['POST /configs?clone=true'], ['clone', 'tenant', 'policy', 'src_user', 'body:items']),
  config('1.2', ['GET /configs/catalog'], ['dataId', 'group', 'tenant']),
  config(
    '2',
    ['POST /configs/listener'],
    [
      ...['Listening-Configs', 'header:Long-Pulling-Timeout', 'header:Long-Pulling-Timeout-No-Hangup'],
      ...['header:Vipserver-Tag', 'header:Client-Version', 'header:Client-AppName'],
    ],
  ),
  config('1.2, 1.5', ['GET /configs/listener'], ['dataId', 'group', 'tenant', 'sampleTime']),
  config('1.5', ['GET /listener'], ['ip', 'all', 'tenant', 'sampleTime']),
  config('1.5', ['GET /communication/configWatchers'], ['dataId', 'group', 'tenant']),
  config('1.5', ['GET /communication/watcherConfigs'], ['ip']),
  config('1.5, 6', ['GET /communication/dataChange'], ['dataId', 'group', 'tenant', 'tag', 'header:lastModified']),
  config(
    '1.5',
    ['GET /history?search=accurate'],
    [...['search', 'dataId', 'group', 'tenant', 'appName', 'pageNo', 'pageSize']],
  ),
  config('1.5', ['GET /history'], ['nid', 'dataId', 'group', 'tenant']),
  config('1.5', ['GET /history/previous'], ['id', 'dataId', 'group', 'tenant']),
  config('1.5, 10', ['GET /capacity'], ['group', 'tenant']),
  config('1.5, 10', ['POST /capacity'], ['group', 'tenant', 'quota', 'maxSize', 'maxAggrCount', 'maxAggrSize']),
  config('1.5', ['GET /health', 'POST /ops/localCache'], []),
  config('1.5', ['PUT /ops/log'], ['logName', 'logLevel']),
  config('1.5', ['GET /ops/derby', 'POST /ops/data/removal'], [], NO_DERBY),

  cluster('5', ['GET /v1/console/namespaces'], []),
  cluster('5', ['GET /v1/console/namespaces?show=all'], ['show', 'namespaceId']),
  cluster(
    '5',
    ['GET /v1/console/namespaces?checkNamespaceIdExist=true'],
    ['checkNamespaceIdExist', 'customNamespaceId'],
  ),
  cluster('5', ['POST /v1/console/namespaces'], ['customNamespaceId', 'namespaceName', 'namespaceDesc']),
  cluster('5', ['PUT /v1/console/namespaces'], ['namespace', 'namespaceShowName', 'namespaceDesc']),
  cluster('5', ['DELETE /v1/console/namespaces'], ['namespaceId']),
  cluster('5', ['GET /v1/console/health/liveness', 'GET /v1/console/health/readiness'], []),
  cluster('5', ['GET /v1/console/server/state'], []),
  { ...cluster('7', ['GET /actuator/prometheus'], []), shownIn: 'server/src/metrics/page.test.ts' },
  cluster('1.9', ['GET /v1/core/cluster/self', 'GET /v1/core/cluster/simple/nodes', 'GET /v1/core/cluster/health'], []),
  cluster('1.9', ['GET /v1/core/cluster/nodes'], ['keyword']),
  cluster('1.9', ['POST /v1/core/cluster/switch/lookup'], ['type']),
  cluster('1.9', ['POST /v1/core/cluster/report', 'POST /v1/core/cluster/server/leave'], [], PEERS),
  cluster('1.10, 2', ['POST /v1/core/ops/raft'], [], NO_RAFT),
  cluster('1.10', ['GET /v1/core/ops/idInfo'], []),
  cluster('1.10', ['PUT /v1/core/ops/log'], ['logName', 'logLevel']),
  { spec: 'none', calls: ['GET /v1/cmdb/ops/label'], parameters: ['entry', 'label'], refused: NO_CMDB },
  cluster('4.1', ['POST /v1/auth/login', 'POST /v1/auth/users/login'], ['username', 'password'], ACCOUNTS),
  cluster(
    '4.3',
    ['GET /v1/auth/users', 'POST /v1/auth/users', 'PUT /v1/auth/users', 'DELETE /v1/auth/users'],
    [],
    ACCOUNTS,
  ),
  cluster('4.3', ['GET /v1/auth/users/search', 'GET /v1/auth/roles', 'POST /v1/auth/roles'], [], ACCOUNTS),
  cluster('4.3', ['DELETE /v1/auth/roles', 'GET /v1/auth/roles/search', 'GET /v1/auth/permissions'], [], ACCOUNTS),
  cluster('4.3', ['PUT /v1/auth/users/password'], ['oldPassword', 'newPassword'], ACCOUNTS),
  cluster('4.3', ['POST /v1/auth/permissions', 'DELETE /v1/auth/permissions'], [], ACCOUNTS),
];

function naming(section: string, calls: readonly string[], parameters: readonly string[], refused?: string): Endpoint {
  return endpoint(
    `naming ${section}`,
    calls.map((call) => call.replace(' ', ' /v1/ns')),
    parameters,
    refused,
  );
}

function config(section: string, calls: readonly string[], parameters: readonly string[], refused?: string): Endpoint {
  return endpoint(
    `config ${section}`,
    calls.map((call) => call.replace(' ', ' /v1/cs')),
    parameters,
    refused,
  );
}

function cluster(section: string, calls: readonly string[], parameters: readonly string[], refused?: string): Endpoint {
  return endpoint(`cluster ${section}`, calls, parameters, refused);
}

function endpoint(spec: string, calls: readonly string[], parameters: readonly string[], refused?: string): Endpoint {
  return { spec, calls, parameters, ...(refused === undefined ? {} : { refused }) };
}
