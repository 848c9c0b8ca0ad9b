import { text } from '@nacos-kube/core/http/answers.ts';
import { OPEN, type Route } from '@nacos-kube/core/http/route.ts';
import type { Registry } from 'prom-client';

/** What kubelet and Prometheus ask. `isListWritten` lets the node start. */
export function sidecarRoutes(registry: Registry, isListWritten: () => boolean): Route[] {
  return [
    {
      method: 'GET',
      path: '/metrics',
      policy: OPEN,
      async handler() {
        return { status: 200, headers: { 'content-type': registry.contentType }, body: await registry.metrics() };
      },
    },
    { method: 'GET', path: '/healthz', policy: OPEN, handler: () => text('ok') },
    {
      method: 'GET',
      path: '/readyz',
      policy: OPEN,
      handler: () => (isListWritten() ? text('ok') : text('no member list has been written yet', 503)),
    },
  ];
}
