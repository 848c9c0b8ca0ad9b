import type { Host, HttpListener } from '@nacos-kube/core/host/host.ts';
import type { SecureRequests } from '@nacos-kube/core/host/secure.ts';
import { createPipeline } from '@nacos-kube/core/http/pipeline.ts';
import { ProtocolError } from '@nacos-kube/core/http/protocol-error.ts';
import { Lifecycle, type Part } from '@nacos-kube/core/lifecycle.ts';
import type { MysqlProbe } from '@nacos-kube/core/probe/mysql-check.ts';
import { DEFAULT_PARAMETERS } from '@nacos-kube/core/probe/parameters.ts';
import { ConfigMapListSource } from './member-list/config-map-source.ts';
import { FileListSource } from './member-list/file-source.ts';
import { MemberListKeeper } from './member-list/keeper.ts';
import { createMetrics } from './metrics/metrics.ts';
import { sidecarRoutes } from './metrics/routes.ts';
import { NodeCalls } from './node-calls.ts';
import { ProbeAgent } from './probe/agent.ts';
import type { SidecarSettings } from './settings/read.ts';
import { ensureToken } from './token.ts';

const REQUEST_BYTES_MAX = 1024;
const CONNECTIONS_PER_ADDRESS_MAX = 32;
const STOP_GRACE_MS = 1_000;

/** The whole sidecar. Its token is there before all else, for the node starts once /readyz says so. */
export function createSidecar(
  host: Host,
  secure: SecureRequests,
  settings: SidecarSettings,
  mysql?: MysqlProbe,
): Lifecycle {
  const lifecycle = new Lifecycle(host);
  let node: NodeCalls | undefined;
  const keeper = new MemberListKeeper(host, settings.memberList);
  const source = createSource(host, secure, settings, keeper);
  const metrics = createMetrics(() => ({
    member: settings.member ?? '',
    list: keeper,
    probe,
    apiFailures: () => (source instanceof ConfigMapListSource ? source.failures : 0),
  }));
  const callNode = (): NodeCalls => {
    if (node === undefined) throw new Error('the node is asked for before the token is there');
    return node;
  };
  const probe = new ProbeAgent(host, callNode, {
    connectTimeoutMs: settings.probeTimeoutMs,
    // At its default the switches decide, which can be changed while it runs.
    ...(settings.probeIntervalMs === DEFAULT_PARAMETERS.periods.TCP.max
      ? {}
      : { periodMaxMs: settings.probeIntervalMs }),
    mysql,
    // The node knows its peers; where the API server is, the sidecar alone knows (S9).
    forbidden: settings.source.kind === 'configmap' ? [settings.source.address] : [],
    onResult: (target, result) => metrics.onProbe(target, result),
  });

  lifecycle.add({
    name: 'token',
    async start() {
      node = new NodeCalls(host, settings.nodePort, await ensureToken(host, settings.tokenFile));
    },
  });
  lifecycle.add({
    name: 'member list',
    async start() {
      await keeper.start();
      source.start();
    },
    async stop() {
      await source.stop();
      keeper.stop();
    },
  });
  lifecycle.add(
    httpPart(
      host,
      settings,
      sidecarRoutes(metrics.registry, () => keeper.generation !== undefined),
    ),
  );
  lifecycle.add(probe);
  return lifecycle;
}

function createSource(host: Host, secure: SecureRequests, { source }: SidecarSettings, keeper: MemberListKeeper) {
  if (source.kind === 'file') return new FileListSource(host, source.file, (text) => keeper.offer(text, source.file));
  return new ConfigMapListSource(host, secure, source, (text, from) => keeper.offer(text, from));
}

function httpPart(host: Host, settings: SidecarSettings, routes: ReturnType<typeof sidecarRoutes>): Part {
  let listener: HttpListener | undefined;
  const handler = createPipeline({
    contextPath: '',
    routes,
    authorize({ kind }) {
      if (kind !== 'open') throw new ProtocolError(403, 'not on this port');
    },
    clientIp: ({ remote }) => remote.address,
    answerFailure: () => undefined,
    log: host.log.area('http'),
  });
  const at = {
    address: settings.listen,
    port: settings.metricsPort,
    bodyBytesMax: REQUEST_BYTES_MAX,
    connectionsPerAddressMax: CONNECTIONS_PER_ADDRESS_MAX,
  };
  return {
    name: 'metrics and health',
    async start() {
      listener = await host.network.serve(at, handler);
    },
    stop: () => listener?.stop(STOP_GRACE_MS),
  };
}
