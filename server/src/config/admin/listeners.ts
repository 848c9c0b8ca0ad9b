import type { HttpResponse } from '@nacos-kube/core/host/host.ts';
import { json } from '@nacos-kube/core/http/answers.ts';
import { lenientBoolean } from '@nacos-kube/core/http/parameters.ts';
import { badRequest } from '@nacos-kube/core/http/protocol-error.ts';
import type { Call, Form, Policy, Route } from '@nacos-kube/core/http/route.ts';
import { DEFAULT_GROUP } from '@nacos-kube/core/model/names.ts';
import { present, wholeNumber } from '@nacos-kube/core/wire/config-admin.ts';
import { checkLength, isBlank } from '@nacos-kube/core/wire/config-check.ts';
import { groupKey } from '@nacos-kube/core/wire/config-key.ts';
import type { AdminPorts } from './ports.ts';
import { Turns } from './turns.ts';

/** A client is away for a moment between two polls: seldom in all of these. */
export const SAMPLES = 3;
export const SAMPLE_PAUSE_MS = 100;
/** Rounds over all members that a caller may ask for. */
export const ROUNDS_MAX = 3;
export const MEMBER_TIMEOUT_MS = 1_000;
/** Of one answer; what is beyond it is left out. */
export const LISTENERS_MAX = 10_000;
const COLLECTIONS_AT_ONCE = 16;
const TEXT_LENGTH_MAX = 1_024;
export const LISTENERS_PATH = '/peer/v1/config/listeners';
const READ: Policy = { kind: 'read', area: 'config' };
const PEER: Policy = { kind: 'peer' };

/** Whose listeners: of one configuration by address, or of one address by configuration. */
type Asked = { readonly groupKey: string } | { readonly address: string };
type Status = ReadonlyMap<string, string>;

type SamplePorts = Pick<AdminPorts, 'host' | 'held'>;

/** Who listens to what (spec/config.md 1.5): a picture of a moment, gathered from every member that answers. */
export function listenerRoutes(ports: AdminPorts): Route[] {
  const turns = new Turns('collections of listeners', COLLECTIONS_AT_ONCE);
  const get = (path: string, handler: (call: Call) => Promise<HttpResponse>): Route => ({
    ...{ method: 'GET', path, policy: READ },
    handler: (call) => turns.run(() => handler(call)),
  });
  return [
    get('/v1/cs/configs/listener', async ({ form }) => {
      const status = await collect(ports, { groupKey: keyOf(form) }, roundsOf(form));
      return collected(status);
    }),
    get('/v1/cs/listener', async ({ form }) => {
      const status = await collect(ports, { address: addressOf(form) }, roundsOf(form));
      return collected(ofNamespace(status, form));
    }),
    get('/v1/cs/communication/configWatchers', async ({ form }) =>
      sampled(await sample(ports, { groupKey: keyOf(form) })),
    ),
    get('/v1/cs/communication/watcherConfigs', async ({ form }) =>
      sampled(await sample(ports, { address: addressOf(form) })),
    ),
  ];
}

/** What the other members ask of this one. */
export function listenerPeerRoute(ports: SamplePorts): Route {
  const turns = new Turns('collections of listeners', COLLECTIONS_AT_ONCE);
  return {
    method: 'POST',
    path: LISTENERS_PATH,
    policy: PEER,
    handler: ({ request }) =>
      turns.run(async () => json({ listeners: [...(await sample(ports, decodeAsked(request.body)))] })),
  };
}

async function collect(ports: AdminPorts, asked: Asked, rounds: number): Promise<Status> {
  const status = new Map<string, string>();
  for (let round = 0; round < rounds; round++) {
    const answers = await Promise.all([
      sample(ports, asked),
      ...ports.peers.healthy().map((peer) => askPeer(ports, peer, asked)),
    ]);
    for (const answer of answers) merge(status, answer);
  }
  return status;
}

/** A member that does not answer is left out, as in the reference. */
async function askPeer({ host, peers }: AdminPorts, peer: string, asked: Asked): Promise<Status> {
  try {
    return decodeAnswer(await peers.call(peer, LISTENERS_PATH, asked, MEMBER_TIMEOUT_MS));
  } catch (error) {
    host.log.area('config').debug('a member does not tell its listeners', { peer, error });
    return new Map();
  }
}

async function sample({ host, held }: SamplePorts, asked: Asked): Promise<Status> {
  const status = new Map<string, string>();
  for (let n = 0; n < SAMPLES; n++) {
    if (n > 0) await host.clock.sleep(SAMPLE_PAUSE_MS);
    merge(status, 'groupKey' in asked ? held.listeners(asked.groupKey) : held.listenersOfIp(asked.address));
  }
  return status;
}

function merge(status: Map<string, string>, more: Iterable<readonly [string, string]>): void {
  for (const [name, md5] of more) {
    if (status.size >= LISTENERS_MAX && !status.has(name)) continue;
    status.set(name, md5);
  }
}

function decodeAsked(body: Uint8Array): Asked {
  let message: unknown;
  try {
    message = JSON.parse(new TextDecoder().decode(body));
  } catch {
    throw badRequest('the message is no JSON');
  }
  const { groupKey, address } = (message ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof groupKey === 'string' && groupKey.length <= TEXT_LENGTH_MAX) return { groupKey };
  if (typeof address === 'string' && address.length <= TEXT_LENGTH_MAX) return { address };
  throw badRequest('neither a key nor an address');
}

/** Throws on what no member of ours answers; then it counts as no answer. */
function decodeAnswer(message: unknown): Status {
  const list = (message as { readonly listeners?: unknown } | null)?.listeners;
  if (!Array.isArray(list) || list.length > LISTENERS_MAX) throw new Error('this is no list of listeners');
  return new Map(
    list.map((pair: unknown) => {
      const [name, md5, ...more] = Array.isArray(pair) ? pair : [];
      if (typeof name !== 'string' || typeof md5 !== 'string' || more.length > 0)
        throw new Error('this is no listener');
      return [name, md5] as const;
    }),
  );
}

function keyOf(form: Form): string {
  const dataId = present(form, 'dataId');
  const group = present(form, 'group');
  const namespaceId = form.get('tenant') ?? '';
  const key = groupKey({ dataId, group: isBlank(group) ? DEFAULT_GROUP : group, namespaceId });
  checkLength('dataId, group and tenant', key, TEXT_LENGTH_MAX);
  return key;
}

function addressOf(form: Form): string {
  const address = present(form, 'ip').trim();
  checkLength('ip', address, TEXT_LENGTH_MAX);
  return address;
}

function roundsOf(form: Form): number {
  const text = form.get('sampleTime') ?? '';
  return isBlank(text) ? 1 : Math.min(ROUNDS_MAX, Math.max(1, wholeNumber(text)));
}

/** With a namespace those that hold its text, else all or those of the public one, as the reference chooses. */
function ofNamespace(status: Status, form: Form): Status {
  const namespaceId = form.get('tenant') ?? '';
  if (!isBlank(namespaceId)) return new Map([...status].filter(([key]) => key.includes(namespaceId)));
  if (lenientBoolean(form.get('all') ?? '')) return status;
  return new Map([...status].filter(([key]) => key.split('+').length < 3));
}

/** The name is misspelt on the wire. */
function collected(status: Status): HttpResponse {
  return json({ collectStatus: 200, lisentersGroupkeyStatus: Object.fromEntries(status) });
}

function sampled(status: Status): HttpResponse {
  return json({ lisentersGroupkeyStatus: Object.fromEntries(status) });
}
