import { gzipSync } from 'node:zlib';
import { inflateIfGzip } from './gzip.ts';
import { parseObject } from './naming-metadata.ts';

/** From here on a packet is compressed. */
export const PUSH_GZIP_BYTES = 1024;
/** What fits into one datagram of IPv4. */
export const PUSH_BYTES_MAX = 65_507;
/** Of a packet once it is inflated: what a client is ready to hold. */
export const PUSH_TEXT_BYTES_MAX = 16 * 1024 * 1024;
/** An ack names one number; a dump may carry a client's whole map. */
export const ACK_BYTES_MAX = 64 * 1024;

export interface Push {
  /** The document of a list, as a text. */
  readonly data: string;
  /** Names the packet; an ack repeats it. At most 2^53-1, as the Node client reads it as a double. */
  readonly sequence: number;
}

/** One datagram; may be larger than `PUSH_BYTES_MAX`, then it cannot be sent. */
export function encodePush(data: string, sequence: number): Uint8Array {
  const packet = Buffer.from(`{"type":"dom","data":${JSON.stringify(data)},"lastRefTime":${sequence}}`);
  return packet.length >= PUSH_GZIP_BYTES ? gzipSync(packet) : packet;
}

/** Which push a datagram confirms, in any of the spellings of clients; undefined when it is no confirmation. */
export function decodePushAck(bytes: Uint8Array): number | undefined {
  if (bytes.length > ACK_BYTES_MAX) return undefined;
  const ack = parseObject(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
  return ack !== undefined && ACK_TYPES.has(ack.type) ? sequenceOf(ack.lastRefTime) : undefined;
}

const ACK_TYPES: ReadonlySet<unknown> = new Set(['push-ack', 'dump-ack', 'unknown-ack', 'unknow-ack']);

/** The client's side: undefined when the datagram is no push of a list. */
export function decodePush(bytes: Uint8Array): Push | undefined {
  const inflated = inflateIfGzip(bytes, PUSH_TEXT_BYTES_MAX);
  if (inflated === undefined) return undefined;
  const text = Buffer.from(inflated.buffer, inflated.byteOffset, inflated.byteLength).toString();
  const packet = parseObject(text.trim());
  if (packet === undefined || (packet.type !== 'dom' && packet.type !== 'service')) return undefined;
  const sequence = sequenceOf(packet.lastRefTime);
  return typeof packet.data === 'string' && sequence !== undefined ? { data: packet.data, sequence } : undefined;
}

/** The client's side: what goes back to where the push came from, spelt as by the Java client. */
export function encodePushAck(sequence: number): Uint8Array {
  return Buffer.from(`{"type": "push-ack", "lastRefTime":"${sequence}", "data":""}`);
}

function sequenceOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}
