import type { HttpResponse } from '../host/host.ts';
import { isoTime } from '../host/time.ts';
import { json } from '../http/answers.ts';
import { badRequest } from '../http/protocol-error.ts';
import type { Form } from '../http/route.ts';
import type { Config } from '../model/config.ts';
import { checkedTags, checkLength, checkNamespace, isBlank } from './config-check.ts';
import { configError, missingParameter } from './config-errors.ts';

/** What the console asks for and is shown: pages, whole rows and past writes (spec/config.md 1.2, 1.5). */

/** No name is longer; the reference has no bound. */
export const SEARCHED_TEXT_LENGTH_MAX = 256;
export const SEARCH_PAGE_MAX = 500;
export const HISTORY_PAGE_MAX = 500;
const HISTORY_PAGE = 100;
const INT_MAX = 2 ** 31 - 1;

export interface PageAsked {
  readonly pageNo: number;
  readonly pageSize: number;
}

export interface ConfigSearch extends PageAsked {
  readonly kind: 'accurate' | 'blur';
  readonly namespaceId: string;
  /** Undefined: any. */
  readonly dataId: string | undefined;
  readonly group: string | undefined;
  readonly appName: string | undefined;
  readonly tags: readonly string[];
}

export function decodeSearch(form: Form, kind: ConfigSearch['kind']): ConfigSearch {
  const dataId = present(form, 'dataId');
  const group = present(form, 'group');
  const pageNo = wholeNumber(present(form, 'pageNo', 'int'));
  const pageSize = wholeNumber(present(form, 'pageSize', 'int'));
  if (pageNo <= 0 || pageSize <= 0) {
    throw badRequest(`caused: serialize page error, dataId=${dataId}, group=${group};caused: ${PAGE_TEXT};`);
  }
  return {
    ...{ kind, namespaceId: namespaceOf(form, 'tenant'), pageNo, pageSize: Math.min(pageSize, SEARCH_PAGE_MAX) },
    ...{ dataId: searched('dataId', dataId), group: searched('group', group) },
    appName: searched('appName', form.get('appName') ?? ''),
    tags: checkedTags(form.get('config_tags') ?? ''),
  };
}

export interface ConfigSelection {
  /** Empty: by the rest. */
  readonly ids: readonly string[];
  readonly namespaceId: string;
  readonly dataId: string | undefined;
  readonly group: string | undefined;
  readonly appName: string | undefined;
}

/** What an export takes; without ids it is a search in which only the data id may hold a `*`. */
export function decodeSelection(form: Form, idsMax: number): ConfigSelection {
  const text = (name: string) => searched(name, form.get(name) ?? '');
  return {
    ids: decodeIds(form.get('ids') ?? '', idsMax),
    namespaceId: namespaceNamed(namespaceOf(form, 'tenant')),
    ...{ dataId: text('dataId'), group: text('group'), appName: text('appName') },
  };
}

/** A comma list; blank items are left out, and each id is taken once. */
export function decodeIds(list: string, idsMax: number): readonly string[] {
  const ids = new Set(list.split(',', idsMax + 2).flatMap((item) => (isBlank(item) ? [] : [decodeId(item.trim())])));
  if (ids.size > idsMax) throw configError(400, `too many ids, over ${idsMax}`);
  return [...ids];
}

/** A 64-bit number, which stays a text: most of them are beyond what a number here can hold. */
export function decodeId(text: string): string {
  if (!/^\d{1,19}$/.test(text)) throw notANumber(text);
  return text.replace(/^0+(?=\d)/, '');
}

export interface HistoryAsked extends PageAsked {
  readonly dataId: string;
  readonly group: string;
  readonly namespaceId: string;
}

export function decodeHistorySearch(form: Form): HistoryAsked {
  const dataId = present(form, 'dataId');
  const group = present(form, 'group');
  const number = (name: string, otherwise: number) => {
    const text = form.get(name) ?? '';
    return isBlank(text) ? otherwise : wholeNumber(text);
  };
  const pageNo = number('pageNo', 1);
  const pageSize = number('pageSize', HISTORY_PAGE);
  if (pageNo <= 0 || pageSize <= 0) throw configError(400, PAGE_TEXT);
  const namespaceId = namespaceOf(form, 'tenant');
  return { dataId, group, namespaceId, pageNo, pageSize: Math.min(pageSize, HISTORY_PAGE_MAX) };
}

/** `public`, `null` and blank name the public namespace, where the reference takes them so. */
export function namespaceNamed(namespaceId: string): string {
  return isBlank(namespaceId) || /^\s*(public|null)\s*$/i.test(namespaceId) ? '' : namespaceId;
}

export function namespaceOf(form: Form, name: string): string {
  const namespaceId = form.get(name) ?? '';
  checkNamespace(namespaceId);
  return isBlank(namespaceId) ? '' : namespaceId;
}

/** Missing is bad input, empty is not. */
export function present(form: Form, name: string, type = 'String'): string {
  const value = form.get(name);
  if (value !== undefined) return value;
  if (type === 'String') throw missingParameter(name);
  throw configError(400, `Required request parameter '${name}' for method parameter type ${type} is not present`);
}

export function wholeNumber(text: string): number {
  const number = /^[+-]?\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(number) || Math.abs(number) > INT_MAX) throw notANumber(text);
  return number;
}

export function encodePage(items: readonly unknown[], total: number, { pageNo, pageSize }: PageAsked): HttpResponse {
  const pagesAvailable = Math.ceil(total / pageSize);
  return json({ totalCount: total, pageNumber: pageNo, pagesAvailable, pageItems: items });
}

/** As a search shows it: without md5, and the type only where the reference looks for it. */
export function foundConfigJson(config: Config, { kind, tags }: Pick<ConfigSearch, 'kind' | 'tags'>) {
  const hasType = kind === 'accurate' && tags.length === 0;
  return { ...configJson(config), md5: null, type: hasType ? config.type : null };
}

export function wholeConfigJson(config: Config) {
  const { createTime, modifyTime, createUser, createIp, desc, use, effect, schema, configTags } =
    configFactsJson(config);
  return {
    ...configJson(config),
    ...{ createTime, modifyTime, createUser, createIp, desc, use, effect, schema, configTags },
  };
}

/** All but the content. Both times are that of the last change, as in the reference. */
export function configFactsJson(config: Config) {
  return {
    createTime: config.modifiedMs,
    modifyTime: config.modifiedMs,
    createUser: config.sourceUser,
    createIp: config.sourceIp,
    desc: config.description,
    use: config.use,
    effect: config.effect,
    type: config.type,
    schema: config.schema,
    configTags: config.tags.length === 0 ? null : config.tags.join(','),
  };
}

function configJson({ id, dataId, group, content, md5, namespaceId, appName, type }: Config) {
  return { id, dataId, group, content, md5, tenant: namespaceId, appName, type };
}

export interface PastWrite {
  readonly nid: string;
  readonly dataId: string;
  readonly group: string;
  readonly namespaceId: string;
  readonly operation: string;
  readonly appName: string;
  readonly sourceIp: string;
  readonly sourceUser: string | null;
  readonly atMs: number;
}

/** Lists leave out what was written. */
export function pastWriteJson(past: PastWrite, written?: { readonly md5: string; readonly content: string }) {
  const time = isoTime(past.atMs).replace('Z', '+00:00');
  return {
    id: past.nid,
    lastId: -1,
    dataId: past.dataId,
    group: past.group,
    tenant: past.namespaceId,
    appName: past.appName,
    md5: written?.md5 ?? null,
    content: written?.content ?? null,
    srcIp: past.sourceIp,
    srcUser: past.sourceUser,
    opType: past.operation,
    createdTime: time,
    lastModifiedTime: time,
  };
}

const PAGE_TEXT = 'pageNo and pageSize must be greater than zero';

function searched(name: string, text: string): string | undefined {
  if (isBlank(text)) return undefined;
  checkLength(name, text, SEARCHED_TEXT_LENGTH_MAX);
  return text;
}

function notANumber(text: string) {
  return configError(400, `For input string: "${text.slice(0, 40)}"`);
}
