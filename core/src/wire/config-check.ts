import type { ProtocolError } from '../http/protocol-error.ts';
import { configError } from './config-errors.ts';

/** In UTF-16 code units, as the reference counts. */
export const CONTENT_LENGTH_MAX = 10_485_760;
export const NAMESPACE_LENGTH_MAX = 128;
/** The reference leaves these to its columns and answers 500 or drops the write; here they are bad input. */
export const DATA_ID_LENGTH_MAX = 255;
export const GROUP_LENGTH_MAX = 128;
export const APP_NAME_LENGTH_MAX = 128;
export const CONFIG_TAGS_MAX = 5;
export const CONFIG_TAG_LENGTH_MAX = 64;
export const TAG_LENGTH_MAX = 16;
/** The column of the 1.4 schema. */
export const BETA_IPS_LENGTH_MAX = 1_024;

export function checkNamespace(namespaceId: string): void {
  if (isBlank(namespaceId)) return;
  if (!isName(namespaceId)) throw bad('invalid tenant');
  // The reference names the wrong field here, and clients may match on it.
  if (namespaceId.length > NAMESPACE_LENGTH_MAX) throw bad(`too long tag, over ${NAMESPACE_LENGTH_MAX}`);
}

/** A data id is judged trimmed but used as given; a group is judged as given. */
export function checkNames(dataId: string, group: string): void {
  if (isBlank(dataId) || !isName(trimmed(dataId))) throw bad(`invalid dataId : ${dataId}`);
  if (isBlank(group) || !isName(group)) throw bad(`invalid group : ${group}`);
  checkLength('dataId', dataId, DATA_ID_LENGTH_MAX);
  checkLength('group', group, GROUP_LENGTH_MAX);
}

export function checkContent(content: string): void {
  if (isBlank(content)) throw bad(`content is blank : ${content}`);
  if (content.length > CONTENT_LENGTH_MAX) throw bad(`invalid content, over ${CONTENT_LENGTH_MAX}`);
}

/** The name that something is published under; judged trimmed but used as given, as a data id. */
export function checkTag(tag: string): void {
  if (!isName(trimmed(tag))) throw bad(`invalid tag : ${tag}`);
  checkLength('tag', tag, TAG_LENGTH_MAX);
}

/** The items of a comma list; blank ones and repetitions are left out. */
export function checkedTags(list: string): readonly string[] {
  const items = list.split(',');
  while (items.at(-1) === '') items.pop();
  if (items.length > CONFIG_TAGS_MAX) throw bad(`too much config_tags, over ${CONFIG_TAGS_MAX}`);
  for (const item of items) checkLength('tag', item, CONFIG_TAG_LENGTH_MAX);
  return [...new Set(items.filter((item) => !isBlank(item)))];
}

export function checkLength(name: string, value: string, lengthMax: number): void {
  if (value.length > lengthMax) throw bad(`too long ${name}, over ${lengthMax}`);
}

/** Empty or white space only, by the reference's notion of it: no-break spaces are not white. */
export function isBlank(value: string | undefined): boolean {
  if (value === undefined || value === '') return true;
  // Nearly all begin with what is none, and then a long content need not be looked at as a whole.
  const first = value.charCodeAt(0);
  if (first > 0x20 && first < 0x1680) return false;
  return /^[\t-\r\x1c-\x20\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000]*$/.test(value);
}

/** Letters and decimal digits of any script within the BMP, and `_ - . :`; `..` is therefore a legal name (S8). */
function isName(value: string): boolean {
  if (/^[\w.:-]+$/.test(value)) return true;
  return /^[\p{L}\p{Nd}_.:-]+$/u.test(value) && !/[\ud800-\udfff]/.test(value);
}

/** The reference drops control characters too, and so lets names in that its own listener format cannot carry. */
function trimmed(value: string): string {
  if (!value.startsWith(' ') && !value.endsWith(' ')) return value;
  return value.replace(/^ +/, '').replace(/ +$/, '');
}

function bad(message: string): ProtocolError {
  return configError(400, message);
}
