/** Copies the CRD into the chart, which can take files only from its own folder. A test fails when it was forgotten. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CRD_PATH } from './generate-types.ts';

export const CHART_CRD_PATH = join(import.meta.dirname, '../charts/nacos-kube/files/nacosclusters.yaml');

if (import.meta.main) {
  mkdirSync(dirname(CHART_CRD_PATH), { recursive: true });
  copyFileSync(CRD_PATH, CHART_CRD_PATH);
  console.log(`wrote ${CHART_CRD_PATH}`);
}
