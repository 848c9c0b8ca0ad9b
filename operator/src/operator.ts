import type { Host, HttpListener, HttpRequest, HttpResponse } from '@nacos-kube/core/host/host.ts';
import { json, text } from '@nacos-kube/core/http/answers.ts';
import { Lifecycle } from '@nacos-kube/core/lifecycle.ts';
import type { ControllerSettings } from './controller.ts';
import { Controller } from './controller.ts';
import { GROUP } from './generated/nacos-cluster.ts';
import type { KubeApi } from './kube/api.ts';
import { EventRecorder } from './kube/events.ts';
import { LeaseElection } from './kube/lease.ts';
import { createMetrics } from './metrics.ts';

export interface OperatorOptions extends ControllerSettings {
  readonly identity: string;
  readonly listen: string;
  readonly metricsPort: number;
  /** Undefined: this is the only operator. */
  readonly lease:
    | {
        readonly kubeNamespace: string;
        readonly name: string;
        readonly leaseMs: number;
        readonly renewDeadlineMs: number;
        readonly retryMs: number;
      }
    | undefined;
  /** The lease was lost while acting: the process must end, for what is under way can't be called back. */
  readonly onLost: () => void;
}

const HTTP_GRACE_MS = 1_000;

/** Connects the parts: probes and metrics always, the controller only while this operator leads. */
export function createOperator(host: Host, api: KubeApi, options: OperatorOptions): Lifecycle {
  const lifecycle = new Lifecycle(host);
  const events = new EventRecorder(host, api, `${GROUP}/operator`, options.identity);
  let controller: Controller | undefined;
  const lead = () => {
    controller = new Controller(host, api, events, options, (queue, turn) => metrics.onTurn(queue, turn));
    controller.start();
  };
  const election = options.lease
    ? new LeaseElection(host, api, {
        ...options.lease,
        identity: `${options.identity}_${host.random.uuid()}`,
        onElected: lead,
        onLost: options.onLost,
      })
    : undefined;
  const metrics = createMetrics({
    depth: (queue) => controller?.depth(queue) ?? 0,
    isLeader: () => controller !== undefined && (election?.isHolder ?? true),
    hasSynced: () => controller?.hasSynced ?? false,
    clusters: () => controller?.clusters ?? 0,
    registered: () => controller?.registered ?? 0,
  });

  let listener: HttpListener | undefined;
  lifecycle.add({
    name: 'probes and metrics',
    async start() {
      const { listen, metricsPort } = options;
      listener = await host.network.serve({ address: listen, port: metricsPort, bodyBytesMax: 1024 }, answer);
      host.log.info(`metrics and probes on ${listen}:${listener.port}`);
    },
    stop: () => listener?.stop(HTTP_GRACE_MS),
  });
  lifecycle.add({
    name: 'lease',
    start: () => (election ? election.start() : undefined),
    stop: () => election?.stop(),
  });
  lifecycle.add({
    name: 'controller',
    start: () => (election ? undefined : lead()),
    // One that waits for its turn is ready too: it is there when it is needed.
    notReadyReason: () => (controller && !controller.hasSynced ? 'not everything is listed yet' : undefined),
    stop: () => controller?.stop(),
  });
  return lifecycle;

  async function answer(request: HttpRequest): Promise<HttpResponse> {
    if (request.method !== 'GET') return text('only GET', 405);
    switch (request.path) {
      case '/healthz':
        return text('ok');
      case '/readyz': {
        const reasons = lifecycle.notReadyReasons();
        return reasons.length === 0 ? text('ok') : json({ notReady: reasons }, 503);
      }
      case '/metrics':
        return {
          status: 200,
          headers: { 'content-type': metrics.registry.contentType },
          body: await metrics.registry.metrics(),
        };
      default:
        return text('not found', 404);
    }
  }
}
