/** A caller that keeps one connection, as the SDKs do, and repeats nothing: what fails is seen. */
import { Agent, request } from 'node:http';

const ANSWER_MS_MAX = 20_000;

export interface Answer {
  readonly status: number;
  readonly text: string;
}

export class KeepAliveCaller {
  readonly #host: string;
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  /** `server` as `host:port`. */
  constructor(server: string) {
    const [host = '', port = ''] = server.split(':');
    this.#host = host;
    this.#port = Number(port);
  }

  call(method: string, path: string, form?: URLSearchParams, timeoutMs = ANSWER_MS_MAX): Promise<Answer> {
    const body = form?.toString() ?? '';
    return new Promise((resolve, reject) => {
      const startedMs = performance.now();
      const headers = {
        'content-length': Buffer.byteLength(body),
        ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
        ...(path.endsWith('/listener') && { 'Long-Pulling-Timeout': '30000' }),
      };
      const outgoing = request({ host: this.#host, port: this.#port, method, path, headers, agent: this.#agent });
      const fail = (error: Error) => {
        const connection = outgoing.reusedSocket ? 'a kept connection' : 'a fresh connection';
        const afterMs = Math.round(performance.now() - startedMs);
        reject(new Error(`${method} ${path.split('?')[0]}: ${error.message} on ${connection} after ${afterMs} ms`));
      };
      outgoing.setTimeout(timeoutMs, () => outgoing.destroy(new Error('no answer')));
      outgoing.on('error', fail);
      outgoing.on('response', (incoming) => {
        let text = '';
        incoming.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        incoming.on('error', fail);
        incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, text }));
      });
      outgoing.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
