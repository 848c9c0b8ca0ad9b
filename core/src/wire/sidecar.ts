import type { MemberState } from '../model/member.ts';
import type { ProbeParameters } from '../probe/parameters.ts';
import type { RoundTrip } from '../probe/round-trips.ts';
import type { ProbeVerdict } from '../probe/target.ts';
import type { TargetChanges, TargetsKnown } from '../probe/target-changes.ts';

/**
 * What a node and the sidecar in its pod tell each other: JSON over HTTP on the peer port, from loopback only, with
 * `Authorization: Bearer <token>`, the token being in a file that both see.
 */
export const SIDECAR_LEASE_PATH = '/sidecar/v1/lease';
export const SIDECAR_VERDICTS_PATH = '/sidecar/v1/verdicts';
/** Also of `nacos-kube drain`, before the pod is stopped. */
export const SIDECAR_DRAIN_PATH = '/sidecar/v1/drain';
/** Clients beat every five seconds: by then each connection that is in use was told that it closes. */
export const DRAIN_LINGER_MS = 6_000;
export const DRAIN_LINGER_MS_MAX = 15_000;

/** While the sidecar asks at least this often it probes, else the node does; never both. */
export const SIDECAR_LEASE_MS = 10_000;
/** How often a sidecar asks. */
export const SIDECAR_PERIOD_MS = 1_000;
export const VERDICTS_PER_CALL_MAX = 1_000;
export const TARGETS_PER_PAGE_MAX = 1_000;
export const FORBIDDEN_HOSTS_MAX = 16;
export const ROUND_TRIPS_PER_CALL_MAX = 200;

/** A sidecar asks for what has changed since it last did, and says what the node cannot know. */
export interface SidecarQuestion {
  readonly targets: TargetsKnown;
  /** What must never be probed, by either: the API server. */
  readonly forbidden: readonly string[];
  readonly roundTrips: readonly RoundTrip[];
}

export interface DrainRequest {
  /** How long callers on kept connections are given to move, before anything is handed over. */
  readonly lingerMs: number;
}

/** The answer: what to probe, and what the node sees, for the metrics. */
export interface SidecarLease {
  readonly member: string;
  readonly isReady: boolean;
  readonly notReadyReasons: readonly string[];
  readonly memberList: { readonly generation: number | null; readonly hash: string; readonly refusal: string | null };
  readonly members: readonly { readonly address: string; readonly state: MemberState }[];
  /** Per peer: how long its oldest unsent change has waited, and how many wait. */
  readonly lag: readonly { readonly peer: string; readonly seconds: number; readonly entries: number }[];
  readonly targets: TargetChanges;
  readonly parameters: ProbeParameters;
  readonly guard: { readonly forbidden: readonly string[]; readonly isLoopbackAllowed: boolean };
}

export interface SidecarVerdicts {
  readonly verdicts: readonly ProbeVerdict[];
}
