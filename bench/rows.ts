/** What is measured by throughput: for each row the requests, what each answer must be, and what is there before. */
import type { Check } from './answer.ts';
import { BEATEN, OK, type Requests, TRUE } from './requests.ts';

export interface Row {
  readonly name: string;
  readonly connections: number;
  readonly requests: readonly string[];
  readonly check: Check;
  readonly prepare: readonly { readonly requests: readonly string[]; readonly check: Check }[];
  /** What must be found afterwards. */
  readonly proof: readonly { readonly request: string; readonly check: Check }[];
  /** Takes away what the row made; a service or configuration that is gone already is no failure. */
  readonly clean: readonly string[];
  /** The store alone is a ceiling of it too. */
  readonly isStored: boolean;
}

const CONNECTIONS = 32;
const LISTS = [1, 10, 100, 1000];
const BEATING = 1_000;
const REGISTERED = 20_000;
const PUBLISHED = 2_000;
export const PUBLISHERS = 64;
export const CONTENT_BYTES = 1_024;

export function rowsOf(to: Requests): readonly Row[] {
  return [
    ...[false, true].map((isChange) => register(to, isChange)),
    ...[false, true].map((isFull) => heartbeat(to, isFull)),
    ...LISTS.map((hosts) => list(to, hosts)),
    configGet(to),
    configPublish(to),
  ];
}

const EMPTY = { connections: CONNECTIONS, prepare: [], proof: [], clean: [], isStored: false };

/** The same instances again and again, as clients that come back do; or each time with another weight than before. */
function register(to: Requests, isChange: boolean): Row {
  const name = isChange ? 'register, each a change' : 'register';
  const services = upTo(1_000).map((n) => `${isChange ? 'changing' : 'register'}-${n}`);
  const serviceOf = (n: number): string => services[n % services.length]!;
  const instances = upTo(REGISTERED);
  const registrations = (weight: number): string[] => instances.map((n) => to.register(serviceOf(n), n, { weight }));
  return {
    ...EMPTY,
    name,
    prepare: [{ requests: registrations(1), check: OK }],
    requests: isChange ? [2, 1].flatMap(registrations) : registrations(1),
    check: OK,
    clean: [...instances.map((n) => to.deregister(serviceOf(n), n)), ...services.map(to.removeService)],
  };
}

function heartbeat(to: Requests, isFull: boolean): Row {
  const name = isFull ? 'full' : 'light';
  const services = upTo(100).map((n) => `beats-${name}-${n}`);
  const serviceOf = (n: number): string => services[n % services.length]!;
  const instances = upTo(BEATING);
  return {
    ...EMPTY,
    name: `heartbeat, ${name}`,
    prepare: [{ requests: instances.map((n) => to.register(serviceOf(n), n, { isLasting: true })), check: OK }],
    requests: instances.map((n) => to.beat(serviceOf(n), n, isFull)),
    check: BEATEN,
    clean: [...instances.map((n) => to.deregister(serviceOf(n), n)), ...services.map(to.removeService)],
  };
}

function list(to: Requests, count: number): Row {
  const service = `list-${count}`;
  const instances = upTo(count);
  return {
    ...EMPTY,
    name: `instance list, ${count} host${count === 1 ? '' : 's'}`,
    prepare: [{ requests: instances.map((n) => to.register(service, n, { isLasting: true })), check: OK }],
    requests: [to.list(service)],
    check: { text: '"hosts":[{', full: { kind: 'hosts', count } },
    clean: [...instances.map((n) => to.deregister(service, n)), to.removeService(service)],
  };
}

function configGet(to: Requests): Row {
  const content = contentOf('get');
  return {
    ...EMPTY,
    name: 'config get, 1 KB',
    prepare: [{ requests: [to.publish('get', content)], check: TRUE }],
    requests: [to.getConfig('get')],
    check: { text: content, full: { kind: 'body', equals: content } },
    clean: [to.removeConfig('get')],
  };
}

/** Each configuration in turn, and then each with another text: no publish repeats what is stored. */
function configPublish(to: Requests): Row {
  const dataIds = upTo(PUBLISHED).map((n) => `publish-${n}`);
  const proven = dataIds[0]!;
  return {
    ...EMPTY,
    name: 'config publish, 1 KB, durable',
    connections: PUBLISHERS,
    requests: publishesOf(to, dataIds),
    check: TRUE,
    proof: [{ request: to.getConfig(proven), check: { text: `${proven} xxx`, full: { kind: 'text' } } }],
    clean: dataIds.map(to.removeConfig),
    isStored: true,
  };
}

/** 1 KB that begins with the name. */
/** So many texts each configuration has, one after the other: a node that has just had one before need not be given it. */
export const TEXTS = 7;

/** Each configuration in turn, and then each with another text: no publish repeats what is stored. */
export function publishesOf(to: Requests, dataIds: readonly string[]): readonly string[] {
  return upTo(TEXTS).flatMap((text) => dataIds.map((dataId) => to.publish(dataId, contentOf(`${text}-${dataId}`))));
}

export function contentOf(name: string): string {
  return `${name} `.padEnd(CONTENT_BYTES, 'x');
}

export function upTo(count: number): readonly number[] {
  return Array.from({ length: count }, (_, n) => n);
}
