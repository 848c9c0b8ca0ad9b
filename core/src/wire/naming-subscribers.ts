import { optional, required, strictBoolean } from '../http/parameters.ts';
import { badRequest } from '../http/protocol-error.ts';
import type { Form } from '../http/route.ts';
import { type ServiceId, splitGroupedName } from '../model/names.ts';
import { isObject } from './naming-metadata.ts';
import { decodeService } from './naming-names.ts';
import { clampedInteger } from './naming-service.ts';

/** In one answer, and of one member. */
export const SUBSCRIBERS_MAX = 10_000;

/** GET /service/subscribers. */
export interface SubscribersRequest {
  /** Subscribers of all services of the namespace whose group and name contain these. */
  readonly service: ServiceId;
  /** From 1. */
  readonly pageNo: number;
  readonly pageSize: number;
  /** Those of the other members too. */
  readonly aggregation: boolean;
}

export interface Subscriber {
  readonly addrStr: string;
  readonly agent: string;
  readonly app: string;
  readonly ip: string;
  readonly namespaceId: string;
  /** Grouped. */
  readonly serviceName: string;
}

export function decodeSubscribers(form: Form): SubscribersRequest {
  required(form, 'serviceName');
  return {
    service: decodeService(form),
    pageNo: clampedInteger(optional(form, 'pageNo', '1'), 1, 2 ** 31 - 1),
    pageSize: clampedInteger(optional(form, 'pageSize', '1000'), 0, SUBSCRIBERS_MAX),
    aggregation: strictBoolean(optional(form, 'aggregation', 'true')),
  };
}

export function encodeSubscribers(page: readonly Subscriber[], count: number): string {
  const fields = page.map(({ addrStr, agent, app, ip, namespaceId, serviceName }) => ({
    ...{ addrStr, agent, app, ip, namespaceId, serviceName },
  }));
  return JSON.stringify({ subscribers: fields, count });
}

/** What one member tells another; refused whole when it breaks the schema. */
export function decodeSubscriberList(value: unknown): readonly Subscriber[] {
  const list = isObject(value) ? value.subscribers : undefined;
  if (!Array.isArray(list) || list.length > SUBSCRIBERS_MAX) throw badRequest('a message without subscribers');
  return list.map((one: unknown) => {
    const { addrStr, agent, app, ip, namespaceId, serviceName } = isObject(one) ? one : {};
    const texts = { addrStr, agent, app, ip, namespaceId, serviceName };
    const isComplete = Object.values(texts).every((text) => typeof text === 'string');
    if (!isComplete) throw badRequest('a subscriber is not told as a whole');
    return texts as Record<keyof Subscriber, string>;
  });
}

export function isAskedFor(asked: ServiceId, { namespaceId, name }: ServiceId): boolean {
  const [wanted, there] = [splitGroupedName(asked.name), splitGroupedName(name)];
  return (
    namespaceId === asked.namespaceId && there.group.includes(wanted.group) && there.service.includes(wanted.service)
  );
}
