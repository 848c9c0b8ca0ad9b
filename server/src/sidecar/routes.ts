import { json } from '@nacos-kube/core/http/answers.ts';
import { badRequest } from '@nacos-kube/core/http/protocol-error.ts';
import type { Policy, Route } from '@nacos-kube/core/http/route.ts';
import type { RoundTrip } from '@nacos-kube/core/probe/round-trips.ts';
import type { ProbeVerdict } from '@nacos-kube/core/probe/target.ts';
import type { TargetsKnown } from '@nacos-kube/core/probe/target-changes.ts';
import {
  DRAIN_LINGER_MS_MAX,
  type DrainRequest,
  FORBIDDEN_HOSTS_MAX,
  ROUND_TRIPS_PER_CALL_MAX,
  SIDECAR_DRAIN_PATH,
  SIDECAR_LEASE_PATH,
  SIDECAR_VERDICTS_PATH,
  type SidecarLease,
  type SidecarQuestion,
  VERDICTS_PER_CALL_MAX,
} from '@nacos-kube/core/wire/sidecar.ts';

const SIDECAR: Policy = { kind: 'sidecar' };
const HOST_CHARS_MAX = 255;

export interface SidecarDoor {
  lease(question: SidecarQuestion): SidecarLease;
  take(verdicts: readonly ProbeVerdict[]): number;
  /**
   * Unready at once; callers are given `lingerMs` to move. Resolves when the node has handed over what it owned; it stays
   * up, unready, until it is stopped.
   */
  drain(lingerMs: number): Promise<void>;
}

/** What the sidecar of this node may ask, on the peer port, from loopback. */
export function sidecarRoutes(door: SidecarDoor): Route[] {
  return [
    {
      method: 'POST',
      path: SIDECAR_LEASE_PATH,
      policy: SIDECAR,
      handler: ({ request }) => json(door.lease(decodeQuestion(request.body))),
    },
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
      async handler({ request }) {
        await door.drain(decodeDrain(request.body).lingerMs);
        return json({ drained: true });
      },
    },
  ];
}

export function decodeQuestion(body: Uint8Array): SidecarQuestion {
  const { targets, forbidden, roundTrips } = objectOf(body, 'the question') as Partial<SidecarQuestion>;
  const { epoch, version, base } = (targets ?? {}) as Partial<TargetsKnown>;
  if (typeof epoch !== 'string' || !isCount(version) || !isCount(base)) {
    throw badRequest('targets need epoch, version and base');
  }
  const isHost = (one: unknown): one is string => typeof one === 'string' && one.length <= HOST_CHARS_MAX;
  if (!Array.isArray(forbidden) || forbidden.length > FORBIDDEN_HOSTS_MAX || !forbidden.every(isHost)) {
    throw badRequest(`forbidden must be a list of at most ${FORBIDDEN_HOSTS_MAX} hosts`);
  }
  if (!Array.isArray(roundTrips) || roundTrips.length > ROUND_TRIPS_PER_CALL_MAX) {
    throw badRequest(`roundTrips must be a list of at most ${ROUND_TRIPS_PER_CALL_MAX}`);
  }
  return { targets: { epoch, version, base }, forbidden, roundTrips: roundTrips.map(roundTripOf) };
}

/** Without a word about it nobody is waited for. */
export function decodeDrain(body: Uint8Array): DrainRequest {
  const { lingerMs = 0 } = objectOf(body, 'the drain') as Partial<DrainRequest>;
  if (!isCount(lingerMs) || lingerMs > DRAIN_LINGER_MS_MAX) {
    throw badRequest(`lingerMs must be a whole number up to ${DRAIN_LINGER_MS_MAX}`);
  }
  return { lingerMs };
}

function roundTripOf(value: unknown): RoundTrip {
  const { service, cluster, best, worst, normalized } = (value ?? {}) as Partial<RoundTrip>;
  const isNamed = typeof service === 'string' && typeof cluster === 'string';
  if (!isNamed || !isCount(best) || !isCount(worst) || !isCount(normalized)) {
    throw badRequest('a round trip needs service, cluster, best, worst and normalized');
  }
  return { service, cluster, best, worst, normalized };
}

export function decodeVerdicts(body: Uint8Array): ProbeVerdict[] {
  const { verdicts } = objectOf(body, 'the verdicts') as { readonly verdicts?: unknown };
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

function objectOf(body: Uint8Array, what: string): object {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(body));
  } catch {
    throw badRequest(`${what}: no JSON`);
  }
  if (typeof value !== 'object' || value === null) throw badRequest(`${what}: no object`);
  return value;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
