import assert from 'node:assert/strict';
import { open, readFile } from 'node:fs/promises';
import type { Mariadb } from './mariadb.ts';

const PAGE_BYTES = 16_384;
const CHECKSUM_BYTES = 4;
const PAGE_TYPE_AT = 24;
const LEVEL_AT = 64;
const INDEX_AT = 66;
const INDEX_PAGE = 0x45bf;
/** The root of the first index, which is the one with the rows. */
const ROOT = 3;
const FIRST_ROW_AT = 120;
/** A transaction that has never been, and nothing to undo, so that the server does not forget it. */
const FUTURE = Buffer.from('7f000000000580000000000000', 'hex');

export interface DamagedRow {
  readonly table: string;
  /** Its columns as they are stored, one behind the other. */
  readonly primaryKey: Uint8Array;
}

/** Of tables with a signed `bigint` as their key, for which the sign is turned round. */
export function signedKey(id: string): Uint8Array {
  const key = Buffer.alloc(8);
  key.writeBigUInt64BE(BigInt(id) + 2n ** 63n);
  return key;
}

export function unsignedKey(id: string): Uint8Array {
  const key = Buffer.alloc(8);
  key.writeBigUInt64BE(BigInt(id));
  return key;
}

/** Writes into the files of the tables what MariaDB finds corrupt (1034) of these rows, and of them alone. Starts it anew. */
export async function damageRows(server: Mariadb, database: string, rows: readonly DamagedRow[]): Promise<void> {
  const [found] = await server.query('SELECT @@datadir AS folder, @@innodb_page_size AS bytes');
  assert.equal(Number(found!['bytes']), PAGE_BYTES);
  await server.shutDown();
  for (const { table, primaryKey } of rows) {
    await damageRow(`${found!['folder']}/${database}/${table}.ibd`, Buffer.from(primaryKey));
  }
  await server.start();
}

/** Its key is followed by the transaction that wrote it. */
async function damageRow(path: string, primaryKey: Buffer): Promise<void> {
  // Of a server that is new.
  const row = Buffer.concat([primaryKey, Buffer.alloc(2)]);
  const bytes = await readFile(path);
  const pageAt = (number: number) => bytes.subarray(number * PAGE_BYTES, (number + 1) * PAGE_BYTES);
  const index = pageAt(ROOT).readBigUInt64BE(INDEX_AT);
  const pages = Array.from({ length: bytes.length / PAGE_BYTES }, (_, number) => pageAt(number));
  const leaf = pages.findIndex((page) => {
    const isLeaf = page.readUInt16BE(PAGE_TYPE_AT) === INDEX_PAGE && page.readUInt16BE(LEVEL_AT) === 0;
    return isLeaf && page.readBigUInt64BE(INDEX_AT) === index && page.includes(row, FIRST_ROW_AT);
  });
  assert.ok(leaf >= 0, `${path} has no row ${primaryKey.toString('hex')}`);
  const page = pages[leaf]!;
  FUTURE.copy(page, page.indexOf(row, FIRST_ROW_AT) + primaryKey.length);
  const end = PAGE_BYTES - CHECKSUM_BYTES;
  page.writeUInt32BE(crc32c(page.subarray(0, end)), end);
  const file = await open(path, 'r+');
  await file.write(page, 0, PAGE_BYTES, leaf * PAGE_BYTES);
  await file.close();
}

function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}
