import { json, text } from '@nacos-kube/core/http/answers.ts';
import { OPEN, type Route } from '@nacos-kube/core/http/route.ts';
import { VERSION } from '../version.ts';

export interface ConsoleOptions {
  readonly mode: 'standalone' | 'cluster';
  /** Why the node is not ready, by part; empty when it is. */
  readonly notReadyReasons: () => readonly string[];
  /** Why what is served may be older than the store, by part; undefined where it is not. */
  readonly staleReasons: () => readonly (string | undefined)[];
}

/** Health and state (spec/cluster.md 5). */
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
      handler() {
        const reasons = new Set(options.staleReasons().filter((reason) => reason !== undefined));
        const state = { version: VERSION, standalone_mode: options.mode, function_mode: null };
        return json(reasons.size === 0 ? state : { ...state, stale: [...reasons].join('; ') });
      },
    },
  ];
}
