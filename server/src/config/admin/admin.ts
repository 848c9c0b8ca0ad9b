import type { Policy, Route } from '@nacos-kube/core/http/route.ts';
import type { ConfigAccess } from '../access.ts';
import { capacityKey } from '../capacity.ts';
import { capacityRoutes } from './capacity-routes.ts';
import { withAdminForms } from './forms.ts';
import { showHistory, showPrevious } from './history.ts';
import { listenerRoutes } from './listeners.ts';
import { operationRoutes } from './operations.ts';
import type { AdminPorts, AdminSurroundings } from './ports.ts';
import { showFacts } from './search.ts';

const READ: Policy = { kind: 'read', area: 'config' };

/** The routes of configuration with all that operators and the console ask, on the clients' path and on others. */
export function configAdminRoutes(
  { routes, access }: { readonly routes: readonly Route[]; readonly access: ConfigAccess },
  surroundings: AdminSurroundings,
): readonly Route[] {
  const { publisher, capacity } = access;
  const ports: AdminPorts = {
    ...surroundings,
    ...{ publisher, held: access, readAllAgain: () => access.readAllAgain() },
    capacity: {
      usage: (scope) => capacity.usage(scope),
      limits: (scope) => capacity.limits(scope),
      refresh: (scope) =>
        capacity.apply([{ revision: 0, removed: false, what: { kind: 'capacity', key: capacityKey(scope) } }]),
    },
  };
  return [...withAdminForms(routes, ports), ...adminRoutes(ports)];
}

function adminRoutes(ports: AdminPorts): Route[] {
  const { store } = ports;
  return [
    { method: 'GET', path: '/v1/cs/configs/catalog', policy: READ, handler: (call) => showFacts(store, call) },
    { method: 'GET', path: '/v1/cs/history', policy: READ, handler: (call) => showHistory(store, call) },
    { method: 'GET', path: '/v1/cs/history/previous', policy: READ, handler: (call) => showPrevious(store, call) },
    ...listenerRoutes(ports),
    ...capacityRoutes(ports),
    ...operationRoutes(ports),
  ];
}
