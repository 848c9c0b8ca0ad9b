import type { HttpRequest, HttpResponse } from '@nacos-kube/core/host/host.ts';
import { bodyBytes } from '@nacos-kube/core/http/answers.ts';
import type { Answer, Exchange } from '../transcripts/transcript.ts';
import { PORT, startNode } from './started-node.ts';

/** The longest poll, and some. */
const ANSWER_MS_MAX = 60_000;
const STEP_MS = 50;
/** What every answer has, or what says nothing of the call. */
const LEFT_OUT = new Set(['x-content-type-options', 'content-length']);

/** Asks a new node all of it in order; gives the exchanges with the answers that it gave. */
export async function replay(exchanges: readonly Exchange[]): Promise<Exchange[]> {
  const { host, server } = await startNode();
  const answers: (HttpResponse | undefined)[] = exchanges.map(() => undefined);
  const answered = async (index: number) => {
    for (let waitedMs = 0; answers[index] === undefined && waitedMs < ANSWER_MS_MAX; waitedMs += STEP_MS)
      await host.advance(STEP_MS);
    if (answers[index] === undefined) throw new Error(`no answer to ${named(exchanges[index]!)}`);
  };
  let held = -1;
  for (const [index, exchange] of exchanges.entries()) {
    const { waitMs, isMeanwhile = false } = exchange;
    if (waitMs > 0) await host.advance(waitMs);
    if (!isMeanwhile) held = index;
    else if (held < 0 || answers[held] !== undefined) throw new Error(`nothing is held during ${named(exchange)}`);
    const handler = host.network.handlers.get(PORT)!;
    const asked = Promise.resolve(handler(requestOf(exchange))).then((answer) => {
      answers[index] = answer;
    });
    host.background('an answer', asked);
    const isLast = exchanges[index + 1]?.isMeanwhile !== true;
    if (isMeanwhile || isLast) await answered(index);
    else await host.advance(STEP_MS);
    if (isLast) await answered(held);
  }
  const stopped = server.lifecycle.stop();
  await host.advance(60_000);
  await stopped;
  return exchanges.map((exchange, index) => ({ ...exchange, answer: shown(answers[index]!) }));
}

function named({ method, target }: Exchange): string {
  return `${method} ${target}`;
}

function requestOf({ method, target, headers, body }: Exchange): HttpRequest {
  const mark = target.indexOf('?');
  return {
    method,
    path: mark < 0 ? target : target.slice(0, mark),
    // As node:http hands over the bytes of a target.
    query: mark < 0 ? '' : Buffer.from(target.slice(mark + 1)).toString('latin1'),
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    body,
    remote: { address: '127.0.0.1', port: 40_000 },
    onGone() {},
  };
}

function shown(answer: HttpResponse): Answer {
  const { status, headers = {} } = answer;
  const kept = Object.entries(headers).filter(([name]) => !LEFT_OUT.has(name.toLowerCase()));
  return { status, headers: Object.fromEntries(kept), body: Buffer.from(bodyBytes(answer)) };
}
