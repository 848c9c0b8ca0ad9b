import { type Metadata, NO_METADATA } from '../model/instance.ts';
import { DEFAULT_CLUSTER } from '../model/names.ts';

export type HealthChecker =
  | { readonly type: 'TCP' | 'NONE' }
  | { readonly type: 'HTTP'; readonly path: string; readonly headers: string; readonly expectedResponseCode: number }
  | { readonly type: 'MYSQL'; readonly user?: string; readonly pwd?: string; readonly cmd?: string };

/** What is said of a cluster of instances as a whole. */
export interface ClusterSettings {
  readonly name: string;
  readonly healthChecker: HealthChecker;
  /** Where to probe unless `useInstancePort`. */
  readonly checkPort: number;
  readonly useInstancePort: boolean;
  readonly metadata: Metadata;
}

/** A cluster that an instance brought into being. */
export function newCluster(name: string): ClusterSettings {
  return { name, healthChecker: { type: 'TCP' }, checkPort: 80, useInstancePort: true, metadata: NO_METADATA };
}

export const NEW_DEFAULT_CLUSTER: ClusterSettings = newCluster(DEFAULT_CLUSTER);

export function encodeHealthChecker(checker: HealthChecker): string {
  return JSON.stringify({ type: checker.type, ...settingsOf(checker) });
}

/** Without the type, as in the text that the checksum of a service is made of. */
export function encodeUntypedHealthChecker(checker: HealthChecker): string {
  return JSON.stringify(settingsOf(checker));
}

/** In the order of the reference; what is undefined is left out. */
function settingsOf(checker: HealthChecker): object {
  switch (checker.type) {
    case 'TCP':
    case 'NONE':
      return {};
    case 'HTTP':
      return { path: checker.path, headers: checker.headers, expectedResponseCode: checker.expectedResponseCode };
    case 'MYSQL':
      return { user: checker.user, pwd: checker.pwd, cmd: checker.cmd };
  }
}
