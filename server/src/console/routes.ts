import { json, restResult, text } from '@nacos-kube/core/http/answers.ts';
import { OPEN, type Policy, type Route } from '@nacos-kube/core/http/route.ts';
import type { Namespace } from '@nacos-kube/core/model/namespace.ts';
import { VERSION } from '../version.ts';

const READ: Policy = { kind: 'read', area: 'namespaces' };

export interface ConsoleOptions {
  readonly mode: 'standalone' | 'cluster';
  /** Why the node is not ready, by part; empty when it is. */
  readonly notReadyReasons: () => readonly string[];
  /** Namespaces that were made; the public one is not among them. */
  readonly namespaces: () => Promise<readonly Namespace[]>;
  /** Configurations in a namespace; the empty text is the public one. */
  readonly countConfigs: (namespaceId: string) => Promise<number>;
}

/** Shown for every namespace; the reference never computes it. */
const QUOTA = 200;

/** Health, state and the list of namespaces (spec/cluster.md 5). */
export function consoleRoutes(options: ConsoleOptions): Route[] {
  return [
    { method: 'GET', path: '/v1/console/health/liveness', policy: OPEN, handler: () => text('OK') },
    {
      method: 'GET',
      path: '/v1/console/health/readiness',
      policy: OPEN,
      handler() {
        const reasons = options.notReadyReasons();
        return reasons.length === 0 ? text('OK') : text(`not ready: ${reasons.join('; ')}`, 500);
      },
    },
    {
      method: 'GET',
      path: '/v1/console/server/state',
      policy: OPEN,
      handler: () => json({ version: VERSION, standalone_mode: options.mode, function_mode: null }),
    },
    {
      method: 'GET',
      path: '/v1/console/namespaces',
      policy: READ,
      async handler() {
        const made = await options.namespaces();
        const rows = [
          {
            namespace: '',
            namespaceShowName: 'public',
            quota: QUOTA,
            configCount: await options.countConfigs(''),
            type: 0,
          },
        ];
        for (const { id, name } of made) {
          const configCount = await options.countConfigs(id);
          rows.push({ namespace: id, namespaceShowName: name, quota: QUOTA, configCount, type: 2 });
        }
        return restResult(rows);
      },
    },
  ];
}
