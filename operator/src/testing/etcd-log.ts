/** The head of a segment of etcd's log, as etcd writes it: a checksum, then whose it is. */
export function logSegment(memberId: bigint, clusterId: bigint): Uint8Array {
  const identity = [0x08, ...varint(memberId), 0x10, ...varint(clusterId)];
  const checksum = record([0x08, 0x04, 0x10, 0x00]);
  return new Uint8Array([
    ...checksum,
    ...record([0x08, 0x01, 0x10, ...varint(12345n), 0x1a, identity.length, ...identity]),
  ]);
}

function record(message: readonly number[]): readonly number[] {
  const padding = (8 - (message.length % 8)) % 8;
  const upper = padding === 0 ? 0 : 0x80 | padding;
  return [message.length, 0, 0, 0, 0, 0, 0, upper, ...message, ...new Array<number>(padding).fill(0)];
}

function varint(value: bigint): readonly number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}
