/**
 * Makes the pages of docs/reference that say what the code says: settings, metrics, endpoints, the NacosCluster. Run it after
 * each change of those; a test fails when it was forgotten.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CRD_PATH } from './generate-types.ts';
import { endpointsPage } from './reference/endpoints.ts';
import { metricsPage } from './reference/metrics.ts';
import { nacosClusterPage } from './reference/nacos-cluster.ts';
import { settingsPage } from './reference/settings.ts';

export const REFERENCE_DIRECTORY = join(import.meta.dirname, '../docs/reference');

/** Text by file name. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['settings.md', settingsPage()],
    ['endpoints.md', endpointsPage()],
    ['metrics.md', await metricsPage()],
    ['nacoscluster.md', nacosClusterPage(readFileSync(CRD_PATH, 'utf8'))],
  ]);
}

if (import.meta.main) {
  mkdirSync(REFERENCE_DIRECTORY, { recursive: true });
  for (const [name, text] of await referencePages()) {
    writeFileSync(join(REFERENCE_DIRECTORY, name), text);
    console.log(`wrote docs/reference/${name}`);
  }
}
