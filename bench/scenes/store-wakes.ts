/** How long after a publish on one node a listener on another one is told. */
import { createHash } from 'node:crypto';
import { delay } from '../../e2e/kubernetes/processes.ts';
import type { Server } from '../server.ts';

const DATA_ID = 'woken';
/** Not measured: of nodes that have just come up, which write their dumps and are compiled. */
const WARM_WAKES = 30;
const GROUP = 'DEFAULT_GROUP';
const HELD_MS = 20_000;
const ANSWER_MS_MAX = 30_000;
/** The poll must be held before the publish comes. */
const SETTLE_MS = 15;

/** From the call of the publish to the answer of the poll; publisher and listener change places. Sorted. */
export async function wakeTimes(servers: readonly Server[], count: number): Promise<Float64Array> {
  const tookMs = new Float64Array(count);
  const at = (n: number) => servers[(n + WARM_WAKES) % servers.length]!;
  let content = 'first';
  await publish(servers[0]!, content);
  for (let n = -WARM_WAKES; n < count; n += 1) {
    const [publisher, listener] = [at(n), at(n + 1)];
    const woken = await listen(listener, content);
    await delay(SETTLE_MS);
    content = `content ${n}`;
    const startedMs = performance.now();
    await publish(publisher, content);
    const wokenMs = await woken.at;
    if (n >= 0) tookMs[n] = wokenMs - startedMs;
    await untilServed(listener, content);
    await untilServed(at(n + 2), content);
  }
  return tookMs.sort();
}

async function listen(server: Server, content: string): Promise<{ readonly at: Promise<number> }> {
  await untilServed(server, content);
  const md5 = createHash('md5').update(content).digest('hex');
  const line = `${DATA_ID}\u0002${GROUP}\u0002${md5}\u0001`;
  const answered = ask(server, '/v1/cs/configs/listener', new URLSearchParams({ 'Listening-Configs': line }));
  const at = answered.then((text) => {
    if (!text.includes(DATA_ID)) throw new Error(`a listener was told ${JSON.stringify(text)}`);
    return performance.now();
  });
  at.catch(() => {}); // awaited after the publish
  return { at };
}

async function publish(server: Server, content: string): Promise<void> {
  const form = new URLSearchParams({ dataId: DATA_ID, group: GROUP, content });
  const text = await ask(server, '/v1/cs/configs', form);
  if (text !== 'true') throw new Error(`a publish was answered ${text}`);
}

async function untilServed(server: Server, content: string): Promise<void> {
  const endsMs = performance.now() + ANSWER_MS_MAX;
  while ((await ask(server, `/v1/cs/configs?dataId=${DATA_ID}&group=${GROUP}`)) !== content) {
    if (performance.now() > endsMs) throw new Error(`a node does not serve ${content}`);
    await delay(2);
  }
}

async function ask({ host, port, contextPath }: Server, path: string, body?: URLSearchParams): Promise<string> {
  const headers = { 'Long-Pulling-Timeout': `${HELD_MS}` };
  const response = await fetch(`http://${host}:${port}${contextPath}${path}`, {
    ...{ headers, signal: AbortSignal.timeout(ANSWER_MS_MAX) },
    ...(body !== undefined && { method: 'POST', body }),
  });
  return response.text();
}
