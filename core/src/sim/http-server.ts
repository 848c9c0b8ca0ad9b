import type { HttpHandler, HttpListener, HttpRequest, HttpResponse, ServeOptions } from '../host/host.ts';
import { bodyBytes } from '../http/answers.ts';
import type { End, Listening } from './connection.ts';
import { hasBrokenHeader, lowerCased, type RequestMessage, type ResponseMessage } from './http-message.ts';
import type { Kernel } from './kernel.ts';
import type { SimProcess } from './process.ts';

/** As the real server towards handlers; of the bounds only that of the body is simulated. */
export function serveHttp(
  kernel: Kernel,
  process: SimProcess,
  options: ServeOptions,
  handler: HttpHandler,
): HttpListener {
  return new SimHttpListener(kernel, process, options, handler);
}

class SimHttpListener implements HttpListener, Listening {
  readonly process: SimProcess;
  readonly bindAddress: string;
  readonly port: number;
  readonly #kernel: Kernel;
  readonly #bodyBytesMax: number;
  readonly #handler: HttpHandler;
  readonly #serving = new Set<ServedConnection>();
  #isRetired = false;
  #stopped: PromiseWithResolvers<void> | undefined;

  constructor(kernel: Kernel, process: SimProcess, options: ServeOptions, handler: HttpHandler) {
    this.process = process;
    this.bindAddress = options.address;
    this.#kernel = kernel;
    this.#bodyBytesMax = options.bodyBytesMax;
    this.#handler = handler;
    this.port = process.machine.bind('tcp', this, options.port);
  }

  get isStopping(): boolean {
    return this.#stopped !== undefined;
  }

  get #isLast(): boolean {
    return this.#isRetired || this.isStopping;
  }

  accept(end: End): void {
    if (this.isStopping) end.close('reset');
    else this.#serving.add(new ServedConnection(this, end));
  }

  async retire(lingerMs: number): Promise<void> {
    this.#isRetired = true;
    if (lingerMs <= 0 || this.#serving.size === 0) return;
    await this.process.clock.sleep(lingerMs);
    for (const connection of [...this.#serving]) connection.closeIfIdle();
  }

  stop(graceMs: number): Promise<void> {
    if (this.#stopped !== undefined) return this.#stopped.promise;
    this.#stopped = Promise.withResolvers();
    this.process.machine.release('tcp', this, this.port);
    for (const connection of [...this.#serving]) connection.closeIfIdle();
    const cut = this.process.clock.after(graceMs, () => {
      for (const connection of [...this.#serving]) connection.cut();
    });
    void this.#stopped.promise.then(() => cut.cancel());
    this.closed(undefined);
    return this.#stopped.promise;
  }

  closed(connection: ServedConnection | undefined): void {
    if (connection !== undefined) this.#serving.delete(connection);
    if (this.#serving.size === 0) this.#stopped?.resolve();
  }

  async answer(message: RequestMessage, end: End, onGone: (run: () => void) => void): Promise<ResponseMessage> {
    const { method, url } = message;
    const { name } = this.process;
    this.#kernel.note(`${name} > ${method} ${url} ${message.body.length} B from ${end.remote.address}`);
    if (message.body.length > this.#bodyBytesMax) return responseOf({ status: 413, body: '' }, true);
    const mark = url.indexOf('?');
    const request: HttpRequest = {
      method: method === 'HEAD' ? 'GET' : method,
      path: mark < 0 ? url : url.slice(0, mark),
      query: mark < 0 ? '' : url.slice(mark + 1),
      headers: message.headers,
      body: message.body,
      remote: end.remote,
      onGone,
    };
    try {
      const answer = await this.#handler(request);
      if (hasBrokenHeader(answer.headers)) throw new TypeError('an answer with a header that would split it');
      return responseOf(method === 'HEAD' ? { ...answer, body: '', tail: '' } : answer, this.#isLast);
    } catch (error) {
      this.process.host.log.error('a request failed', { method, path: request.path, error });
      return responseOf({ status: 500, body: '' }, this.#isLast);
    }
  }
}

function responseOf(answer: HttpResponse, isLast: boolean): ResponseMessage {
  const body = bodyBytes(answer);
  const headers = { ...lowerCased(answer.headers), 'content-length': String(body.length) };
  return { kind: 'response', status: answer.status, headers, body, isLast };
}

/** One request at a time, as the client never sends a second one before the answer. */
class ServedConnection {
  readonly #listener: SimHttpListener;
  readonly #end: End;
  #goneReaders: (() => void)[] = [];
  #isBusy = false;

  constructor(listener: SimHttpListener, end: End) {
    this.#listener = listener;
    this.#end = end;
    end.onMessage((message) => void this.#serve(message as RequestMessage));
    end.onClose(() => this.#ended());
  }

  closeIfIdle(): void {
    if (!this.#isBusy) this.cut();
  }

  cut(): void {
    this.#end.close('reset');
    this.#ended();
  }

  async #serve(message: RequestMessage): Promise<void> {
    this.#isBusy = true;
    let isAnswered = false;
    const onGone = (run: () => void) => {
      if (isAnswered) return;
      if (this.#end.isOpen) this.#goneReaders.push(run);
      else queueMicrotask(run);
    };
    const response = await this.#listener.answer(message, this.#end, onGone);
    isAnswered = true;
    this.#goneReaders = [];
    this.#isBusy = false;
    this.#end.send(response);
    if (response.isLast) {
      this.#end.close();
      this.#listener.closed(this);
    }
  }

  #ended(): void {
    const readers = this.#goneReaders;
    this.#goneReaders = [];
    this.#listener.closed(this);
    for (const run of readers) run();
  }
}
