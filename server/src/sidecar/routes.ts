import { json } from '@nacos-kube/core/http/answers.ts';
import { badRequest } from '@nacos-kube/core/http/protocol-error.ts';
import type { Policy, Route } from '@nacos-kube/core/http/route.ts';
import type { ProbeVerdict } from '@nacos-kube/core/probe/machine.ts';
import {
  SIDECAR_DRAIN_PATH,
  SIDECAR_LEASE_PATH,
  SIDECAR_VERDICTS_PATH,
  type SidecarLease,
  VERDICTS_PER_CALL_MAX,
} from '@nacos-kube/core/wire/sidecar.ts';

const SIDECAR: Policy = { kind: 'sidecar' };

export interface SidecarDoor {
  lease(): SidecarLease;
  take(verdicts: readonly ProbeVerdict[]): number;
  /** Resolves when the node has handed over what it owned; it stays up, unready, until it is stopped. */
  drain(): Promise<void>;
}

/** What the sidecar of this node may ask, on the peer port, from loopback. */
export function sidecarRoutes(door: SidecarDoor): Route[] {
  return [
    { method: 'POST', path: SIDECAR_LEASE_PATH, policy: SIDECAR, handler: () => json(door.lease()) },
    {
      method: 'POST',
      path: SIDECAR_VERDICTS_PATH,
      policy: SIDECAR,
      handler: ({ request }) => json({ taken: door.take(decodeVerdicts(request.body)) }),
    },
    {
      method: 'POST',
      path: SIDECAR_DRAIN_PATH,
      policy: SIDECAR,
      async handler() {
        await door.drain();
        return json({ drained: true });
      },
    },
  ];
}

function decodeVerdicts(body: Uint8Array): ProbeVerdict[] {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(body));
  } catch {
    throw badRequest('verdicts are no JSON');
  }
  const verdicts = (value as { verdicts?: unknown } | null)?.verdicts;
  if (!Array.isArray(verdicts) || verdicts.length > VERDICTS_PER_CALL_MAX) {
    throw badRequest(`verdicts must be a list of at most ${VERDICTS_PER_CALL_MAX}`);
  }
  return verdicts.map((one: Partial<ProbeVerdict> | null) => {
    const { service, key, healthy } = one ?? {};
    if (typeof service !== 'string' || typeof key !== 'string' || typeof healthy !== 'boolean') {
      throw badRequest('a verdict needs service, key and healthy');
    }
    return { service, key, healthy };
  });
}
