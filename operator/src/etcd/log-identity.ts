/** Whose log it is, as decimal numbers: so etcd's gateway writes them too. */
export interface LogIdentity {
  readonly memberId: string;
  readonly clusterId: string;
}

/** A segment begins with a checksum and the identity; neither comes near this. */
const HEAD_BYTES_MAX = 4_096;
const METADATA = 1;
const RECORDS_BEFORE_MAX = 4;

/**
 * The identity at the head of a segment of etcd's log: the same form in 3.4 to 3.6. Undefined when it cannot be read,
 * and then nothing may be concluded.
 *
 * A record is a length of 8 bytes, little-endian (its upper byte: padding), and a message of protobuf with type (1),
 * checksum (2) and data (3); the data of the one with the identity are a message with member (1) and cluster (2).
 */
export function logIdentity(segment: Uint8Array): LogIdentity | undefined {
  const head = segment.subarray(0, HEAD_BYTES_MAX);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  let at = 0;
  for (let i = 0; i < RECORDS_BEFORE_MAX && at + 8 <= head.length; i++) {
    const length = view.getUint32(at, true);
    const upper = view.getUint8(at + 7);
    const padding = upper >= 0x80 ? upper & 0x7 : 0;
    at += 8;
    if (length === 0 || at + length > head.length) return undefined;
    const record = fieldsOf(head.subarray(at, at + length));
    if (record?.numbers.get(1) === BigInt(METADATA)) {
      const identity = fieldsOf(record.bytes.get(3) ?? new Uint8Array());
      const [memberId, clusterId] = [identity?.numbers.get(1), identity?.numbers.get(2)];
      if (memberId === undefined || clusterId === undefined) return undefined;
      return { memberId: String(memberId), clusterId: String(clusterId) };
    }
    at += length + padding;
  }
  return undefined;
}

/** Numbers and bytes of a message of protobuf, the only two kinds that are in these. */
function fieldsOf(message: Uint8Array) {
  const numbers = new Map<number, bigint>();
  const bytes = new Map<number, Uint8Array>();
  let at = 0;
  while (at < message.length) {
    const tag = varint();
    const value = varint();
    if (tag === undefined || value === undefined) return undefined;
    const field = Number(tag >> 3n);
    switch (Number(tag & 7n)) {
      case 0:
        numbers.set(field, value);
        break;
      case 2:
        if (value > BigInt(message.length - at)) return undefined;
        bytes.set(field, message.subarray(at, at + Number(value)));
        at += Number(value);
        break;
      default:
        return undefined;
    }
  }
  return { numbers, bytes };

  function varint(): bigint | undefined {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined) return undefined;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    return undefined;
  }
}
