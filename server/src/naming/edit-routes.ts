import type { Host } from '@nacos-kube/core/host/host.ts';
import { json, jsonBytes, text } from '@nacos-kube/core/http/answers.ts';
import { OPEN, type Policy, type Route } from '@nacos-kube/core/http/route.ts';
import { decodeHealth, decodePatch } from '@nacos-kube/core/wire/naming.ts';
import { decodeMetadataBatch, encodeUpdated } from '@nacos-kube/core/wire/naming-batch.ts';
import { HEALTH_CHECKERS } from '@nacos-kube/core/wire/naming-cluster.ts';
import { statusServiceMissing } from '@nacos-kube/core/wire/naming-errors.ts';
import { declared, parseStatusKey } from '@nacos-kube/core/wire/naming-names.ts';
import { InstanceEdits } from './instance-edits.ts';
import type { Reads } from './reads.ts';
import type { NamingService } from './service.ts';

const READ: Policy = { kind: 'read', area: 'naming' };
const WRITE: Policy = { kind: 'write', area: 'naming' };
const OK = text('ok');

export interface EditRoutesOptions {
  readonly host: Host;
  readonly naming: NamingService;
  readonly reads: Reads;
  /** Of the public port. */
  readonly port: number;
}

/** Changes of single things of instances, and how they are (spec/naming.md 1.1, 1.4). */
export function editRoutes({ host, naming, reads, port }: EditRoutesOptions): Route[] {
  const edits = new InstanceEdits(host, naming);
  const batch = (method: 'PUT' | 'DELETE'): Route => ({
    ...{ method, path: '/v1/ns/instance/metadata/batch', policy: WRITE },
    async handler({ form }) {
      return jsonBytes(encodeUpdated(await edits.batch(decodeMetadataBatch(form), method === 'DELETE')));
    },
  });
  const health = (path: string): Route => ({
    ...{ method: 'PUT', path, policy: WRITE },
    async handler({ form }) {
      await edits.setHealth(decodeHealth(form));
      return OK;
    },
  });
  return [
    {
      method: 'PATCH',
      path: '/v1/ns/instance',
      policy: WRITE,
      async handler({ form }) {
        await edits.patch(decodePatch(form));
        return OK;
      },
    },
    batch('PUT'),
    batch('DELETE'),
    {
      method: 'GET',
      path: '/v1/ns/instance/statuses',
      policy: READ,
      handler({ form }) {
        const service = parseStatusKey(declared(form, 'key'));
        const view = reads.view(service);
        if (view === undefined) throw statusServiceMissing(service.name);
        return json({ ips: view.instances.map(({ ip, port, healthy }) => `${ip}:${port}_${healthy}`) });
      },
    },
    health('/v1/ns/health'),
    health('/v1/ns/health/instance'),
    {
      method: 'GET',
      path: '/v1/ns/health/server',
      policy: OPEN,
      handler() {
        const { serviceCount } = naming.registry;
        return json({
          msg: `Hello! I am Nacos-Naming and healthy! total services: raft ${serviceCount}, local port:${port}`,
        });
      },
    },
    { method: 'GET', path: '/v1/ns/health/checkers', policy: OPEN, handler: () => jsonBytes(HEALTH_CHECKERS) },
  ];
}
