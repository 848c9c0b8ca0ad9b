import { type InboundResponse, NetworkError } from '../host/host.ts';
import type { SecureGet, SecureLines, SecureRequests } from '../host/secure.ts';

/** A stream that a test speaks through. */
export interface FakeLines {
  readonly request: SecureLines;
  say(value: unknown): void;
  end(status?: number): void;
  cut(): void;
  readonly isClosed: boolean;
}

export class FakeSecure implements SecureRequests {
  readonly gets: SecureGet[] = [];
  readonly streams: FakeLines[] = [];
  answer: (request: SecureGet) => InboundResponse | Promise<InboundResponse> = () => {
    throw new NetworkError('refused', 'nobody listens');
  };

  async get(request: SecureGet): Promise<InboundResponse> {
    this.gets.push(request);
    return this.answer(request);
  }

  lines(request: SecureLines, onLine: (line: string) => void) {
    const { promise: ended, resolve, reject } = Promise.withResolvers<number>();
    let isClosed = false;
    this.streams.push({
      request,
      say: (value) => {
        if (!isClosed) onLine(typeof value === 'string' ? value : JSON.stringify(value));
      },
      end: (status = 200) => resolve(status),
      cut: () => reject(new NetworkError('reset', 'cut')),
      get isClosed() {
        return isClosed;
      },
    });
    const close = () => {
      isClosed = true;
      reject(new NetworkError('closed', 'given up'));
    };
    return { ended, close };
  }

  /** The stream that was opened last. */
  get stream(): FakeLines {
    const stream = this.streams.at(-1);
    if (stream === undefined) throw new Error('no stream was opened');
    return stream;
  }
}
