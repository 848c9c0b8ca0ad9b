/** Answers of HTTP/1.1 as bytes: framed cheaply by the load generator, and looked into when one is checked. */
export const HEAD_END = Buffer.from('\r\n\r\n');

export interface Frame {
  readonly status: number;
  readonly bodyStart: number;
  /** Of the whole answer; undefined when it comes in chunks, so that only its end tells. */
  readonly length: number | undefined;
  /** The server closes the connection behind it. */
  readonly isLast: boolean;
}

/** Undefined while the head is not whole. */
export function frameOf(bytes: Buffer): Frame | undefined {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const head = bytes.toString('latin1', 0, headEnd);
  const bodyStart = headEnd + HEAD_END.length;
  const bodyLength = contentLength(head);
  const status = Number(head.slice(9, 12));
  const isLast = head.includes('lose') && /^connection: *close/im.test(head);
  if (bodyLength !== undefined) return { status, bodyStart, length: bodyStart + bodyLength, isLast };
  if (!/^transfer-encoding: *chunked/im.test(head)) throw new Error(`an answer without length: ${head}`);
  return { status, bodyStart, length: undefined, isLast };
}

/** Whether a chunked answer, the only one under way on its connection, is whole. */
export function isChunkedWhole(bytes: Buffer, { bodyStart }: Frame): boolean {
  if (bytes.length < bodyStart + 5 || bytes.toString('latin1', bytes.length - 5) !== '0\r\n\r\n') return false;
  return bytes.length === bodyStart + 5 || bytes.toString('latin1', bytes.length - 7, bytes.length - 5) === '\r\n';
}

export function bodyOf(answer: Buffer, { bodyStart, length }: Frame): Buffer {
  if (length !== undefined) return answer.subarray(bodyStart, length);
  const chunks: Buffer[] = [];
  for (let at = bodyStart; ; ) {
    const lineEnd = answer.indexOf('\r\n', at);
    const size = Number.parseInt(answer.toString('latin1', at, lineEnd), 16);
    if (!(size > 0)) return Buffer.concat(chunks);
    chunks.push(answer.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}

const COLON = 58;
const ZERO = 48;
const SPACE = 32;

/** By hand, since this runs for each answer and a regular expression costs several times as much. */
function contentLength(head: string): number | undefined {
  let at = head.indexOf('\r\nContent-Length:');
  if (at < 0) at = head.indexOf('\r\ncontent-length:');
  if (at < 0) return undefined;
  at += '\r\ncontent-length'.length;
  if (head.charCodeAt(at) !== COLON) return undefined;
  at++;
  while (head.charCodeAt(at) === SPACE) at++;
  let length = 0;
  for (; at < head.length; at++) {
    const digit = head.charCodeAt(at) - ZERO;
    if (digit < 0 || digit > 9) break;
    length = length * 10 + digit;
  }
  return length;
}

/** What an answer must be. `text` must stand in every one; sampled ones are looked at in full. */
export interface Check {
  readonly text: string;
  readonly full:
    | { readonly kind: 'body'; readonly equals: string }
    | { readonly kind: 'hosts'; readonly count: number }
    | { readonly kind: 'code'; readonly equals: number }
    | { readonly kind: 'text' };
  /** Else it must be 200. */
  readonly isAnyStatus?: boolean;
}

/** What is wrong with an answer, looked at in full; undefined when it is right. */
export function wrongIn(answer: Buffer, frame: Frame, { text, full, isAnyStatus }: Check): string | undefined {
  if (isAnyStatus !== true && frame.status !== 200) return `status ${frame.status}: ${shortened(answer)}`;
  const body = bodyOf(answer, frame);
  if (!body.includes(text)) return `without ${JSON.stringify(text)}: ${shortened(answer)}`;
  switch (full.kind) {
    case 'text':
      return undefined;
    case 'body':
      return body.toString() === full.equals ? undefined : `another body: ${shortened(answer)}`;
    case 'code':
      return parsed(body)?.['code'] === full.equals ? undefined : `another code: ${shortened(answer)}`;
    case 'hosts': {
      const hosts = parsed(body)?.['hosts'];
      const count = Array.isArray(hosts) ? hosts.length : -1;
      return count === full.count ? undefined : `${count} hosts, not ${full.count}: ${shortened(answer)}`;
    }
  }
}

function parsed(body: Buffer): Record<string, unknown> | undefined {
  try {
    return JSON.parse(body.toString()) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function shortened(answer: Buffer): string {
  return JSON.stringify(answer.toString('latin1', 0, 400));
}
