import { badRequest } from '../http/protocol-error.ts';
import { type Metadata, NO_METADATA } from '../model/instance.ts';

/** UTF-8 bytes of the JSON that we give out. */
export const METADATA_BYTES_MAX = 64 * 1024;
export const JSON_DEPTH_MAX = 32;

/**
 * A JSON object of scalars, or `a=1,b=2`; blank is empty. Values become texts: `true` is `"true"`, a number is what
 * was written (`1.0` stays `1.0`), null stays.
 */
export function decodeMetadata(text: string): Metadata {
  // Go sends the null of a map that was never made.
  if (text === '' || text === '{}' || text === 'null' || text.trim() === '') return NO_METADATA;
  if (text.length > METADATA_BYTES_MAX) throw tooLarge();
  const metadata = metadataOfJson(text) ?? metadataOfPairs(text);
  if (metadata === undefined) throw badRequest(`metadata format incorrect:${text}`);
  return metadata;
}

export function encodeMetadata(metadata: Metadata): string {
  if (metadata.size === 0) return '{}';
  let json = '{';
  for (const [key, value] of metadata) {
    json += `${json === '{' ? '' : ','}${JSON.stringify(key)}:${value === null ? 'null' : JSON.stringify(value)}`;
  }
  return `${json}}`;
}

/**
 * Metadata from an object that `parseObject` made of `source`. Undefined when a value is no scalar; a number makes it
 * read the source again, as only that tells `1.0` from `1`.
 */
export function metadataOfObject(object: object, again: () => object | undefined): Metadata | undefined {
  const entries = Object.entries(object);
  if (entries.length === 0) return NO_METADATA;
  const metadata = new Map<string, string | null>();
  for (const [key, value] of entries) {
    if (typeof value === 'string' || value === null) metadata.set(key, value);
    else if (typeof value === 'boolean') metadata.set(key, String(value));
    else if (typeof value === 'number') {
      const withTexts = again();
      return withTexts && metadataOfObject(withTexts, () => undefined);
    } else return undefined;
  }
  return checkMetadata(metadata);
}

/** Undefined when the text is no JSON, its value is no object, or it is nested beyond `JSON_DEPTH_MAX`. */
export function parseObject(text: string, numbers: 'values' | 'texts' = 'values'): Record<string, unknown> | undefined {
  if (isNestedTooDeep(text)) return undefined;
  try {
    const value: unknown = numbers === 'values' ? JSON.parse(text) : JSON.parse(text, numberAsText);
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Looked at before parsing: what walks over a parsed value is recursive, and the stack is not ours to spend. */
function isNestedTooDeep(text: string): boolean {
  if (hasFew(text, '{') && hasFew(text, '[')) return false;
  let depth = 0;
  let isInString = false;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === QUOTE) isInString = !isInString;
    else if (isInString) i += unit === BACKSLASH ? 1 : 0;
    else if (unit === OPEN_BRACE || unit === OPEN_BRACKET) {
      if (++depth > JSON_DEPTH_MAX) return true;
    } else if (unit === CLOSE_BRACE || unit === CLOSE_BRACKET) depth--;
  }
  return false;
}

/** Two kinds of brackets that are few each cannot be nested too deep. */
function hasFew(text: string, bracket: string): boolean {
  let at = -1;
  for (let count = 0; count <= JSON_DEPTH_MAX / 2; count++) {
    at = text.indexOf(bracket, at + 1);
    if (at < 0) return true;
  }
  return false;
}

const QUOTE = 0x22;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

function metadataOfJson(text: string): Metadata | undefined {
  const object = parseObject(text);
  return object && metadataOfObject(object, () => parseObject(text, 'texts'));
}

function metadataOfPairs(text: string): Metadata | undefined {
  const metadata = new Map<string, string | null>();
  for (const pair of splitLikeJava(text, ',')) {
    const parts = splitLikeJava(pair, '=');
    if (parts.length !== 2) return undefined;
    metadata.set(parts[0]!, parts[1]!);
  }
  return checkMetadata(metadata);
}

/** Empty parts at the end are dropped. */
function splitLikeJava(text: string, separator: string): string[] {
  const parts = text.split(separator);
  while (parts.at(-1) === '') parts.pop();
  return parts;
}

function checkMetadata(metadata: Metadata): Metadata {
  let chars = 2;
  for (const [key, value] of metadata) {
    if (!key.isWellFormed() || value?.isWellFormed() === false) {
      throw badRequest('metadata format incorrect: it has half of a surrogate pair');
    }
    chars += key.length + (value?.length ?? 4) + 6;
  }
  // JSON spends six bytes at most on a UTF-16 unit.
  if (chars * 6 > METADATA_BYTES_MAX && Buffer.byteLength(encodeMetadata(metadata)) > METADATA_BYTES_MAX) {
    throw tooLarge();
  }
  return metadata;
}

function tooLarge() {
  return badRequest(`metadata is larger than ${METADATA_BYTES_MAX} bytes`);
}

/** The third argument is newer than the types of the library. */
function numberAsText(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === 'number' ? (context?.source ?? String(value)) : value;
}
