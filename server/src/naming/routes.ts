import type { HttpResponse } from '@nacos-kube/core/host/host.ts';
import { json, jsonBytes, text } from '@nacos-kube/core/http/answers.ts';
import { ProtocolError } from '@nacos-kube/core/http/protocol-error.ts';
import { decodedOnce } from '@nacos-kube/core/http/repeated-forms.ts';
import type { Call, Form, Policy, Route } from '@nacos-kube/core/http/route.ts';
import { instanceKey } from '@nacos-kube/core/model/instance.ts';
import { serviceKey } from '@nacos-kube/core/model/names.ts';
import type { Switches, SwitchValues } from '@nacos-kube/core/model/switches.ts';
import {
  decodeDeregister,
  decodeInstanceRequest,
  decodeRegister,
  decodeUpdate,
  encodeInstance,
} from '@nacos-kube/core/wire/naming.ts';
import { agentOf } from '@nacos-kube/core/wire/naming-agent.ts';
import { decodeBeat, encodeBeatAnswer, encodeUnknownBeat } from '@nacos-kube/core/wire/naming-beat.ts';
import { noInstancesInCluster, noMatchedInstance, noService } from '@nacos-kube/core/wire/naming-errors.ts';
import { decodeList, encodeShortList, type ListRequest } from '@nacos-kube/core/wire/naming-list.ts';
import { answerList, askedInstances } from './list.ts';
import type { OperationResult } from './operation.ts';
import type { NamingService } from './service.ts';

const READ: Policy = { kind: 'read', area: 'naming' };
const WRITE: Policy = { kind: 'write', area: 'naming' };
const OK = text('ok');

export interface NamingRoutesOptions {
  readonly naming: NamingService;
  /** Wall clock, ms. */
  readonly now: () => number;
  readonly switches: Switches;
  /** Signs the caller up for pushes; false when it cannot be pushed to and has to poll more often. */
  readonly subscribe: (request: ListRequest, call: Call) => boolean;
  /** False while this node has not yet heard from its peers what is registered. */
  readonly isLoaded: () => boolean;
  /** False while the persistent instances were never read from the store. */
  readonly knowsPersistent: () => boolean;
}

export function namingRoutes(options: NamingRoutesOptions): Route[] {
  const { naming, now, switches, subscribe, isLoaded, knowsPersistent } = options;
  // An empty list takes a client's traffic away, an error sends it to the next node (F6). Writes are always taken.
  const refuse = () => {
    throw new ProtocolError(503, 'server is STARTINGnow, please try again later!');
  };
  const refuseUnlessLoaded = () => {
    if (!isLoaded()) refuse();
  };
  return [
    {
      method: 'POST',
      path: '/v1/ns/instance',
      policy: WRITE,
      handler({ form }) {
        const { service, instance } = decodeRegister(form, switches.current.defaultInstanceEphemeral);
        const registered = naming.register(service, instance);
        return registered === undefined ? OK : registered.then(() => OK);
      },
    },
    {
      method: 'DELETE',
      path: '/v1/ns/instance',
      policy: WRITE,
      async handler({ form }) {
        await naming.deregister(decodeDeregister(form, switches.current.defaultInstanceEphemeral));
        return OK;
      },
    },
    {
      method: 'PUT',
      path: '/v1/ns/instance',
      policy: WRITE,
      async handler({ form, request }) {
        await naming.update(decodeUpdate(form, agentOf(request.headers), switches.current.defaultInstanceEphemeral));
        return OK;
      },
    },
    {
      method: 'GET',
      path: '/v1/ns/instance',
      policy: READ,
      handler({ form }) {
        refuseUnlessLoaded();
        return getInstance(naming, form);
      },
    },
    {
      method: 'GET',
      path: '/v1/ns/instance/list',
      policy: READ,
      isRepeated: true,
      handler(call) {
        const request = decodedOnce(call, decodeList);
        refuseUnlessLoaded();
        const { defaultPushCacheMillis, defaultCacheMillis } = switches.current;
        const isPushedTo = request.udpPort > 0 && subscribe(request, call);
        const cacheMs = isPushedTo ? defaultPushCacheMillis : defaultCacheMillis;
        const { service, clusters, clusterNames, healthyOnly, isCheck, env } = request;
        const view = naming.registry.view(serviceKey(service));
        // Started without its store: a service that seems to have nothing may have persistent instances.
        if ((view?.instances.length ?? 0) === 0 && !knowsPersistent()) refuse();
        if (view === undefined) return jsonBytes(encodeShortList(service.name, clusters, cacheMs));
        const select = naming.selections.of(view, request.clientIp);
        // Who only checks is told nothing of those that there are.
        if (isCheck && askedInstances(view.instances, clusterNames, select).length > 0) return json({});
        const question = { clusterNames, healthyOnly, agent: agentOf(call.request.headers), select };
        return answerList(view, question, { cacheMs, nowMs: now(), clusters, env });
      },
    },
    {
      method: 'PUT',
      path: '/v1/ns/instance/beat',
      policy: WRITE,
      isRepeated: true,
      handler(call) {
        const { request, service, key } = decodedOnce(call, keyedBeat);
        const result = naming.beat(request, service, key);
        if (!(result instanceof Promise)) return beatAnswer(result, switches.current);
        return result.then((later) => beatAnswer(later, switches.current));
      },
    },
  ];
}

/** With the keys that it is looked up by, so that they are put together once as well. */
function keyedBeat(form: Form) {
  const request = decodeBeat(form);
  return { request, service: serviceKey(request.service), key: instanceKey(request) };
}

function beatAnswer(result: OperationResult, { clientBeatInterval, lightBeatEnabled }: SwitchValues): HttpResponse {
  if (result.outcome === 'unknown') return jsonBytes(encodeUnknownBeat(clientBeatInterval));
  return jsonBytes(encodeBeatAnswer(result.beatIntervalMs, lightBeatEnabled));
}

function getInstance(naming: NamingService, form: Form): HttpResponse {
  const { service, ...address } = decodeInstanceRequest(form);
  const view = naming.registry.view(serviceKey(service));
  if (view === undefined) throw noService(service.name);
  const ofCluster = view.instances.filter((instance) => instance.cluster === address.cluster);
  if (ofCluster.length === 0) throw noInstancesInCluster(address.cluster, service.name);
  const found = ofCluster.find((instance) => instanceKey(instance) === instanceKey(address));
  if (found === undefined) throw noMatchedInstance();
  return jsonBytes(encodeInstance(service.name, found));
}
