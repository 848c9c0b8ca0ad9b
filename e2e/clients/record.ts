/**
 * Records what the real clients send: runs their scenario against one node through a proxy and keeps each kind of request.
 *
 *     npx node e2e/clients/record.ts      writes recordings/requests.json, which tests replay and mutate
 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { startNode } from '../processes/node.ts';
import { CONFIG_STEPS } from './config-steps.ts';
import { openListener } from './listener.ts';
import { NAMING_STEPS } from './naming-steps.ts';
import { Stage } from './stage.ts';

export const RECORDINGS = join(import.meta.dirname, 'recordings', 'requests.json');

/** Of each method, path, set of parameters and client. */
const KEPT_OF_A_KIND = 2;
const BYTES_MAX = 4_096;
const HEAD_END = Buffer.from('\r\n\r\n');

export interface Recording {
  readonly client: string;
  /** The whole request as it was sent, one code unit a byte. */
  readonly bytes: string;
}

if (import.meta.main) await record();

async function record(): Promise<void> {
  const kinds = new Map<string, Recording[]>();
  await using node = await startNode();
  const proxy = createServer((caller) => {
    const server = connect(node.port, '127.0.0.1');
    for (const [from, to] of [
      [caller, server],
      [server, caller],
    ] as const) {
      from.pipe(to);
      from.on('error', () => to.destroy());
    }
    keepRequests(caller, kinds);
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  const { port } = proxy.address() as AddressInfo;
  const listener = await openListener('127.0.0.1');
  const target = { name: 'recorded', servers: [`127.0.0.1:${port}`], contextPath: '/nacos', isPushed: true, listener };
  const stage = await Stage.open(target);
  try {
    for (const step of [...NAMING_STEPS, ...CONFIG_STEPS]) {
      console.error(step.name);
      await step.run(stage);
    }
  } finally {
    await stage.close();
    await listener.close();
    proxy.close();
  }
  const recordings = [...kinds.keys()].sort().flatMap((kind) => kinds.get(kind)!);
  writeFileSync(RECORDINGS, `${JSON.stringify(recordings, null, 1)}\n`);
  console.error(`${recordings.length} requests of ${kinds.size} kinds`);
}

function keepRequests(caller: Socket, kinds: Map<string, Recording[]>): void {
  let received = Buffer.alloc(0);
  caller.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    for (;;) {
      const headEnd = received.indexOf(HEAD_END);
      if (headEnd < 0) return;
      const head = received.toString('latin1', 0, headEnd);
      const length = headEnd + HEAD_END.length + Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      if (received.length < length) return;
      keep(received.toString('latin1', 0, length), head, kinds);
      received = received.subarray(length);
    }
  });
}

function keep(bytes: string, head: string, kinds: Map<string, Recording[]>): void {
  if (bytes.length > BYTES_MAX) return;
  const [method = '', target = ''] = head.split(' ', 2);
  const [path = '', query = ''] = target.split('?', 2);
  const body = bytes.slice(head.length + HEAD_END.length);
  const names = [...new URLSearchParams(query).keys(), ...new URLSearchParams(body).keys()].sort();
  const client = /\r\nuser-agent: *([\w-]+)/i.exec(head)?.[1] ?? 'none';
  const kind = [path, method, client, ...names].join(' ');
  const known = kinds.get(kind) ?? [];
  if (known.length < KEPT_OF_A_KIND) kinds.set(kind, [...known, { client, bytes }]);
}
