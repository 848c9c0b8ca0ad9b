import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Pace } from './pace.ts';

export interface ArchiveBounds {
  readonly entriesMax: number;
  /** Of all entries together, inflated. */
  readonly bytesMax: number;
  /** Inflated to compressed, of one entry beyond `RATIO_FREE_BYTES`. */
  readonly ratioMax: number;
}

/** What a client may hand in. */
export const IMPORT_BOUNDS: ArchiveBounds = { entriesMax: 1_000, bytesMax: 50 * 1024 * 1024, ratioMax: 100 };
/** Small repetitive files compress beyond every ratio and harm nobody. */
export const RATIO_FREE_BYTES = 64 * 1024;
const NAME_BYTES_MAX = 1_024;

/**
 * - `none`: the bytes are no archive at all.
 * - `broken`: an archive that was cut or damaged.
 * - `refused`: it holds what no export has: names that lead out of it, links, bombs.
 */
export type ArchiveErrorKind = 'none' | 'broken' | 'refused';

export class ArchiveError extends Error {
  override readonly name = 'ArchiveError';
  readonly kind: ArchiveErrorKind;
  constructor(kind: ArchiveErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

export interface ArchiveEntry {
  readonly name: string;
  readonly bytes: number;
  /** Never more than `bytes`, and checked against the sum the archive gives. */
  content(): Uint8Array;
}

/**
 * The files of an archive, without its directories. Everything is judged by the directory at its end before a single
 * byte is inflated, and the parts must lie one behind the other: entries that share their bytes are bombs.
 */
export function readArchive(bytes: Uint8Array, bounds: ArchiveBounds): readonly ArchiveEntry[] {
  const archive = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = findEnd(archive);
  if (end.entries > bounds.entriesMax) throw refused(`${end.entries} entries, over ${bounds.entriesMax}`);
  const headers = readDirectory(archive, end);
  const names = new Set<string>();
  let total = 0;
  for (const header of headers) {
    const { name, bytes, compressed } = header;
    checkHeader(header);
    if (names.has(name)) throw refused(`it has ${shown(name)} twice`);
    names.add(name);
    total += bytes;
    if (total > bounds.bytesMax) throw refused(`it inflates to over ${bounds.bytesMax} bytes`);
    if (bytes > RATIO_FREE_BYTES && bytes > compressed * bounds.ratioMax) {
      throw refused(`${shown(name)} inflates to over ${bounds.ratioMax} times its size`);
    }
  }
  const ordered = [...headers].sort((one, other) => one.offset - other.offset);
  let behind = 0;
  const entries = new Map<Header, ArchiveEntry>();
  for (const header of ordered) {
    if (header.offset < behind) throw refused(`${shown(header.name)} shares its bytes with another entry`);
    const data = dataOf(archive, header, end.directory);
    behind = data.byteOffset - archive.byteOffset + data.length;
    if (header.name.endsWith('/')) continue;
    entries.set(header, { name: header.name, bytes: header.bytes, content: () => inflate(header, data) });
  }
  return headers.flatMap((header) => entries.get(header) ?? []);
}

/** Beyond it compressing well would keep everybody else waiting. */
const LARGE_BYTES = 1024 * 1024;
const STORED = 0;
const DEFLATED = 8;
const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const ENTRY_SIGNATURE = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_BYTES = 30;
/** Encrypted, patched, strongly encrypted, masked. */
const FLAGS_REFUSED = 0x0001 | 0x0020 | 0x0040 | 0x2000;
const FLAG_UTF8 = 0x0800;
const FILE_TYPE = 0xf000;
const FILE_TYPES_ALLOWED: ReadonlySet<number> = new Set([0, 0x8000, 0x4000]);

interface End {
  readonly entries: number;
  /** Where the directory starts; it ends at `at`. */
  readonly directory: number;
  readonly at: number;
}

interface Header {
  readonly name: string;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly compressed: number;
  readonly bytes: number;
  readonly fileType: number;
  readonly offset: number;
}

function findEnd(archive: Buffer): End {
  const last = archive.length - END_BYTES;
  for (let at = last; at >= Math.max(0, last - 0xffff); at--) {
    if (archive.readUInt32LE(at) !== END_SIGNATURE || archive.readUInt16LE(at + 20) !== last - at) continue;
    const entries = archive.readUInt16LE(at + 10);
    const size = archive.readUInt32LE(at + 12);
    const directory = archive.readUInt32LE(at + 16);
    if (entries === 0xffff || size === 0xffffffff || directory === 0xffffffff) throw refused('it is a zip64 archive');
    if (archive.readUInt32LE(at + 4) !== 0 || archive.readUInt16LE(at + 8) !== entries) {
      throw refused('it is one of several parts');
    }
    // Where it does not end, more entries than it counts could hide.
    if (directory + size !== at) throw broken('its directory is not where it should be');
    return { entries, directory, at };
  }
  if (archive.length >= 4 && archive.readUInt32LE(0) === LOCAL_SIGNATURE) throw broken('its end is missing');
  throw new ArchiveError('none', 'this is no zip archive');
}

function readDirectory(archive: Buffer, end: End): readonly Header[] {
  const headers: Header[] = [];
  let at = end.directory;
  for (let n = 0; n < end.entries; n++) {
    if (at + ENTRY_BYTES > end.at || archive.readUInt32LE(at) !== ENTRY_SIGNATURE) throw broken('its directory is cut');
    const nameBytes = archive.readUInt16LE(at + 28);
    const next = at + ENTRY_BYTES + nameBytes + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
    if (next > end.at) throw broken('its directory is cut');
    headers.push({
      name: readName(archive.subarray(at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes)),
      flags: archive.readUInt16LE(at + 8),
      method: archive.readUInt16LE(at + 10),
      crc: archive.readUInt32LE(at + 16),
      compressed: archive.readUInt32LE(at + 20),
      bytes: archive.readUInt32LE(at + 24),
      fileType: (archive.readUInt32LE(at + 38) >>> 16) & FILE_TYPE,
      offset: archive.readUInt32LE(at + 42),
    });
    at = next;
  }
  if (at !== end.at) throw broken('its directory holds more than it counts');
  return headers;
}

function readName(bytes: Buffer): string {
  if (bytes.length > NAME_BYTES_MAX) throw refused(`a name is over ${NAME_BYTES_MAX} bytes`);
  let name: string;
  try {
    name = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new ArchiveError('refused', 'a name is not valid UTF-8', { cause });
  }
  checkName(name);
  return name;
}

/** Nothing here makes files of names, but whoever unpacks an export does. */
function checkName(name: string): void {
  if (name === '' || /[\x00-\x1f\x7f\\]/.test(name)) throw refused(`the name ${shown(name)} is not allowed`);
  const segments = name.replace(/\/$/, '').split('/');
  if (/^[A-Za-z]:\//.test(name) || segments.some((one) => one === '' || one === '.' || one === '..')) {
    throw refused(`the name ${shown(name)} leads out of it`);
  }
}

function checkHeader({ name, flags, method, compressed, bytes, fileType }: Header): void {
  if ((flags & FLAGS_REFUSED) !== 0) throw refused(`${shown(name)} is encrypted`);
  if (method !== STORED && method !== DEFLATED) throw refused(`${shown(name)} has the compression ${method}`);
  if (!FILE_TYPES_ALLOWED.has(fileType)) throw refused(`${shown(name)} is a link or a device`);
  if (method === STORED && compressed !== bytes) throw broken(`the sizes of ${shown(name)} differ`);
}

/** The local header must tell of the same entry: programs that read by one of both must not see different things. */
function dataOf(archive: Buffer, header: Header, directory: number): Buffer {
  const at = header.offset;
  if (at + LOCAL_BYTES > directory || archive.readUInt32LE(at) !== LOCAL_SIGNATURE) {
    throw broken(`${shown(header.name)} is not where it should be`);
  }
  const nameEnd = at + LOCAL_BYTES + archive.readUInt16LE(at + 26);
  const start = nameEnd + archive.readUInt16LE(at + 28);
  const end = start + header.compressed;
  if (end > directory) throw broken(`${shown(header.name)} is cut`);
  const name = archive.subarray(at + LOCAL_BYTES, nameEnd).toString('utf8');
  if (name !== header.name || archive.readUInt16LE(at + 8) !== header.method) {
    throw refused(`${shown(header.name)} has two headers that differ`);
  }
  return archive.subarray(start, end);
}

function inflate({ name, method, bytes, crc }: Header, data: Buffer): Uint8Array {
  let content: Uint8Array = data;
  if (method === DEFLATED) {
    try {
      content = inflateRawSync(data, { maxOutputLength: Math.max(1, bytes) });
    } catch (cause) {
      throw new ArchiveError('broken', `${shown(name)} cannot be inflated to the size it gives`, { cause });
    }
  }
  if (content.length !== bytes || crc32(content) !== crc) throw broken(`${shown(name)} is damaged`);
  return content;
}

export interface ArchiveFile {
  readonly name: string;
  readonly content: Uint8Array;
}

/**
 * Entries beyond the ratio for an import are stored as they are, so that every export can be imported. Rejects with
 * `refused` on a name that an import would refuse.
 */
export async function writeArchive(files: Iterable<ArchiveFile>, time: DosTime, pace: Pace): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content } of files) {
    checkName(name);
    const deflated = deflateRawSync(content, { level: content.length > LARGE_BYTES ? 1 : 6 });
    await pace(content.length);
    const isWorth = deflated.length < content.length && content.length <= deflated.length * IMPORT_BOUNDS.ratioMax;
    const data = isWorth ? deflated : content;
    const nameBytes = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(FLAG_UTF8, 2);
    common.writeUInt16LE(isWorth ? DEFLATED : STORED, 4);
    common.writeUInt16LE(time.time, 6);
    common.writeUInt16LE(time.date, 8);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(nameBytes.length, 22);
    const entry = Buffer.alloc(ENTRY_BYTES);
    entry.writeUInt32LE(ENTRY_SIGNATURE, 0);
    entry.writeUInt16LE(20, 4);
    common.copy(entry, 6);
    entry.writeUInt32LE(offset, 42);
    directory.push(entry, nameBytes);
    parts.push(signature(LOCAL_SIGNATURE), common, nameBytes, Buffer.from(data.buffer, data.byteOffset, data.length));
    offset += LOCAL_BYTES + nameBytes.length + data.length;
  }
  return Buffer.concat([...parts, ...directory, writeEnd(directory, offset)]);
}

/** As zip archives keep it: two seconds are the smallest step, and no zone is told. */
export interface DosTime {
  readonly time: number;
  readonly date: number;
}

/** From `2026-01-31T10:06:50…`. */
export function dosTime(isoTime: string): DosTime {
  const [year = 1980, month = 1, day = 1, hour = 0, minute = 0, second = 0] = isoTime.split(/\D/).map(Number);
  return {
    time: (hour << 11) | (minute << 5) | (second >> 1),
    date: (Math.min(127, Math.max(0, year - 1980)) << 9) | (month << 5) | day,
  };
}

function writeEnd(directory: readonly Buffer[], offset: number): Buffer {
  const end = Buffer.alloc(END_BYTES);
  end.writeUInt32LE(END_SIGNATURE, 0);
  end.writeUInt16LE(directory.length / 2, 8);
  end.writeUInt16LE(directory.length / 2, 10);
  end.writeUInt32LE(
    directory.reduce((sum, part) => sum + part.length, 0),
    12,
  );
  end.writeUInt32LE(offset, 16);
  return end;
}

function signature(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** A name in a message: short, and nothing that could pass for something else. */
function shown(name: string): string {
  const plain = name.replace(/[^\x21-\x7e\p{L}]/gu, '?');
  return plain.length > 80 ? `'${plain.slice(0, 80)}…'` : `'${plain}'`;
}

function refused(what: string): ArchiveError {
  return new ArchiveError('refused', `the archive is refused: ${what}`);
}

function broken(what: string): ArchiveError {
  return new ArchiveError('broken', `the archive is broken: ${what}`);
}
