import { hash } from 'node:crypto';
import type { HttpHeaders, HttpResponse } from '../host/host.ts';
import { httpDate } from '../host/time.ts';
import type { Form } from '../http/route.ts';
import { CONFIG_TYPES, type ConfigKey, type ConfigType } from '../model/config.ts';
import {
  APP_NAME_LENGTH_MAX,
  BETA_IPS_LENGTH_MAX,
  checkContent,
  checkedTags,
  checkLength,
  checkNames,
  checkNamespace,
  checkTag,
  isBlank,
} from './config-check.ts';
import { configError, missingParameter } from './config-errors.ts';

/** For whom something is published instead of all: the addresses of a beta as they were sent, or a tag. */
export type PublishedVariant =
  | { readonly kind: 'beta'; readonly betaIps: string }
  | { readonly kind: 'tag'; readonly tag: string };

/** A publication as asked for; what is undefined keeps what is stored. */
export interface PublishRequest extends ConfigKey {
  readonly content: string;
  readonly type: ConfigType;
  readonly appName: string | undefined;
  readonly description: string | null;
  readonly use: string | null;
  readonly effect: string | null;
  readonly schema: string | null;
  readonly tags: readonly string[] | undefined;
  readonly user: string | null;
  /** Left out: the formal configuration. */
  readonly variant?: PublishedVariant;
  /** Write only if the stored md5 is this one; of the formal configuration only. */
  readonly expectedMd5?: string;
}

export interface ReadRequest extends ConfigKey {
  /** Asks for what is published under it, and for nothing else. */
  readonly tag: string | undefined;
}

export interface RemoveRequest extends ConfigKey {
  /** Removes what is published under it, and nothing else. */
  readonly tag?: string;
  readonly user: string | null;
}

/** Checks in the order of the reference, so that of several faults the same one is told. */
export function decodePublish(form: Form, headers: HttpHeaders = {}): PublishRequest {
  const dataId = present(form, 'dataId');
  const group = present(form, 'group');
  const content = present(form, 'content');
  const namespaceId = form.get('tenant') ?? '';
  checkNamespace(namespaceId);
  checkNames(dataId, group);
  checkContent(content);
  const variant = decodeVariant(form, headers['betaips']);
  const tags = form.get('config_tags');
  const appName = form.get('appName');
  if (appName !== undefined) checkLength('appName', appName, APP_NAME_LENGTH_MAX);
  const request: PublishRequest = {
    dataId,
    group,
    namespaceId: isBlank(namespaceId) ? '' : namespaceId,
    content,
    tags: tags === undefined ? undefined : checkedTags(tags),
    description: bounded(form, 'desc', 128),
    use: bounded(form, 'use', 32),
    effect: bounded(form, 'effect', 32),
    schema: bounded(form, 'schema', 32_768),
    appName,
    type: typeOr(form.get('type'), 'text'),
    user: operator(form),
  };
  const expectedMd5 = decodeCondition(form, headers['casmd5'], variant);
  // Most have neither, and to put an object together of parts costs more than all the rest.
  if (variant !== undefined) return { ...request, variant };
  return expectedMd5 === undefined ? request : { ...request, expectedMd5 };
}

/** Addresses of a beta win over a tag, which must be a good one all the same. */
function decodeVariant(form: Form, betaIps: string | undefined): PublishedVariant | undefined {
  const tag = decodeTag(form);
  if (betaIps !== undefined && !isBlank(betaIps)) {
    checkLength('betaIps', betaIps, BETA_IPS_LENGTH_MAX);
    return { kind: 'beta', betaIps };
  }
  return tag === undefined ? undefined : { kind: 'tag', tag };
}

/** The reference has it from 2.0 on, as a header; a parameter is what clients of 1.x can send. */
function decodeCondition(
  form: Form,
  header: string | undefined,
  variant: PublishedVariant | undefined,
): string | undefined {
  const given = form.get('casMd5') ?? header;
  if (given === undefined || isBlank(given)) return undefined;
  if (variant !== undefined) throw configError(400, 'casMd5 goes with neither betaIps nor tag');
  if (!/^[0-9a-f]{32}$/i.test(given)) throw configError(400, 'invalid casMd5');
  return given.toLowerCase();
}

function decodeTag(form: Form): string | undefined {
  const tag = form.get('tag');
  if (tag === undefined || isBlank(tag)) return undefined;
  checkTag(tag);
  return tag;
}

/** Only reading knows `public` and `null` as other names of the public namespace (spec: gotcha 6). */
export function decodeRead(form: Form): ReadRequest {
  const { dataId, group, namespaceId } = decodeKey(form);
  const isPublic = namespaceId.length <= 6 && /^(public|null)$/i.test(namespaceId);
  return { dataId, group, namespaceId: isPublic ? '' : namespaceId, tag: decodeTag(form) };
}

export function decodeRemove(form: Form): RemoveRequest {
  const key = decodeKey(form);
  const tag = decodeTag(form);
  return { ...key, ...(tag === undefined ? {} : { tag }), user: operator(form) };
}

/** What a read answers from: the cached facts and the exact bytes. */
export interface ReadableConfig {
  readonly md5: string;
  readonly type: ConfigType;
  readonly modifiedMs: number;
}

export const NO_CACHE_HEADERS = {
  pragma: 'no-cache',
  expires: 'Thu, 01 Jan 1970 00:00:00 GMT',
  'cache-control': 'no-cache,no-store',
} as const;

const CONTENT_TYPES: Readonly<Partial<Record<ConfigType, string>>> = {
  json: 'application/json;charset=UTF-8',
  xml: 'application/xml;charset=UTF-8',
  html: 'text/html;charset=UTF-8',
};
const PLAIN_TEXT = 'text/plain;charset=UTF-8';

export function encodeRead(config: ReadableConfig, content: Uint8Array): HttpResponse {
  return {
    status: 200,
    headers: {
      'content-type': CONTENT_TYPES[config.type] ?? PLAIN_TEXT,
      'content-md5': config.md5,
      'config-type': config.type,
      'last-modified': httpDate(config.modifiedMs),
      // A stored page must never run as one: browsers obey these, SDKs do not look (S12).
      'x-content-type-options': 'nosniff',
      'content-security-policy': 'sandbox',
      ...NO_CACHE_HEADERS,
    },
    body: content,
  };
}

const HEADERS_404 = { 'content-type': PLAIN_TEXT, 'x-content-type-options': 'nosniff' } as const;
export const CONFIG_NOT_EXIST: HttpResponse = { status: 404, headers: HEADERS_404, body: 'config data not exist\n' };

/** Publishing and removing answer this alone; the Go and Python SDKs look for it. */
export const CONFIG_DONE: HttpResponse = {
  status: 200,
  headers: { 'content-type': 'application/json;charset=UTF-8' },
  body: 'true',
};

/** The one md5 of contents: comparison, header and storage must never differ by a byte, or clients spin. */
export function contentMd5(content: string | Uint8Array): string {
  return hash('md5', content);
}

export function typeOr(text: string | null | undefined, otherwise: ConfigType): ConfigType {
  return CONFIG_TYPES.find((type) => type === text) ?? otherwise;
}

/** Of a call about one configuration; throws what the reference says of names that are none. */
export function decodeKey(form: Form): ConfigKey {
  const dataId = present(form, 'dataId');
  const group = present(form, 'group');
  const namespaceId = form.get('tenant') ?? '';
  checkNamespace(namespaceId);
  checkNames(dataId, group);
  return { dataId, group, namespaceId: isBlank(namespaceId) ? '' : namespaceId };
}

function present(form: Form, name: string): string {
  const value = form.get(name);
  if (value === undefined) throw missingParameter(name);
  return value;
}

function bounded(form: Form, name: string, lengthMax: number): string | null {
  const value = form.get(name);
  if (value === undefined) return null;
  checkLength(name, value, lengthMax);
  return value;
}

/** Until users exist the caller may only say who it is; it goes into the history. */
export function operator(form: Form): string | null {
  const user = form.get('username');
  if (user === undefined || user === '') return null;
  if (user.length > 128) throw configError(400, 'too long username, over 128');
  return user;
}
