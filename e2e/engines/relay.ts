/**
 * `relay.ts`: asks over HTTP from where it runs, e.g. in a network namespace. A line of JSON for each question, with its
 * `id`, and one for each answer; without a status when there was none.
 */
import { createInterface } from 'node:readline';

export interface Question {
  readonly id: number;
  readonly method: string;
  readonly url: string;
  readonly form: string | undefined;
}

export interface Answer {
  readonly id: number;
  readonly status: number | undefined;
  readonly text: string;
  readonly tookMs: number;
}

const ANSWER_MS_MAX = 8_000;

if (import.meta.main) {
  for await (const line of createInterface({ input: process.stdin })) {
    void answerTo(JSON.parse(line) as Question).then((answer) => process.stdout.write(`${JSON.stringify(answer)}\n`));
  }
}

async function answerTo({ id, method, url, form }: Question): Promise<Answer> {
  const startedMs = performance.now();
  const tookMs = () => performance.now() - startedMs;
  try {
    const body = form === undefined ? {} : { body: new URLSearchParams(form) };
    const answer = await fetch(url, { method, signal: AbortSignal.timeout(ANSWER_MS_MAX), ...body });
    return { id, status: answer.status, text: (await answer.text()).trim(), tookMs: tookMs() };
  } catch (error) {
    return { id, status: undefined, text: `${error}`, tookMs: tookMs() };
  }
}
