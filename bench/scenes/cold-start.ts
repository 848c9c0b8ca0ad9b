import { join } from 'node:path';
import type { FillOrder } from '../fill.ts';
import { median, rssBytes } from '../machine.ts';
import type { SceneResult } from '../report.ts';
import { requestsFor } from '../requests.ts';
import { contentOf } from '../rows.ts';
import type { Scene, SceneContext } from '../scenes.ts';
import { exchange, type OwnNode, scrape, startNode } from '../server.ts';

const SIZE = { services: 1_000, perService: 100, configs: 10_000 };
const QUICK_SIZE = { services: 10, perService: 50, configs: 100 };
const FILL_MS_MAX = 90_000;
const READY_MS_MAX = 60_000;
const DUMPED_MS_MAX = 45_000;
const LOOK_EACH_MS = 200;

/** From the start of the process to the first 200 of its readiness, with much in the store. */
export const coldStart: Scene = { name: 'cold start', needsOwnNode: true, deadlineMs: 300_000, run: measure };

async function measure({ stage, rounds, isQuick }: SceneContext): Promise<SceneResult> {
  const size = isQuick ? QUICK_SIZE : SIZE;
  const data = stage.folder();
  const order: FillOrder = { sqliteFile: join(data, 'store.sqlite'), ...size };
  await stage.ask('fill.ts', order, FILL_MS_MAX);

  const first = await startNode(stage, data, READY_MS_MAX);
  await proveAll(first, size);
  const isDumped = await dumped(first, size.configs);
  await stage.end(first.child);

  const again: { readonly readyMs: number; readonly rss: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const node = await startNode(stage, data, READY_MS_MAX);
    again.push({ readyMs: node.readyAfterMs, rss: rssBytes(node.pid!) });
    await proveAll(node, size);
    await stage.end(node.child);
  }
  stage.removeFolder(data);
  const instances = size.services * size.perService;
  const { configs } = size;
  return {
    name: `cold start, ${instances.toLocaleString('en')} persistent instances, ${configs.toLocaleString('en')} configs`,
    figures: [
      { what: 'ready after, with an empty disk', value: first.readyAfterMs / 1_000, unit: 's' },
      { what: 'ready after kill -9', value: median(again.map(({ readyMs }) => readyMs)) / 1_000, unit: 's' },
      { what: 'memory when ready', value: median(again.map(({ rss }) => rss)) / 1024 / 1024, unit: 'MB' },
    ],
    notes: isDumped ? [] : ['The dump on disk was not whole yet when the node was killed.'],
  };
}

/** Ready must mean that all of it is served. */
async function proveAll(node: OwnNode, { services, perService, configs }: typeof SIZE): Promise<void> {
  const to = requestsFor(node.contextPath, node.host, '');
  for (const n of [0, services >> 1, services - 1]) {
    await exchange(node, to.list(`cold-${n}`), { text: '"hosts":[{', full: { kind: 'hosts', count: perService } });
  }
  for (const n of [0, configs - 1]) {
    const content = contentOf(`cold-${n}`);
    await exchange(node, to.getConfig(`cold-${n}`), { text: content, full: { kind: 'body', equals: content } });
  }
  const figures = await scrape(node);
  const [ips, served] = [
    figures('nacos_monitor{module="naming",name="ipCount"}'),
    figures('nacos_kube_config_configs'),
  ];
  if (ips !== services * perService || served !== configs) {
    throw new Error(`ready with ${ips} instances and ${served} configs`);
  }
}

/** Whether the dump, which follows behind, is on disk in time: later starts then find it. */
async function dumped(node: OwnNode, configs: number): Promise<boolean> {
  const endsMs = performance.now() + DUMPED_MS_MAX;
  while (performance.now() < endsMs) {
    const figures = await scrape(node);
    if (figures('nacos_kube_config_dump_queue') === 0 && figures('nacos_kube_config_dump_writes_total') >= configs) {
      return true;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EACH_MS));
  }
  return false;
}
