import { gunzipSync } from 'node:zlib';

export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Told by the first bytes, never by a header: Java members label plain JSON as gzip, and clients sniff too. Undefined
 * when it is broken or larger than the bound.
 */
export function inflateIfGzip(bytes: Uint8Array, bytesMax: number): Uint8Array | undefined {
  if (!isGzip(bytes)) return bytes.length > bytesMax ? undefined : bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: bytesMax });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    return undefined;
  }
}
