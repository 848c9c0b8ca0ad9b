import type { HttpResponse } from '@nacos-kube/core/host/host.ts';
import { json, restResult } from '@nacos-kube/core/http/answers.ts';
import type { Call, Form, Route } from '@nacos-kube/core/http/route.ts';
import { wholeNumber } from '@nacos-kube/core/wire/config-admin.ts';
import { checkLength, GROUP_LENGTH_MAX, isBlank } from '@nacos-kube/core/wire/config-check.ts';
import { configError } from '@nacos-kube/core/wire/config-errors.ts';
import { capacityRecord, parseCapacity } from '../../store/bounds.ts';
import { type CapacityLimits, type Store, StoreError } from '../../store/store.ts';
import { type CapacityScope, capacityKey } from '../capacity.ts';
import type { AdminPorts } from './ports.ts';

const PATH = '/v1/cs/capacity';
const LIMITS = ['quota', 'maxSize', 'maxAggrCount', 'maxAggrSize'] as const satisfies readonly (keyof CapacityLimits)[];
const NO_LIMITS: CapacityLimits = { quota: 0, maxSize: 0, maxAggrCount: 0, maxAggrSize: 0 };
const NOBODY = 'The parameter group and tenant cannot be empty at the same time';
const NOTHING = 'The parameters quota, maxSize, maxAggrCount, maxAggrSize cannot be empty at the same time';

/** How many configurations a group or a namespace has and may have (spec/config.md 1.5, 10). */
export function capacityRoutes(ports: AdminPorts): Route[] {
  return [
    {
      method: 'GET',
      path: PATH,
      policy: { kind: 'read', area: 'config' },
      handler: ({ form }) => showCapacity(ports, form),
    },
    {
      method: 'POST',
      path: PATH,
      policy: { kind: 'write', area: 'config' },
      handler: (call) => setLimits(ports, call),
    },
  ];
}

/** Nothing is stored by asking: a scope without limits of its own has those of the settings. */
function showCapacity({ capacity }: AdminPorts, form: Form): HttpResponse {
  const group = form.get('group');
  const tenant = form.get('tenant');
  if (group === undefined && tenant === undefined) return refused(null, NOBODY);
  if (group === undefined && isBlank(tenant)) return refused(null, 'tenant cannot be an empty string');
  const scope: CapacityScope =
    group === undefined ? { kind: 'tenant', name: tenant ?? '' } : { kind: 'group', name: group };
  checkScope(scope);
  const { quota, maxSize, maxAggrCount, maxAggrSize } = capacity.limits(scope);
  return restResult({
    ...{ id: null, quota, usage: capacity.usage(scope), maxSize, maxAggrCount, maxAggrSize },
    ...{ gmtCreate: null, gmtModified: null, [scope.kind]: scope.name },
  });
}

/** Limits that are not given stay as they are; 0 brings back what the settings say. */
async function setLimits({ store, capacity, hinted }: AdminPorts, { form }: Call): Promise<HttpResponse> {
  const group = form.get('group');
  const tenant = form.get('tenant');
  if (isBlank(group) && isBlank(tenant)) return refused(false, NOBODY);
  const given = decodeLimits(form);
  if (given === undefined) return refused(false, NOTHING);
  const scope: CapacityScope =
    tenant === undefined ? { kind: 'group', name: group ?? '' } : { kind: 'tenant', name: tenant };
  if (isBlank(scope.name)) return refused(false, `parameter ${scope.kind} is empty.`);
  checkScope(scope);
  await store.putRecord(capacityRecord(scope, { ...(await storedLimits(store, scope)), ...given }));
  await capacity.refresh(scope);
  hinted();
  return restResult(
    true,
    `successfully updated the capacity information configuration of ${scope.kind} to ${scope.name}`,
  );
}

/** What cannot be read counts as not set, so that it can be put right by setting it. */
async function storedLimits(store: Store, scope: CapacityScope): Promise<CapacityLimits> {
  const record = await store.getRecord('capacity', capacityKey(scope));
  if (record === undefined) return NO_LIMITS;
  try {
    return parseCapacity(record).limits;
  } catch (error) {
    if (error instanceof StoreError && error.kind === 'invalid') return NO_LIMITS;
    throw error;
  }
}

function decodeLimits(form: Form): Partial<CapacityLimits> | undefined {
  const given = LIMITS.flatMap((name) => {
    const text = form.get(name) ?? '';
    if (isBlank(text)) return [];
    const limit = wholeNumber(text);
    if (limit < 0) throw configError(400, `${name} must not be below 0`);
    return [[name, limit] as const];
  });
  return given.length === 0 ? undefined : Object.fromEntries(given);
}

function checkScope({ kind, name }: CapacityScope): void {
  checkLength(kind, name, GROUP_LENGTH_MAX);
}

function refused(data: null | false, message: string): HttpResponse {
  return json({ code: 400, message, data }, 400);
}
