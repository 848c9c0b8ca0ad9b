import { json, jsonBytes, text } from '@nacos-kube/core/http/answers.ts';
import { badRequest } from '@nacos-kube/core/http/protocol-error.ts';
import { OPEN, type Policy, type Route } from '@nacos-kube/core/http/route.ts';
import { type ServiceKey, serviceKey } from '@nacos-kube/core/model/names.ts';
import type { Switches } from '@nacos-kube/core/model/switches.ts';
import { decodeDeclaredService } from '@nacos-kube/core/wire/naming-names.ts';
import { encodeSwitches } from '@nacos-kube/core/wire/switches.ts';
import type { SharedSwitches } from '../switches/shared.ts';
import { declared, declaredBoolean } from './parameters.ts';
import type { PushState } from './push-state.ts';

const READ: Policy = { kind: 'read', area: 'operations' };
const WRITE: Policy = { kind: 'write', area: 'operations' };
const PREFIXES = ['/v1/ns/operator', '/v1/ns/ops'];

export interface OperatorOptions {
  readonly switches: Switches;
  readonly shared: SharedSwitches;
  readonly pushState: PushState;
  readonly status: () => object;
  /** Undefined when there is no such service. */
  readonly ownerOf: (service: ServiceKey) => string | undefined;
  /** The members in the form of the reference. */
  readonly members: () => readonly { readonly state: string }[];
}

/** What operators ask and switch (spec/naming.md 1.5), under either name. */
export function operatorRoutes(options: OperatorOptions): Route[] {
  return PREFIXES.flatMap((prefix) =>
    routes(options).map((route): Route => ({ ...route, path: `${prefix}${route.path}` })),
  );
}

function routes({ switches, shared, pushState, status, ownerOf, members }: OperatorOptions): Route[] {
  return [
    // Open as in the reference: clients ask it before they have logged in, and it gives counts alone.
    { method: 'GET', path: '/metrics', policy: OPEN, handler: () => json(status()) },
    {
      method: 'GET',
      path: '/switches',
      policy: READ,
      handler: () => jsonBytes(encodeSwitches(switches.current)),
    },
    {
      method: 'PUT',
      path: '/switches',
      policy: WRITE,
      async handler({ form }) {
        const [entry, value] = [declared(form, 'entry'), declared(form, 'value')];
        if (declaredBoolean(form, 'debug')) shared.changeHere(entry, value);
        else await shared.change(entry, value);
        return text('ok');
      },
    },
    {
      method: 'GET',
      path: '/push/state',
      policy: READ,
      handler: ({ form }) =>
        json(pushState.describe({ detail: declaredBoolean(form, 'detail'), reset: declaredBoolean(form, 'reset') })),
    },
    {
      method: 'GET',
      path: '/distro/server',
      policy: READ,
      handler({ form }) {
        const owner = ownerOf(serviceKey(decodeDeclaredService(form)));
        if (owner === undefined) throw badRequest('service not found');
        return json({ responsibleServer: owner });
      },
    },
    {
      method: 'GET',
      path: '/distro/status',
      policy: READ,
      handler: ({ form }) => json((form.get('action')?.trim() || 'view') === 'view' ? { status: members() } : {}),
    },
    {
      method: 'GET',
      path: '/servers',
      policy: READ,
      handler({ form }) {
        const isHealthyOnly = declaredBoolean(form, 'healthy');
        return json({ servers: members().filter(({ state }) => !isHealthyOnly || state === 'UP') });
      },
    },
  ];
}
