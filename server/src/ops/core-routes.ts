import { restResult } from '@nacos-kube/core/http/answers.ts';
import type { Policy, Route } from '@nacos-kube/core/http/route.ts';

const READ: Policy = { kind: 'read', area: 'operations' };

/** What is left of `/v1/core/ops` (spec/cluster.md 1.10): the stores number their rows, so no generator has a state. */
export function coreRoutes(): Route[] {
  return [{ method: 'GET', path: '/v1/core/ops/idInfo', policy: READ, handler: () => restResult({}) }];
}
