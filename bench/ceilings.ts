/** The bare servers beside the one that is measured. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Stage } from './stage.ts';

export type CeilingKind = 'http' | 'socket';
export const CEILINGS: readonly CeilingKind[] = ['http', 'socket'];

const ANSWER_MS_MAX = 10_000;

export class Ceiling {
  readonly kind: CeilingKind;
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly pid: number;
  readonly #child: ChildProcess;

  static async start(stage: Stage, kind: CeilingKind): Promise<Ceiling> {
    const child = stage.start(['bench/bare.ts', kind]);
    return new Ceiling(kind, child, (await heard(child)) as number);
  }

  private constructor(kind: CeilingKind, child: ChildProcess, port: number) {
    this.kind = kind;
    this.port = port;
    this.pid = child.pid!;
    this.#child = child;
  }

  async teach(answer: Buffer): Promise<void> {
    this.#child.send({ answer: answer.toString('base64') });
    await heard(this.#child);
  }
}

async function heard(child: ChildProcess): Promise<unknown> {
  const over = new AbortController();
  const timer = setTimeout(
    () => over.abort(new Error(`a bare server said nothing in ${ANSWER_MS_MAX} ms`)),
    ANSWER_MS_MAX,
  );
  const ended = () => over.abort(new Error('a bare server ended'));
  child.once('exit', ended);
  try {
    const [message] = await once(child, 'message', { signal: over.signal });
    return message;
  } catch (error) {
    throw over.signal.aborted ? over.signal.reason : error;
  } finally {
    clearTimeout(timer);
    child.off('exit', ended);
  }
}
