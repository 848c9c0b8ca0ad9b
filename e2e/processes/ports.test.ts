import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { freePortRow, freePorts } from './ports.ts';

test('ports are given with free neighbours, and no two share one', async () => {
  const ports = await freePorts(5);
  const all = ports.flatMap((port) => [port - 1000, port, port + 1000]);
  assert.equal(new Set(all).size, 15);
  for (const port of all)
    await new Promise<void>((resolve, reject) => {
      const server = createServer().once('error', reject);
      server.listen(port, '127.0.0.1', () => server.close(() => resolve()));
    });
});

test('a row has its ports in steps', async () => {
  const lowest = await freePortRow(5, 10);
  assert.ok(lowest >= 11_000 && lowest + 40 < 30_000);
});
