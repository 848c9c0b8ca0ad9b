import type { Endpoint, InboundResponse } from './host.ts';

/**
 * HTTPS to a server that a certificate authority in one file vouches for and that knows us by a token in another: how a
 * program in a pod reaches the Kubernetes API. Both files are read anew for every request, for they are renewed while
 * the pod lives. All failures are `NetworkError`.
 */
export interface SecureRequests {
  get(request: SecureGet): Promise<InboundResponse>;
  /** Answers that go on for minutes, line by line. */
  lines(request: SecureLines, onLine: (line: string) => void): LineStream;
}

export interface SecureRequest extends Endpoint {
  /** Path with query, starting with `/`. */
  readonly path: string;
  readonly authorityFile: string;
  readonly tokenFile: string;
}

export interface SecureGet extends SecureRequest {
  /** Bounds the whole exchange, connecting included. */
  readonly timeoutMs: number;
  readonly bodyBytesMax: number;
}

export interface SecureLines extends SecureRequest {
  /** Without a byte for so long the connection counts as dead: kind `timeout`. */
  readonly silenceMs: number;
  /** A longer line is refused with kind `protocol`. */
  readonly lineCharsMax: number;
}

export interface LineStream {
  /** The status once the server ended the answer; lines are only read from a 200. */
  readonly ended: Promise<number>;
  /** Cuts the connection: `ended` rejects with kind `closed`, and no line comes after. */
  close(): void;
}
