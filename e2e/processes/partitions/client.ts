/**
 * A program on a host: registers instances and beats for them, looks at lists, and writes down what it was answered.
 * It is spoken to by the JSON lines of e2e/clients/program.ts.
 */
import { createSocket, type Socket } from 'node:dgram';
import { setTimeout as delay } from 'node:timers/promises';
import { decodePush, encodePushAck } from '@nacos-kube/core/wire/push.ts';
import { onLines } from '../../clients/lines.ts';
import type { Event } from './history.ts';

export interface Work {
  /** Addresses of nodes; the first one that answers is kept to. */
  readonly servers: readonly string[];
  readonly services: readonly string[];
  readonly perService: number;
  readonly ip: string;
  readonly beatMs: number;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface Watch {
  readonly nodes: readonly string[];
  readonly services: readonly string[];
  readonly everyMs: number;
}

export interface Named {
  readonly service: string;
  readonly instance: string;
}

interface Beating extends Named {
  readonly port: number;
  readonly work: Work;
  readonly end: AbortController;
}

const FIRST_PORT = 20_000;
/** Who says nothing is not pushed to. */
const HEADERS = { 'user-agent': 'Nacos-Java-Client:v1.4.2' };
const CALL_MS_MAX = 5_000;
const REGISTER_AGAIN_MS = 500;
/** Registered for a while only, while others come. */
const CHURN_MS = 500;
const CHURNED_MAX = 4;
const FAILURES_SHOWN_MAX = 1_000;

const calls: Readonly<Record<string, (parameters: never) => unknown>> = {
  work: (work: Work) => start(work),
  turn: ({ servers }: { servers: readonly string[] }) => {
    turnedTo = servers;
  },
  churn: ({ isOn }: { isOn: boolean }) => churn(isOn),
  rest: () => rest(),
  alive: () => beating.map(({ service, instance }) => ({ service, instance })),
  watch: (watched: Watch) => watch(watched),
  unwatch: () => unwatch(),
  history: () => events.splice(0),
  subscribe: (to: { node: string; service: string; ip: string }) => subscribe(to),
  ask: ({ node, path }: { node: string; path: string }) => ask(node, 'GET', path),
};

const events: Event[] = [];
const beating: Beating[] = [];
const churned: Beating[] = [];
const sockets: Socket[] = [];
let turnedTo: readonly string[] | undefined;
let work: Work | undefined;
let ports = 0;
let churning: { readonly end: AbortController; readonly done: Promise<void> } | undefined;
let watching: { readonly end: AbortController; readonly done: Promise<unknown> } | undefined;

onLines(process.stdin, (line) => {
  const { id, call, ...parameters } = JSON.parse(line) as { id: number; call: string };
  const answer = (what: object) => process.stdout.write(`${JSON.stringify({ id, ...what })}\n`);
  Promise.try(() => calls[call]!(parameters as never)).then(
    (value) => answer({ value }),
    (error: Error) => answer({ error: { message: error.message } }),
  );
});
process.stdin.once('end', () => process.exit(0));

async function start(wanted: Work): Promise<void> {
  work = wanted;
  turnedTo = undefined;
  const { services, perService } = wanted;
  const places = services.flatMap((service) => Array.from({ length: perService }, () => service));
  await Promise.all(places.map((service) => register(wanted, service)));
}

async function register(of: Work, service: string): Promise<Beating> {
  const port = FIRST_PORT + ports++;
  const one: Beating = { service, port, instance: `${of.ip}:${port}`, work: of, end: new AbortController() };
  while (!(await send('register', one))) await delay(REGISTER_AGAIN_MS);
  beating.push(one);
  void beat(one);
  return one;
}

/** Like real clients: the next beat an interval after the answer to the last one, and a new registration if it is unknown. */
async function beat(one: Beating): Promise<void> {
  const { signal } = one.end;
  for (;;) {
    await delay(one.work.beatMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    if ((await send('beat', one)) === 'unknown' && !signal.aborted) await send('register', one);
  }
}

async function deregister(one: Beating): Promise<void> {
  one.end.abort();
  beating.splice(beating.indexOf(one), 1);
  const { service, instance } = one;
  const startMs = nowMs();
  events.push({ kind: 'gone', service, instance, startMs, endMs: startMs });
  while (!(await send('deregister', one))) await delay(REGISTER_AGAIN_MS);
}

/** True, or `unknown`, by the first server that answers; who did not is written down. */
async function send(what: 'register' | 'beat' | 'deregister', one: Beating): Promise<boolean | 'unknown'> {
  const { service, instance, port, work: of } = one;
  const method = { register: 'POST', beat: 'PUT', deregister: 'DELETE' }[what];
  const parameters = new URLSearchParams({ serviceName: service, ip: of.ip, port: `${port}`, ephemeral: 'true' });
  if (what === 'register') parameters.set('metadata', JSON.stringify(of.metadata));
  const path = `/v1/ns/instance${what === 'beat' ? '/beat' : ''}?${parameters}`;
  for (const node of turnedTo ?? of.servers) {
    const startMs = nowMs();
    const text = await ask(node, method, path).catch((error: Error) => fail(node, `${method} ${path}`, startMs, error));
    if (text === undefined) continue;
    const isUnknown = what === 'beat' && (JSON.parse(text) as { code: number }).code !== 10_200;
    if (isUnknown) fail(node, `${method} ${path}`, startMs, new Error(`a beat that it took before: ${text}`));
    else if (what !== 'deregister') events.push({ kind: 'sign', node, service, instance, startMs, endMs: nowMs() });
    return isUnknown ? 'unknown' : true;
  }
  return false;
}

async function churn(isOn: boolean): Promise<void> {
  churning?.end.abort();
  await churning?.done;
  churning = undefined;
  const of = work;
  if (!isOn || of === undefined) return;
  const end = new AbortController();
  const turns = async () => {
    for (let turn = 0; !end.signal.aborted; turn += 1) {
      churned.push(await register(of, of.services[turn % of.services.length]!));
      if (churned.length > CHURNED_MAX) await deregister(churned.shift()!);
      await delay(CHURN_MS, undefined, { signal: end.signal }).catch(() => {});
    }
  };
  churning = { end, done: turns() };
}

async function rest(): Promise<void> {
  await churn(false);
  churned.length = 0;
  await Promise.all([...beating].map((one) => deregister(one)));
}

async function watch({ nodes, services, everyMs }: Watch): Promise<void> {
  await unwatch();
  const end = new AbortController();
  // All at once: of a node that was asleep, the first answer of each list counts.
  const asked = nodes.flatMap((node) => services.map((service) => ({ node, service })));
  const rounds = asked.map(async ({ node, service }) => {
    while (!end.signal.aborted) {
      await look(node, service);
      await delay(everyMs, undefined, { signal: end.signal }).catch(() => {});
    }
  });
  watching = { end, done: Promise.all(rounds) };
}

async function unwatch(): Promise<void> {
  watching?.end.abort();
  await watching?.done;
  watching = undefined;
}

async function look(node: string, service: string): Promise<void> {
  const startMs = nowMs();
  const path = `/v1/ns/instance/list?serviceName=${service}`;
  try {
    const { hosts } = JSON.parse(await ask(node, 'GET', path)) as { hosts: readonly Host[] };
    const of = (isHealthy: boolean) =>
      hosts.filter(({ healthy }) => healthy === isHealthy).map(({ ip, port }) => `${ip}:${port}`);
    events.push({ kind: 'look', node, service, startMs, endMs: nowMs(), healthy: of(true), unhealthy: of(false) });
  } catch (error) {
    fail(node, `GET ${path}`, startMs, error as Error);
  }
}

interface Host {
  readonly ip: string;
  readonly port: number;
  readonly healthy: boolean;
}

/** As the Java client: asks for the list with an address for pushes, and says that it got each one. */
async function subscribe({ node, service, ip }: { node: string; service: string; ip: string }): Promise<void> {
  const socket = createSocket('udp4');
  sockets.push(socket);
  await new Promise<void>((resolve) => socket.bind(0, ip, resolve));
  socket.on('message', (packet, from) => {
    const { data, sequence } = decodePush(packet)!;
    process.stdout.write(`${JSON.stringify({ event: 'push', packet: data })}\n`);
    socket.send(encodePushAck(sequence), from.port, from.address);
  });
  const query = new URLSearchParams({ serviceName: service, clientIP: ip, udpPort: `${socket.address().port}` });
  await ask(node, 'GET', `/v1/ns/instance/list?${query}`);
}

async function ask(node: string, method: string, path: string): Promise<string> {
  const response = await fetch(`http://${node}/nacos${path}`, {
    method,
    headers: HEADERS,
    signal: AbortSignal.timeout(CALL_MS_MAX),
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${response.status} ${text}`);
  return text;
}

function fail(node: string, call: string, startMs: number, error: Error): undefined {
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  const message = `${error.message}${cause}`;
  if (events.length < FAILURES_SHOWN_MAX || events.at(-1)?.kind !== 'failure')
    events.push({ kind: 'failure', node, call, message, startMs, endMs: nowMs() });
}

function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
