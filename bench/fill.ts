/** Fills the store of a node that does not run: `node bench/fill.ts`, a `FillOrder` as JSON on stdin. */
import { createHash } from 'node:crypto';
import { createNodeHost } from '@nacos-kube/core/host/node/node-host.ts';
import { encodePersistent } from '../server/src/naming/persistent.ts';
import { openStore } from '../server/src/store/open.ts';
import { RECORDS_PER_WRITE_MAX } from '../server/src/store/store.ts';
import { contentOf, upTo } from './rows.ts';

export interface FillOrder {
  readonly sqliteFile: string;
  readonly services: number;
  readonly perService: number;
  readonly configs: number;
}

const WRITES_AT_ONCE = 500;

/** On loopback, where nothing listens: probes of them end at once and reach nobody. */
function ipOf(n: number): string {
  return `127.${64 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
}

async function fill({ sqliteFile, services, perService, configs }: FillOrder): Promise<void> {
  const host = createNodeHost({ name: 'bench', logLevel: 'warn', logFormat: 'text' });
  const store = await openStore(host, { kind: 'sqlite', path: sqliteFile });
  await store.start();
  const records = upTo(services * perService).map((n) => {
    const name = `DEFAULT_GROUP@@cold-${n % services}`;
    const instance = {
      ip: ipOf(n),
      port: 9,
      cluster: 'DEFAULT',
      weight: 1,
      healthy: true,
      enabled: true,
      ephemeral: false,
      metadata: new Map(),
      instanceId: `${ipOf(n)}#9#DEFAULT#${name}`,
      app: 'DEFAULT',
    };
    return encodePersistent({ namespaceId: 'public', name }, instance);
  });
  for (let at = 0; at < records.length; at += RECORDS_PER_WRITE_MAX) {
    await store.putRecords(records.slice(at, at + RECORDS_PER_WRITE_MAX));
  }
  for (let at = 0; at < configs; at += WRITES_AT_ONCE) {
    await Promise.all(upTo(Math.min(WRITES_AT_ONCE, configs - at)).map((n) => store.putConfig(config(at + n))));
  }
  await store.stop();
}

function config(n: number) {
  const content = contentOf(`cold-${n}`);
  return {
    dataId: `cold-${n}`,
    group: 'DEFAULT_GROUP',
    namespaceId: '',
    content,
    md5: createHash('md5').update(content).digest('hex'),
    type: 'text',
    appName: undefined,
    description: null,
    use: null,
    effect: null,
    schema: null,
    tags: undefined,
    by: { ip: '127.0.0.1', user: null },
  } as const;
}

const chunks: Buffer[] = [];
for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
await fill(JSON.parse(Buffer.concat(chunks).toString()) as FillOrder);
console.log('null');
