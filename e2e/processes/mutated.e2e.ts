/** Requests of the real clients with bytes changed: no crash, no 5xx, and the next good request works. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { RECORDINGS, type Recording } from '../clients/record.ts';
import { startNode } from './node.ts';

const CASES = Number(process.env.MUTATED ?? 100_000);
const SEED = Number(process.env.MUTATED_SEED ?? 1);
const AT_ONCE = 32;
/** An unanswered case is a held poll or waits for more bytes than it was promised. */
const UNANSWERED_MS = 40;
const GOOD_EVERY = 2_000;
/** Ports of one loopback address would not do: each case is a connection of its own. */
const SOURCES = 200;

const recordings = (JSON.parse(readFileSync(RECORDINGS, 'utf8')) as Recording[]).map(({ bytes }) =>
  Buffer.from(bytes, 'latin1'),
);
const NASTY = ['%', '%00', '%ff', '&', '=', '\0', '\r\n', '\r\n\r\n', '..', '{', '"', '[', '\u00ff', '-1', '1e999'].map(
  (text) => Buffer.from(text, 'latin1'),
);

describe(`${CASES} requests of the real clients with bytes changed`, () => {
  test('are answered below 500 or cut, and the node goes on as before', async (context) => {
    await using node = await startNode();
    const pid = node.pid;
    const statuses = new Map<number, number>();
    let next = 0;
    const worker = async () => {
      while (next < CASES) {
        const number = next++;
        const request = mutate(number);
        const status = await statusOf(node.port, request, number);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        // 501 is how unknown calls of naming are answered (spec: naming 0.1).
        if (status >= 500 && status !== 501)
          assert.fail(`case ${number} was answered ${status}: ${JSON.stringify(`${request}`)}`);
        if (number % GOOD_EVERY === 0) await assertWorks(node.url(''), number);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    await assertWorks(node.url(''), CASES);
    assert.equal(node.pid, pid);
    assert.doesNotMatch(node.log, /a request failed unexpectedly|unhandled|uncaught/i);
    const counts = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${count} x ${status || 'none'}`);
    context.diagnostic(`seed ${SEED}: ${counts.join(', ')}`);
    // Were all of it refused, nothing behind the parser would have been tried.
    assert.ok((statuses.get(200) ?? 0) > CASES / 20 && (statuses.get(400) ?? 0) > CASES / 20);
  });

  test('nor do datagrams at the port that pushes come from', async () => {
    await using node = await startNode();
    const socket = createSocket('udp4');
    const pushed = new Promise<{ readonly address: string; readonly port: number }>((resolve) => {
      socket.once('message', (_bytes, from) => resolve(from));
    });
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const asked = `serviceName=pushed&clientIP=127.0.0.1&udpPort=${socket.address().port}`;
    await fetch(node.url(`/v1/ns/instance/list?${asked}`), { headers: { 'user-agent': 'Nacos-Java-Client:v1.4.2' } });
    await fetch(node.url('/v1/ns/instance?serviceName=pushed&ip=10.0.0.1&port=1'), { method: 'POST' });
    const { port } = await pushed;
    const ack = Buffer.from('{"type":"push-ack","lastRefTime":"1700000000000000","data":""}');
    const random = randomOf(SEED);
    for (let n = 0; n < CASES / 10; n++) {
      const bytes = n % 100 === 0 ? Buffer.alloc(random(65_000), random(256)) : changed(ack, random);
      await new Promise((resolve) => socket.send(bytes, port, '127.0.0.1', resolve));
    }
    socket.close();
    await assertWorks(node.url(''), 0);
    assert.ok(node.log.split('\n').length < 200, 'there is no line for each packet');
  });
});

function mutate(number: number): Buffer {
  const random = randomOf(SEED * 1_000_003 + number);
  return changed(recordings[random(recordings.length)]!, random);
}

function changed(original: Buffer, random: (bound: number) => number): Buffer {
  let bytes = Buffer.from(original);
  for (let changes = 1 + random(4); changes > 0; changes--) {
    const at = random(bytes.length + 1);
    const after = Math.min(bytes.length, at + 1 + random(8));
    const part = bytes.subarray(at, after);
    switch (random(6)) {
      case 0:
        if (at < bytes.length) bytes[at] = random(256);
        break;
      case 1:
        if (at < bytes.length) bytes[at]! ^= 1 << random(8);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(after)]);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, after), part, bytes.subarray(after)]);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at), NASTY[random(NASTY.length)]!, bytes.subarray(at)]);
        break;
      case 5: {
        // A piece of another request.
        const other = recordings[random(recordings.length)]!;
        const from = random(other.length);
        bytes = Buffer.concat([bytes.subarray(0, at), other.subarray(from, from + random(60)), bytes.subarray(after)]);
        break;
      }
    }
  }
  return bytes;
}

/** The first status that comes; 0 for none: the connection was cut, or nothing came in time. */
function statusOf(port: number, request: Buffer, number: number): Promise<number> {
  return new Promise((resolve) => {
    const localAddress = `127.0.0.${2 + (number % SOURCES)}`;
    const socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true });
    let head = '';
    const end = (status: number) => {
      socket.destroy();
      resolve(status);
    };
    socket.setTimeout(UNANSWERED_MS, () => end(0));
    socket.on('error', () => end(0));
    socket.on('close', () => end(0));
    socket.on('data', (chunk) => {
      head += chunk.toString('latin1');
      const status = /^HTTP\/1\.1 (\d{3})/.exec(head)?.[1];
      if (status !== undefined) end(Number(status));
    });
    socket.end(request);
  });
}

async function assertWorks(base: string, number: number): Promise<void> {
  const ip = `10.9.${(number >> 8) & 255}.${number & 255}`;
  const registered = await fetch(`${base}/v1/ns/instance?serviceName=good&ip=${ip}&port=1`, { method: 'POST' });
  assert.equal(await registered.text(), 'ok');
  const listed = await fetch(`${base}/v1/ns/instance/list?serviceName=good`);
  const { hosts } = (await listed.json()) as { hosts: { ip: string }[] };
  assert.ok(hosts.some((host) => host.ip === ip));
}

/** Mulberry32: a case is the same whenever it is drawn. */
function randomOf(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}
