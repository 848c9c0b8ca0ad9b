import { crc32, deflateRawSync } from 'node:zlib';

/** One entry as a test wants it, good or bad; what is left out is as it should be. */
export interface TestEntry {
  readonly name: string | Uint8Array;
  readonly content?: string | Uint8Array;
  readonly localName?: string;
  readonly flags?: number;
  readonly method?: number;
  readonly crc?: number;
  /** The size that the headers give. */
  readonly bytes?: number;
  /** Of Unix: 0o120777 is a link. */
  readonly mode?: number;
  /** Where the directory says the entry is: at another one's place, for bombs that share their bytes. */
  readonly offset?: number;
  readonly isStored?: boolean;
}

export interface TestArchive {
  /** The number of entries that the end of the archive gives. */
  readonly count?: number;
  readonly comment?: string;
}

export function zipOf(
  entries: readonly TestEntry[],
  { count = entries.length, comment = '' }: TestArchive = {},
): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const entry of entries) {
    const content = Buffer.from(entry.content ?? '');
    const data = entry.isStored ? content : deflateRawSync(content);
    const name = Buffer.from(entry.name);
    const localName = entry.localName === undefined ? name : Buffer.from(entry.localName);
    const facts = (nameBytes: number) => {
      const bytes = Buffer.alloc(26);
      bytes.writeUInt16LE(20, 0);
      bytes.writeUInt16LE(entry.flags ?? 0x0800, 2);
      bytes.writeUInt16LE(entry.method ?? (entry.isStored ? 0 : 8), 4);
      bytes.writeUInt32LE(entry.crc ?? crc32(content), 10);
      bytes.writeUInt32LE(data.length, 14);
      bytes.writeUInt32LE(entry.bytes ?? content.length, 18);
      bytes.writeUInt16LE(nameBytes, 22);
      return bytes;
    };
    const more = Buffer.alloc(14);
    more.writeUInt32LE(((entry.mode ?? 0) << 16) >>> 0, 6);
    more.writeUInt32LE(entry.offset ?? at, 10);
    directory.push(signed(0x02014b50, 0x0314), facts(name.length), more, name);
    const local = [signed(0x04034b50), facts(localName.length), localName, data];
    parts.push(...local);
    at += local.reduce((sum, part) => sum + part.length, 0);
  }
  const end = Buffer.alloc(18);
  end.writeUInt16LE(count & 0xffff, 4);
  end.writeUInt16LE(count & 0xffff, 6);
  end.writeUInt32LE(
    directory.reduce((sum, part) => sum + part.length, 0),
    8,
  );
  end.writeUInt32LE(at, 12);
  end.writeUInt16LE(Buffer.byteLength(comment), 16);
  return Buffer.concat([...parts, ...directory, signed(0x06054b50), end, Buffer.from(comment)]);
}

/** A link of Unix, as archive programs keep it. */
export const LINK_MODE = 0o120777;

/** A signature, and what stands behind it where there is something. */
function signed(signature: number, more?: number): Buffer {
  const bytes = Buffer.alloc(more === undefined ? 4 : 6);
  bytes.writeUInt32LE(signature);
  if (more !== undefined) bytes.writeUInt16LE(more, 4);
  return bytes;
}
