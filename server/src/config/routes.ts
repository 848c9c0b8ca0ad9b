import type { HttpResponse, Log } from '@nacos-kube/core/host/host.ts';
import type { Call, Policy, Route } from '@nacos-kube/core/http/route.ts';
import { CONFIG_DONE, decodePublish, decodeRead, decodeRemove } from '@nacos-kube/core/wire/config.ts';
import { configError } from '@nacos-kube/core/wire/config-errors.ts';
import { parseGroupKey } from '@nacos-kube/core/wire/config-key.ts';
import {
  decodeListenerMode,
  encodeListenerAnswer,
  encodeShortAnswer,
  NOTHING_CHANGED,
  parseListening,
} from '@nacos-kube/core/wire/listener.ts';
import { StoreError } from '../store/store.ts';
import type { PollDriver } from './poll-driver.ts';
import type { Publisher } from './publish.ts';
import type { Reader } from './read.ts';

export interface ConfigDoors {
  readonly publisher: Publisher;
  readonly reader: Reader;
  readonly polls: PollDriver;
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
  ): Route => ({ method, path, policy, handler: (call) => tellingStoreErrors(doors, () => answer(doors, call)) });
  return [
    route('POST', CONFIGS, WRITE, publish),
    route('GET', CONFIGS, READ, read),
    route('DELETE', CONFIGS, WRITE, remove),
    route('POST', `${CONFIGS}/listener`, READ, listen),
  ];
}

async function publish({ publisher }: ConfigDoors, { form, request, clientIp }: Call): Promise<HttpResponse> {
  await publisher.publish(decodePublish(form, request.headers['betaips']), clientIp);
  return CONFIG_DONE;
}

function read({ reader }: ConfigDoors, { form }: Call): HttpResponse | Promise<HttpResponse> {
  return reader.read(decodeRead(form));
}

async function remove({ publisher }: ConfigDoors, { form, clientIp }: Call): Promise<HttpResponse> {
  await publisher.remove(decodeRemove(form), clientIp);
  return CONFIG_DONE;
}

/** Not async: a function that waits would keep the request, with its body, as long as the poll is held (F20). */
function listen({ reader, polls }: ConfigDoors, call: Call): HttpResponse | Promise<HttpResponse> {
  const mode = decodeListenerMode(call.request.headers);
  const listening = parseListening(call.form.get('Listening-Configs'));
  const changed = reader.changed(listening).map(parseGroupKey);
  if (mode.kind === 'short') return encodeShortAnswer(changed, mode.inHeaders);
  if (changed.length > 0) return encodeListenerAnswer(changed);
  if (!mode.hangUp) return NOTHING_CHANGED;
  return polls.hold(call.request, call.clientIp, listening.keys(), mode.holdMs);
}

function tellingStoreErrors(
  { log }: ConfigDoors,
  answer: () => HttpResponse | Promise<HttpResponse>,
): HttpResponse | Promise<HttpResponse> {
  const fail = (error: unknown): never => {
    throw error instanceof StoreError ? explained(error, log) : error;
  };
  try {
    const answered = answer();
    return answered instanceof Promise ? answered.catch(fail) : answered;
  } catch (error) {
    return fail(error);
  }
}

/** Clients try the next node on 503, which helps where only this one is cut off from the store. */
function explained(error: StoreError, log: Log): Error {
  switch (error.kind) {
    case 'unavailable':
      return configError(503, 'the store cannot be reached, try again later', { cause: error });
    case 'read-only':
      return configError(503, 'the store takes no writes now, try again later', { cause: error });
    case 'invalid':
      return configError(400, error.message, { cause: error });
    case 'misconfigured':
      log.error('the store is misconfigured', { error });
      return configError(500, 'the store is misconfigured, the log of the server says more', { cause: error });
  }
}
