import { type Metadata, NO_METADATA } from './instance.ts';

/** What users say of a service as a whole; kept in the store, so that every member has it. */
export interface ServiceSettings {
  /** A float32: when no more than this share of the instances is healthy, all are shown as healthy. */
  readonly protectThreshold: number;
  readonly metadata: Metadata;
  readonly selector: Selector;
  /** Only those that somebody set; others are as `newCluster` makes them. */
  readonly clusters: ReadonlyMap<string, ClusterSettings>;
}

export const NO_SERVICE_SETTINGS: ServiceSettings = {
  protectThreshold: 0,
  metadata: NO_METADATA,
  selector: { type: 'none' },
  clusters: new Map(),
};

/** What is said of a cluster of instances as a whole. */
export interface ClusterSettings {
  readonly name: string;
  readonly healthChecker: HealthChecker;
  /** Where to probe unless `useInstancePort`. */
  readonly checkPort: number;
  readonly useInstancePort: boolean;
  readonly metadata: Metadata;
}

export type HealthChecker =
  | { readonly type: 'TCP' | 'NONE' }
  | { readonly type: 'HTTP'; readonly path: string; readonly headers: string; readonly expectedResponseCode: number }
  | { readonly type: 'MYSQL'; readonly user?: string; readonly pwd?: string; readonly cmd?: string };

/** Which of the instances of a service a consumer sees. Labels come from a CMDB; without one nothing is left out. */
export type Selector =
  | { readonly type: 'none' }
  | { readonly type: 'label'; readonly expression: string; readonly labels: readonly string[] };

export const NO_SELECTOR: Selector = { type: 'none' };

/** A cluster that an instance brought into being. */
export function newCluster(name: string): ClusterSettings {
  return { name, healthChecker: { type: 'TCP' }, checkPort: 80, useInstancePort: true, metadata: NO_METADATA };
}
