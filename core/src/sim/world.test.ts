import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Host, HttpHandler, OutboundRequest } from '../host/host.ts';
import { World } from './world.ts';

const ok: HttpHandler = (request) => ({ status: 200, body: `${request.method} ${request.path}` });

function serve(host: Host, handler: HttpHandler = ok, port = 80) {
  return host.network.serve({ address: '0.0.0.0', port, bodyBytesMax: 100 }, handler);
}

function ask(host: Host, address: string, more: Partial<OutboundRequest> = {}) {
  return host.network.request({ address, port: 80, method: 'GET', path: '/x', timeoutMs: 3_000, ...more });
}

async function kindOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'answered',
    (error) => error.kind,
  );
}

function two(seed = 1) {
  const world = new World({ seed });
  const a = world.process('a', { address: '10.0.0.1' });
  const b = world.process('b', { address: '10.0.0.2' });
  return { world, a, b };
}

/** Some of everything, so that anything that depends on more than the seed would show. */
async function busyWorld(seed: number): Promise<World> {
  const world = new World({ seed });
  world.link({ lossRate: 0.1, duplicateRate: 0.1 });
  const names = ['n1', 'n2', 'n3'];
  const main = async (host: Host) => {
    await serve(host, async (request) => {
      await host.clock.sleep(host.random.int(20));
      return { status: 200, body: request.path };
    });
    const socket = await host.network.udp({ address: '0.0.0.0', port: 53 });
    socket.onMessage((bytes, from) => host.log.info('datagram', { bytes: bytes.length, from: from.address }));
    const journal = await host.disk.append('/data/journal');
    host.clock.every(100, () => {
      const target = names[host.random.int(3)] as string;
      host.background('write', journal.write(`${host.clock.now()}\n`));
      host.background('ask', ask(host, target, { timeoutMs: 200 }).catch(() => {}) as Promise<unknown>);
      host.background('send', socket.send(host.random.bytes(10), { address: target, port: 53 }));
    });
  };
  for (const [i, name] of names.entries()) {
    const host = world.process(name, { address: `10.0.0.${i + 1}`, clockSkewMs: i * 100, clockRate: 1 + i / 1000 });
    host.background('main', main(host));
  }
  const faults = world.random('faults');
  for (let i = 0; i < 10; i++) {
    await world.advance(500);
    const name = names[faults.int(3)] as string;
    const fault = faults.int(4);
    if (fault === 0) world.restart(name, main);
    else if (fault === 1) world.partition(name);
    else if (fault === 2) world.pause(name, 300);
    else world.heal();
  }
  return world;
}

test('the same seed gives the same run, line by line', async () => {
  const [one, other] = [await busyWorld(7), await busyWorld(7)];
  assert.ok(one.trace().length > 200);
  assert.deepEqual(one.trace(), other.trace());
  assert.equal(one.fingerprint(), other.fingerprint());
});

test('another seed gives another run', async () => {
  assert.notEqual((await busyWorld(7)).fingerprint(), (await busyWorld(8)).fingerprint());
});

test('drawing in one place does not shift what another draws', async () => {
  const arrivals = async (draws: number) => {
    const { world, a, b } = two();
    await serve(b);
    for (let i = 0; i < draws; i++) a.random.float();
    await world.finish(ask(a, 'b'));
    return world.nowMs;
  };
  assert.equal(await arrivals(0), await arrivals(5));
});

test('a request crosses the link and comes back, after some time', async () => {
  const { world, a, b } = two();
  await serve(b, (request) => ({
    status: 201,
    headers: { 'X-From': request.remote.address },
    body: `${request.query} ${request.headers['x-one']} ${Buffer.from(request.body)}`,
  }));
  const response = await world.finish(
    ask(a, '10.0.0.2', { method: 'POST', path: '/p?q=1', headers: { 'X-One': '1' }, body: 'body' }),
  );
  assert.equal(response.status, 201);
  assert.equal(response.headers['x-from'], '10.0.0.1');
  assert.equal(Buffer.from(response.body).toString(), 'q=1 1 body');
  assert.ok(world.nowMs > 0.8, 'two ways to connect, two for the exchange');
});

test('connecting fails as on a real network: refused, unreachable, and in time when cut', async () => {
  const { world, a } = two();
  assert.equal(await world.finish(kindOf(ask(a, 'b'))), 'refused');
  assert.equal(await world.finish(kindOf(ask(a, '10.9.9.9'))), 'unreachable');
  world.partition('a');
  const startMs = world.nowMs;
  assert.equal(await world.finish(kindOf(ask(a, 'b', { timeoutMs: 2_000 }))), 'timeout');
  assert.equal(world.nowMs - startMs, 2_000);
  assert.equal(await world.finish(kindOf(a.network.connect({ address: 'b', port: 80 }, 500))), 'timeout');
});

test('a cut of the way back lets a request be carried out whose answer is lost', async () => {
  const { world, a, b } = two();
  let served = 0;
  await serve(b, () => {
    served++;
    return { status: 200, body: '' };
  });
  await world.finish(ask(a, 'b'));
  world.cut('b', 'a');
  assert.equal(await world.finish(kindOf(ask(a, 'b'))), 'timeout');
  assert.equal(served, 2);
});

test('a cut one way leaves datagrams the other way', async () => {
  const { world, a, b } = two();
  const received: string[] = [];
  const sockets = await Promise.all([a, b].map((host) => host.network.udp({ address: '0.0.0.0', port: 53 })));
  for (const [i, socket] of sockets.entries()) socket.onMessage((_, from) => received.push(`${i} < ${from.address}`));
  world.cut('a', 'b');
  await sockets[0]?.send(new Uint8Array(1), { address: '10.0.0.2', port: 53 });
  await sockets[1]?.send(new Uint8Array(1), { address: '10.0.0.1', port: 53 });
  await world.advance(1_000);
  assert.deepEqual(received, ['0 < 10.0.0.2']);
});

test('datagrams are lost and doubled as the link says', async () => {
  const { world, a, b } = two();
  let received = 0;
  const to = await b.network.udp({ address: '0.0.0.0', port: 53 });
  to.onMessage(() => received++);
  const from = await a.network.udp({ address: '0.0.0.0', port: 0 });
  const send100 = async () => {
    received = 0;
    for (let i = 0; i < 100; i++) await from.send(new Uint8Array(1), { address: 'b', port: 53 });
    await world.advance(100);
    return received;
  };
  assert.equal(await send100(), 100);
  world.link({ lossRate: 0.5 });
  const some = await send100();
  assert.ok(some > 25 && some < 75, `${some}`);
  world.link({ lossRate: 0, duplicateRate: 1 });
  assert.equal(await send100(), 200);
});

test('what was sent before a cut arrives after it heals, even if its caller has given up', async () => {
  const { world, a, b } = two();
  const served: string[] = [];
  await serve(b, (request) => {
    served.push(request.path);
    return { status: 200, body: '' };
  });
  await world.finish(ask(a, 'b', { path: '/first' }));
  world.partition('a');
  assert.equal(await world.finish(kindOf(ask(a, 'b', { path: '/late', timeoutMs: 1_000 }))), 'timeout');
  assert.deepEqual(served, ['/first']);
  world.heal();
  await world.advance(15_000);
  assert.deepEqual(served, ['/first', '/late']);
});

test('what is held on its way is overtaken by what is sent later, and arrives all the same', async () => {
  const { world, a, b } = two();
  const served: string[] = [];
  await serve(b, (request) => {
    served.push(request.path);
    return { status: 200, body: '' };
  });
  await world.finish(ask(a, 'b', { path: '/first' }));
  world.hold('a', 'b', 1);
  assert.equal(await world.finish(kindOf(ask(a, 'b', { path: '/old', timeoutMs: 1_000 }))), 'timeout');
  world.hold('a', 'b', 0);
  await world.finish(ask(a, 'b', { path: '/new' }));
  assert.deepEqual(served, ['/first', '/new']);
  await world.advance(60_000);
  assert.deepEqual(served, ['/first', '/new', '/old']);
});

test('a held request hears that its caller is gone', async () => {
  const { world, a, b } = two();
  let gone = 0;
  await serve(b, (request) => {
    request.onGone(() => gone++);
    return new Promise(() => {});
  });
  assert.equal(await world.finish(kindOf(ask(a, 'b', { timeoutMs: 500 }))), 'timeout');
  await world.advance(100);
  assert.equal(gone, 1);
});

test('a killed process resets its callers, refuses new ones, and hears of neither its timers nor its answers', async () => {
  const { world, a, b } = two();
  let ticks = 0;
  b.clock.every(100, () => ticks++);
  await serve(b, () => new Promise(() => {}));
  await serve(a);
  let isAnswered = false;
  void ask(b, 'a').then(() => {
    isAnswered = true;
  });
  const held = kindOf(ask(a, 'b'));
  await world.advance(250);
  assert.equal(isAnswered, true);
  isAnswered = false;
  void ask(b, 'a').then(() => {
    isAnswered = true;
  });
  world.kill('b');
  assert.equal(await world.finish(held), 'reset');
  assert.equal(await world.finish(kindOf(ask(a, 'b'))), 'refused');
  await world.advance(5_000);
  assert.equal(ticks, 2);
  assert.equal(isAnswered, false);
  await serve(world.restart('b'));
  assert.equal(await world.finish(kindOf(ask(a, 'b'))), 'answered');
});

test('a crashed machine says nothing until it is back, and then has forgotten its connections', async () => {
  const { world, a, b } = two();
  await serve(b);
  await world.finish(ask(a, 'b'));
  world.crash('b');
  assert.equal(await world.finish(kindOf(ask(a, 'b', { method: 'POST', timeoutMs: 1_000 }))), 'timeout');
  await world.finish(serve(world.restart('b')));
  assert.equal(await world.finish(kindOf(ask(a, 'b', { method: 'POST' }))), 'answered');
});

test('a kept connection that proves dead costs a POST, and a GET nothing', async () => {
  for (const [method, expected] of [
    ['POST', 'reset'],
    ['GET', 'answered'],
  ] as const) {
    const { world, a, b } = two();
    await serve(b);
    await world.finish(ask(a, 'b'));
    world.cut('b', 'a');
    world.restart('b', async (host) => void (await serve(host)));
    await world.advance(10);
    world.heal();
    assert.equal(await world.finish(kindOf(ask(a, 'b', { method }))), expected);
  }
});

test('a crash loses what was not synced and keeps what was, a kill loses nothing', async () => {
  const write = async ({ disk }: Host) => {
    await disk.write('/d/synced', 'one', { sync: true });
    await disk.write('/d/replaced', 'old', { sync: true });
    await disk.write('/d/replaced', 'new');
    await disk.write('/d/loose', 'two');
    const journal = await disk.append('/d/journal');
    await journal.write('kept');
    await journal.sync();
    await journal.write('lost');
  };
  const read = async ({ disk }: Host) => {
    const files: Record<string, string> = {};
    for (const name of await disk.list('/d')) files[name] = Buffer.from(await disk.read(`/d/${name}`)).toString();
    return files;
  };
  const { world, a, b } = two();
  await world.finish(Promise.all([write(a), write(b)]));
  world.kill('a');
  world.crash('b');
  assert.deepEqual(await world.finish(read(world.restart('a'))), {
    journal: 'keptlost',
    loose: 'two',
    replaced: 'new',
    synced: 'one',
  });
  assert.deepEqual(await world.finish(read(world.restart('b'))), { journal: 'kept', replaced: 'old', synced: 'one' });
});

test('a sync keeps a file, and of a directory which names are gone, also where the rest is written out in any order', async () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 80; seed++) {
    const { world, a } = two(seed);
    await world.finish(
      (async () => {
        for (const name of ['/d/gone', '/d/back', '/d/kept']) await a.disk.write(name, 'text', { sync: true });
        await a.disk.write('/d/synced', 'text');
        await a.disk.sync('/d/synced');
        await a.disk.remove('/d/gone');
        await a.disk.sync('/d');
        await a.disk.remove('/d/back');
        await a.disk.write('/d/loose', 'text');
        assert.equal(await kindOf(a.disk.sync('/d/none')), 'missing');
      })(),
    );
    world.crash('a', 'reordered');
    const { disk } = world.restart('a');
    const names = await world.finish(disk.list('/d'));
    assert.deepEqual(
      names.filter((name) => !/^(back|loose)$/.test(name)),
      ['kept', 'synced'],
    );
    assert.equal(Buffer.from(await world.finish(disk.read('/d/synced'))).toString(), 'text');
    const loose = names.includes('loose') ? Buffer.from(await world.finish(disk.read('/d/loose'))).toString() : 'none';
    seen.add(`${names.includes('back')} ${/^(none|text|\0{4})$/.test(loose) ? loose : 'torn'}`);
  }
  assert.equal(seen.size, 8, [...seen].join());
});

test('a torn journal keeps its synced beginning', async () => {
  const lengths = new Set<number>();
  for (let seed = 0; seed < 30; seed++) {
    const { world, a } = two(seed);
    await world.finish(
      (async () => {
        const journal = await a.disk.append('/journal');
        await journal.write('12345');
        await journal.sync();
        await journal.write('67890');
      })(),
    );
    world.crash('a', 'torn');
    const text = Buffer.from(await world.finish(world.restart('a').disk.read('/journal'))).toString();
    assert.ok('1234567890'.startsWith(text) && text.length >= 5, text);
    lengths.add(text.length);
  }
  assert.ok(lengths.size > 3);
});

test('what nobody synced is written out after half a minute', async () => {
  const { world, a } = two();
  await world.finish(a.disk.write('/x', 'old enough'));
  await world.advance(31_000);
  world.crash('a');
  assert.equal(Buffer.from(await world.finish(world.restart('a').disk.read('/x'))).toString(), 'old enough');
});

test('a write that a crash interrupts leaves the old file', async () => {
  const { world, a } = two();
  await world.finish(a.disk.write('/x', 'old', { sync: true }));
  void a.disk.write('/x', 'new', { sync: true });
  world.crash('a');
  assert.equal(Buffer.from(await world.finish(world.restart('a').disk.read('/x'))).toString(), 'old');
});

test('a full disk refuses, a slow one takes its time', async () => {
  const { world, a } = two();
  await world.finish(a.disk.write('/x', 'old'));
  world.disk('a', { full: true });
  assert.equal(await world.finish(kindOf(a.disk.write('/x', 'new'))), 'full');
  assert.equal(Buffer.from(await world.finish(a.disk.read('/x'))).toString(), 'old');
  world.disk('a', { full: false, slowMs: 5_000 });
  const startMs = world.nowMs;
  await world.finish(a.disk.write('/x', 'new'));
  assert.ok(world.nowMs - startMs > 5_000);
});

test('a watch reports a change in its directory, made by another process of the machine', async () => {
  const { world, a } = two();
  const neighbour = world.process('sidecar-a', { address: '10.0.0.1' });
  let reports = 0;
  const watch = a.disk.watch('/conf', () => reports++);
  await world.finish(neighbour.disk.write('/conf/cluster.conf', '10.0.0.1:8848\n'));
  await world.advance(100);
  assert.equal(reports, 1);
  watch.cancel();
  await world.finish(neighbour.disk.remove('/conf/cluster.conf'));
  await world.advance(100);
  assert.equal(reports, 1);
});

test('the timers of a paused process run late, once, and see the clock jump', async () => {
  const { world, a } = two();
  const ticks: number[] = [];
  const startMs = a.clock.monotonic();
  a.clock.every(1_000, () => ticks.push(Math.round(a.clock.monotonic() - startMs)));
  await world.advance(1_500);
  world.pause('a', 4_000);
  await world.advance(6_000);
  assert.deepEqual(ticks, [1_000, 5_500, 6_500, 7_500]);
});

test('a request to a paused process waits until it goes on', async () => {
  const { world, a, b } = two();
  await serve(b);
  world.pause('b', 1_000);
  const response = await world.finish(ask(a, 'b'));
  assert.equal(response.status, 200);
  assert.ok(world.nowMs >= 1_000);
});

test('clocks differ, drift and jump; monotonic time never goes back', async () => {
  const world = new World({ seed: 1, startMs: 1_000_000 });
  const skewed = world.process('skewed', { address: '10.0.0.1', clockSkewMs: 5_000 });
  const fast = world.process('fast', { address: '10.0.0.2', clockRate: 1.1 });
  let firedMs = 0;
  fast.clock.after(11_000, () => {
    firedMs = world.nowMs;
  });
  await world.advance(20_000);
  assert.equal(skewed.clock.now(), 1_025_000);
  assert.equal(fast.clock.now(), 1_022_000);
  assert.equal(Math.round(firedMs), 10_000);
  const beforeMs = skewed.clock.monotonic();
  world.jumpClock('skewed', -3_600_000);
  assert.equal(skewed.clock.now(), 1_025_000 - 3_600_000);
  assert.equal(skewed.clock.monotonic(), beforeMs);
});

test('ports are taken once, loopback listeners are hidden from others, and names lead to machines', async () => {
  const { world, a, b } = two();
  const neighbour = world.process('sidecar-b', { address: '10.0.0.2' });
  await b.network.serve({ address: '127.0.0.1', port: 80, bodyBytesMax: 1 }, ok);
  await assert.rejects(neighbour.network.serve({ address: '0.0.0.0', port: 80, bodyBytesMax: 1 }, ok), {
    kind: 'in-use',
  });
  assert.equal(await world.finish(kindOf(ask(neighbour, '127.0.0.1'))), 'answered');
  assert.equal(await world.finish(kindOf(ask(a, 'b'))), 'refused');
  assert.equal(await world.finish(kindOf(ask(a, '127.0.0.1'))), 'refused');
});

test('bodies over the bound, handlers that throw and broken messages end as with the real host', async () => {
  const { world, a, b } = two();
  await serve(b, (request) => {
    if (request.path === '/throw') throw new Error('handler trouble');
    return { status: 200, body: 'x'.repeat(50) };
  });
  assert.equal((await world.finish(ask(a, 'b', { method: 'POST', body: 'x'.repeat(101) }))).status, 413);
  assert.equal((await world.finish(ask(a, 'b', { path: '/throw' }))).status, 500);
  assert.match(world.problems().join(), /handler trouble/);
  assert.equal(await world.finish(kindOf(ask(a, 'b', { bodyBytesMax: 49 }))), 'protocol');
  assert.equal(await world.finish(kindOf(ask(a, 'b', { path: '/a b' }))), 'protocol');
});

test('a listener that stops lets the answer under way finish and takes no more', async () => {
  const { world, a, b } = two();
  const answer = Promise.withResolvers<void>();
  const listener = await serve(b, async () => {
    await answer.promise;
    return { status: 200, body: 'late' };
  });
  const response = ask(a, 'b');
  await world.advance(100);
  let isStopped = false;
  void listener.stop(1_000).then(() => {
    isStopped = true;
  });
  await world.advance(100);
  assert.equal(isStopped, false);
  answer.resolve();
  assert.equal(Buffer.from((await world.finish(response)).body).toString(), 'late');
  await world.advance(10);
  assert.equal(isStopped, true);
  assert.equal(await world.finish(kindOf(ask(a, 'b'))), 'refused');
});

test('requests pass a proxy that joins streams, and end with what is behind it', async () => {
  const { world, a, b } = two();
  const proxy = world.process('proxy', { address: '10.0.0.3' });
  await serve(b);
  await proxy.network.listen({ address: '0.0.0.0', port: 80 }, (near) => {
    const far = proxy.network.connect({ address: 'b', port: 80 }, 1_000);
    proxy.background(
      'join',
      far.then((stream) => near.join(stream)).catch(() => near.close()),
    );
  });
  const response = await world.finish(ask(a, 'proxy', { path: '/through' }));
  assert.equal(Buffer.from(response.body).toString(), 'GET /through');
  world.kill('b');
  await world.advance(10);
  assert.equal(await world.finish(kindOf(ask(a, 'proxy'))), 'reset');
});

test('a timer that throws is a problem on the record, not the end of the world', async () => {
  const { world, a } = two();
  a.clock.after(1, () => {
    throw new Error('timer trouble');
  });
  a.background('work', Promise.reject(new Error('work trouble')));
  await world.advance(10);
  assert.match(world.problems().join('\n'), /work trouble[\s\S]*timer trouble/);
});

test('a loop without a delay is told instead of standing still', async () => {
  const { world, a } = two();
  const again = () => void a.clock.after(0, again);
  a.clock.after(5, again);
  await assert.rejects(world.advance(10), /time stands still at 5 ms/);
});
