import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';

const PAGE_BYTES = 4096;

/** Pages that hold rows of a table and nothing else. */
export function leavesOf(table: string, path: string): readonly number[] {
  const database = new DatabaseSync(path, { readOnly: true });
  const rows = database
    .prepare(`SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY pageno`)
    .all(table) as { pageno: number }[];
  database.close();
  return rows.map(({ pageno }) => pageno);
}

export async function destroyPages(path: string, pages: readonly number[]): Promise<void> {
  assert.ok(pages.length > 0);
  const file = await open(path, 'r+');
  for (const page of pages) await file.write(Buffer.alloc(PAGE_BYTES, 0xa5), 0, PAGE_BYTES, (page - 1) * PAGE_BYTES);
  await file.close();
}
