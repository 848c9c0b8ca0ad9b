import type { HttpResponse, Log } from '@nacos-kube/core/host/host.ts';
import { decodedOnce } from '@nacos-kube/core/http/repeated-forms.ts';
import type { Call, Form, Policy, Route } from '@nacos-kube/core/http/route.ts';
import { CONFIG_DONE, decodeKey, decodePublish, decodeRead, decodeRemove } from '@nacos-kube/core/wire/config.ts';
import { configError } from '@nacos-kube/core/wire/config-errors.ts';
import { groupKey, parseGroupKey } from '@nacos-kube/core/wire/config-key.ts';
import { BETA_NOT_STOPPED, BETA_STOPPED, BETA_UNREADABLE, encodeBeta } from '@nacos-kube/core/wire/config-view.ts';
import {
  decodeListenerMode,
  encodeListenerAnswer,
  encodeShortAnswer,
  NOTHING_CHANGED,
  parseListening,
} from '@nacos-kube/core/wire/listener.ts';
import { StoreError } from '../store/store.ts';
import type { MetaConfigs } from './meta.ts';
import { ownText } from './own-text.ts';
import type { PollDriver } from './poll-driver.ts';
import type { Publisher } from './publish.ts';
import type { Reader } from './read.ts';
import type { VariantRowReader } from './variant-rows.ts';
import type { Viewer } from './view.ts';

export interface ConfigDoors {
  readonly publisher: Publisher;
  readonly reader: Reader;
  readonly variantRows: VariantRowReader;
  readonly polls: PollDriver;
  readonly meta: MetaConfigs;
  readonly log: Log;
}

const READ: Policy = { kind: 'read', area: 'config' };
const WRITE: Policy = { kind: 'write', area: 'config' };
const CONFIGS = '/v1/cs/configs';

export function configRoutes(doors: ConfigDoors): readonly Route[] {
  const route = (
    method: Route['method'],
    path: string,
    policy: Policy,
    answer: (doors: ConfigDoors, call: Call) => HttpResponse | Promise<HttpResponse>,
  ): Route => ({ method, path, policy, handler: tellingStoreErrors((call) => answer(doors, call), doors.log) });
  return [
    route('POST', CONFIGS, WRITE, publish),
    { ...route('GET', CONFIGS, READ, read), isRepeated: true },
    route('DELETE', CONFIGS, WRITE, remove),
    // It asks nothing of the store, and whatever is wrapped around its promise is kept as long as the poll.
    { method: 'POST', path: `${CONFIGS}/listener`, policy: READ, handler: (call) => listen(doors, call) },
  ];
}

/** Not async, nor is what it calls: of the layers that wait for the store each costs a publish a hundredth. */
function publish({ publisher }: ConfigDoors, { form, request, clientIp }: Call): Promise<HttpResponse> {
  return publisher.publish(decodePublish(form, request.headers), clientIp).then(done);
}

function done(): HttpResponse {
  return CONFIG_DONE;
}

function read({ reader, variantRows }: ConfigDoors, call: Call): HttpResponse | Promise<HttpResponse> {
  const { form } = call;
  if (form.get('beta') === 'true') return beta(variantRows, call);
  const { request, key } = decodedOnce(call, keyedRead);
  return reader.read(request, viewerOf(call), key);
}

/** With the key that it is looked up by, so that it is put together once as well. */
function keyedRead(form: Form) {
  const request = decodeRead(form);
  return { request, key: groupKey(request) };
}

async function remove({ publisher }: ConfigDoors, call: Call): Promise<HttpResponse> {
  const { form, clientIp } = call;
  if (form.get('beta') === 'true') return stopBeta(publisher, call);
  await publisher.remove(decodeRemove(form), clientIp);
  return CONFIG_DONE;
}

/** From the store, since it has what no client is served; the reference tells a failure in the body. */
async function beta(variantRows: VariantRowReader, { form }: Call): Promise<HttpResponse> {
  const key = decodeKey(form);
  try {
    return encodeBeta(await variantRows.beta(key));
  } catch (error) {
    if (error instanceof StoreError) return BETA_UNREADABLE;
    throw error;
  }
}

async function stopBeta(publisher: Publisher, { form }: Call): Promise<HttpResponse> {
  const key = decodeKey(form);
  try {
    await publisher.stopBeta(key);
    return BETA_STOPPED;
  } catch (error) {
    if (error instanceof StoreError) return BETA_NOT_STOPPED;
    throw error;
  }
}

/** Not async: a function that waits would keep the request, with its body, as long as the poll is held (F20). */
function listen({ reader, polls, meta }: ConfigDoors, call: Call): HttpResponse | Promise<HttpResponse> {
  const { request } = call;
  const mode = decodeListenerMode(request.headers, meta.switches);
  const listening = parseListening(call.form.get('Listening-Configs'));
  const viewer = viewerOf(call);
  if (mode.kind === 'fixed') return polls.holdFixed(request, viewer, listening, mode.holdMs);
  const changed = reader.changed(listening, viewer).map(parseGroupKey);
  if (mode.kind === 'short') return encodeShortAnswer(changed, mode.inHeaders);
  if (changed.length > 0) return encodeListenerAnswer(changed);
  if (!mode.hangUp) return NOTHING_CHANGED;
  return polls.hold(request, viewer, listening.keys(), mode.holdMs);
}

function viewerOf({ request, clientIp }: Call): Viewer {
  const tag = request.headers['vipserver-tag'];
  return { clientIp, tag: tag === undefined || tag === '' ? undefined : ownText(tag) };
}

function tellingStoreErrors(answer: Route['handler'], log: Log): Route['handler'] {
  const fail = (error: unknown): never => {
    throw error instanceof StoreError ? explained(error, log) : error;
  };
  return (call) => {
    try {
      const answered = answer(call);
      return answered instanceof Promise ? answered.catch(fail) : answered;
    } catch (error) {
      return fail(error);
    }
  };
}

/** Clients try the next node on 503, which helps where only this one is cut off from the store. */
function explained(error: StoreError, log: Log): Error {
  const why = error.because === undefined ? '' : ` (${error.because})`;
  switch (error.kind) {
    case 'unavailable':
      return configError(503, 'the store cannot be reached, try again later', { cause: error });
    case 'read-only':
      return configError(503, `the store takes no writes now${why}, try again later`, { cause: error });
    case 'invalid':
      return configError(400, error.because ?? error.message, { cause: error });
    case 'misconfigured':
      log.error('the store is misconfigured', { error });
      return configError(500, 'the store is misconfigured, the log of the server says more', { cause: error });
    case 'damaged':
      log.error('what the store holds is damaged', { error });
      return configError(500, 'what the store holds is damaged, the log of the server says more', { cause: error });
  }
}
