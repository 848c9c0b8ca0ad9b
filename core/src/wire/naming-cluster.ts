import { DEFAULT_CLUSTER } from '../model/names.ts';
import { type ClusterSettings, type HealthChecker, newCluster } from '../model/service.ts';

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
