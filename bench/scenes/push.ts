import { createSocket, type Socket } from 'node:dgram';
import { connect } from 'node:net';
import { decodePush, encodePushAck } from '@nacos-kube/core/wire/push.ts';
import { percentile } from '../machine.ts';
import type { SceneResult } from '../report.ts';
import { ANY, ipOf, OK, type Requests } from '../requests.ts';
import { upTo } from '../rows.ts';
import type { Scene, SceneContext } from '../scenes.ts';
import { exchange, type Server } from '../server.ts';

const SERVICE = 'pushed';
const SINGLE_CHANGES = 20;
const QUICK_SINGLE_CHANGES = 3;
/** Above the 500 ms in which changes are merged into one push. */
const SPACED_MS = 620;
const STREAM_PER_SECOND = 100;
const STREAM_MS = 5_000;
const QUICK_STREAM_MS = 1_000;
/** Subscriptions that are not refreshed end after 10 s. */
const REFRESH_MS = 3_000;
const PUSH_MS_MAX = 5_000;

/** A change reaches a subscriber by UDP: single ones, and a stream of them. */
export const push: Scene = { name: 'push', needsOwnNode: false, deadlineMs: 90_000, run: measure };

async function measure({ stage, isQuick, server, requests }: SceneContext): Promise<SceneResult> {
  const target = await server();
  const to = requests(target);
  let subscriber: Subscriber | undefined;
  try {
    // One that stays, as an empty list is a case of its own.
    await exchange(target, to.register(SERVICE, 0, { isLasting: true }), OK);
    subscriber = await Subscriber.start(target, to);
    const single = await singleChanges(target, to, subscriber, isQuick ? QUICK_SINGLE_CHANGES : SINGLE_CHANGES, () =>
      stage.throwIfInterrupted(),
    );
    const streamed = await stream(target, to, subscriber, isQuick ? QUICK_STREAM_MS : STREAM_MS);
    return {
      name: 'push to a subscriber by UDP',
      figures: [
        { what: 'single change, p50', value: percentile(single, 0.5), unit: 'ms' },
        { what: 'single change, p99', value: percentile(single, 0.99), unit: 'ms' },
        { what: `${STREAM_PER_SECOND} changes/s, merged, p50`, value: percentile(streamed, 0.5), unit: 'ms' },
        { what: `${STREAM_PER_SECOND} changes/s, merged, p99`, value: percentile(streamed, 0.99), unit: 'ms' },
      ],
      notes: [],
    };
  } finally {
    subscriber?.stop();
    if (!stage.isInterrupted || !target.isOurs) await clean(target, to, isQuick);
  }
}

/** From the start of the call to the arrival of a datagram that shows the change, in order of size. */
async function singleChanges(
  target: Server,
  to: Requests,
  subscriber: Subscriber,
  count: number,
  beforeEach: () => void,
): Promise<Float64Array> {
  const tookMs = new Float64Array(count);
  for (let n = 0; n < count; n++) {
    await delay(SPACED_MS);
    beforeEach();
    const isThere = n % 2 === 0;
    const startedMs = performance.now();
    const shown = subscriber.shows(ipOf(1), isThere);
    await exchange(target, isThere ? to.register(SERVICE, 1, { isLasting: true }) : to.deregister(SERVICE, 1), OK);
    tookMs[n] = (await shown) - startedMs;
  }
  return tookMs.sort();
}

async function stream(target: Server, to: Requests, subscriber: Subscriber, forMs: number): Promise<Float64Array> {
  await delay(SPACED_MS);
  const startedMs = performance.now();
  const changes = upTo((forMs / 1_000) * STREAM_PER_SECOND).map(async (n) => {
    await delay(startedMs + (n * 1_000) / STREAM_PER_SECOND - performance.now());
    const calledMs = performance.now();
    const shown = subscriber.shows(ipOf(2 + n), true);
    await exchange(target, to.register(SERVICE, 2 + n, { isLasting: true }), OK);
    return (await shown) - calledMs;
  });
  return Float64Array.from(await Promise.all(changes)).sort();
}

async function clean(target: Server, to: Requests, isQuick: boolean): Promise<void> {
  const instances = upTo(2 + ((isQuick ? QUICK_STREAM_MS : STREAM_MS) / 1_000) * STREAM_PER_SECOND);
  for (const n of instances) await exchange(target, to.deregister(SERVICE, n), ANY);
  await exchange(target, to.removeService(SERVICE), ANY);
}

interface Awaited {
  readonly ip: string;
  readonly isThere: boolean;
  readonly shown: (atMs: number) => void;
}

/** Subscribes as a client does, and acknowledges what it gets. */
class Subscriber {
  readonly #socket: Socket;
  readonly #awaited = new Set<Awaited>();
  #refresh: NodeJS.Timeout | undefined;

  static async start(target: Server, to: Requests): Promise<Subscriber> {
    const ip = await ownAddress(target);
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, resolve));
    const subscriber = new Subscriber(socket);
    const subscribe = to.list(SERVICE, { ip, udpPort: socket.address().port });
    const refresh = () => exchange(target, subscribe, { text: '"hosts"', full: { kind: 'text' } });
    await refresh();
    subscriber.#refresh = setInterval(() => {
      refresh().catch(() => {}); // a subscription that is lost shows in the next push, which is awaited
    }, REFRESH_MS);
    return subscriber;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (bytes, from) => {
      const atMs = performance.now();
      const pushed = decodePush(bytes);
      if (pushed === undefined) return;
      socket.send(encodePushAck(pushed.sequence), from.port, from.address);
      const { hosts } = JSON.parse(pushed.data) as { readonly hosts: readonly { readonly ip: string }[] };
      const ips = new Set(hosts.map((host) => host.ip));
      for (const awaited of this.#awaited) if (ips.has(awaited.ip) === awaited.isThere) awaited.shown(atMs);
    });
  }

  /** When a pushed list first has it, or no longer has it. */
  shows(ip: string, isThere: boolean): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const timer = setTimeout(() => {
      this.#awaited.delete(awaited);
      reject(new Error(`no push within ${PUSH_MS_MAX} ms`));
    }, PUSH_MS_MAX);
    const awaited: Awaited = {
      ip,
      isThere,
      shown: (atMs) => {
        clearTimeout(timer);
        this.#awaited.delete(awaited);
        resolve(atMs);
      },
    };
    this.#awaited.add(awaited);
    // The call itself may fail first, and then nobody waits for the push.
    promise.catch(() => {});
    return promise;
  }

  stop(): void {
    clearInterval(this.#refresh);
    this.#socket.close();
  }
}

/** The address that the server sees: it pushes to no other. */
function ownAddress({ host, port }: Server): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port }, () => {
      resolve(socket.localAddress!);
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
